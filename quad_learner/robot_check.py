"""Does a robot file fit its URDF, itself and the ground? Each check says what it found and,
where it fails, the entry to change and to what.

Nothing here drives a robot: the simulated one is put down in its stance, and dropped from high up
to see whether its legs reach the poses of its get-up. docs/new_robot.md explains the entries.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from quad_learner import configuration, urdf_check
from quad_learner.configuration import ConfigurationError
from quad_learner.doctor import Finding
from quad_learner.get_up_check import (
    NAMED,
    PASS_THROUGH,
    check_fold,
    check_reach,
    check_rise,
    check_roll,
)
from quad_learner.reset.config import ResetConfig
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel
from quad_learner.safety.config import SafetyConfig
from quad_learner.simulation import tryout
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.poses import random_poses
from quad_learner.simulation.tryout import Stand
from quad_learner.task.action import ActionMap, oscillator_of
from quad_learner.task.symmetry import joint_mirror

Array = NDArray[np.float64]
Feet = Callable[[Array], Array]

TILT = 0.1
"""[rad] of a trunk that counts as level"""
HEIGHT_SHARE = 0.12
"""of `height` that the body may stand lower or higher: it sags a little under its weight"""
SAG_SHARE = 0.6
"""of `standing_joint_error` (reset.yaml) that a joint may sag: the rest is left for the ground"""
SHAKE = 1.0
"""[rad/s] joint speed of a robot that stands still, noise of its sensors included"""
TORQUE_SHARE = 0.5
"""of a motor's limit that standing may take: walking needs about twice as much"""
FORCE_SHARE = 0.8
"""of the least loaded foot's force that the threshold may be"""
FOOT_ERROR = 0.01
"""[m] by which a foot's radius may be wrong: the body's height is measured from it"""
WIDTH_SHARE = 1.06
"""of the height of the centre of mass that left and right feet are apart at least: with 0.89 to
1.01 robots fell four times and more in four minutes of learning, with 1.12 and more once at most,
in the mean of five seeds (docs/results.md, "Robots from their file alone")"""
DROP = 0.15
"""[m] that the robot may fall at the start of a simulation"""
MIRROR_ERROR = 0.01
"""[m] by which feet may miss their mirror images: URDFs are drawn by hand"""
MIRROR_POSES = 20
LIFT = 0.015
"""[m] by which the rhythm lifts a foot at least: above the bumps of a floor"""
DRIFT = 0.06
"""[m/s] that the rhythm may walk by itself: half of what cost the A1 a quarter of its learning"""
POSES = 12
"""joint angles at random from which it folds"""


def examine(name: str) -> list[Finding]:
    """Returns what each check of a robot found, in the order to read it.

    Args:
        name: a name in `config/robots` or the path of a robot file.
    """
    simulation = configuration.read(SimulationConfig, config_directory() / 'simulation.yaml')
    reset = configuration.read(ResetConfig, config_directory() / 'reset.yaml')
    safety = configuration.read(SafetyConfig, config_directory() / 'safety.yaml')
    try:
        robot = model.load(name)
        legs, stood = LegKinematics(robot), tryout.stand(robot, simulation)
        folded = tryout.fold(robot, simulation, reset.move_speed, POSES)
        rolled = tryout.roll(robot, simulation)
        limp = tryout.go_limp(robot, simulation)

        def feet(joints: Array) -> Array:
            return legs.solve(joints, np.zeros_like(joints)).position

        drawn = urdf_check.check_axes(feet(robot.stance)).ok
        stands = drawn and not stood.off_its_feet
        slopes = legs.solve(robot.stance, np.zeros_like(robot.stance)).jacobian
        return [
            Finding('robot file', True, robot.urdf.name),
            urdf_check.check_mass(robot, legs.mass, stood.mass),
            *urdf_check.examine(robot, feet, slopes, safety.position_margin_rad),
            *check_stand(robot, stood, reset.standing_joint_error, drawn),
            *([check_width(robot, feet, stood.centre_height)] if stands else []),
            *check_mirror(robot, feet),
            *check_rhythm(robot, feet),
            *(check_stepping(robot, simulation) if stands else ()),
            *check_fold(robot, feet),
            *check_rise(robot, SAG_SHARE * reset.standing_joint_error),
            check_reach('folds', folded, 'poses'),
            check_roll(rolled),
            check_calm('calm in the air', robot, np.maximum(folded.shake, rolled.shake), 'kd'),
            check_calm('calm when limp', robot, limp, 'kd_damping'),
        ]
    except ConfigurationError as error:
        return [Finding('robot file', False, str(error), 'correct what is named')]


def check_stand(
    robot: RobotModel, stood: Stand, sag_max: float, drawn: bool = True
) -> Iterator[Finding]:
    """Yields what is to say of a robot that was put down in its stance.

    Of one that does not stand on its feet, its height and what they feel say nothing.

    Args:
        robot: which robot.
        stood: how it stood.
        sag_max: [rad] distance from its stance at which a joint no longer counts as standing.
        drawn: the feet are below the root link, so that it can stand on them.
    """
    jams = '; '.join(f'{one} with {other}' for one, other in sorted(stood.jams)[:NAMED])
    yield _finding(
        'no part jams another',
        not stood.jams,
        f'touching in the stance: {jams}' if jams else 'none touch in the stance',
        f'{PASS_THROUGH}; else change joints.stance',
    )
    yield _finding(
        'stands level',
        stood.tilt <= TILT,
        f'{stood.tilt:.2f} rad from level',
        f'change joints.stance until the trunk is level within {TILT} rad',
    )
    yield _finding(
        'on its feet alone',
        not stood.off_its_feet,
        ', '.join(stood.off_its_feet[:NAMED]) or 'nothing else touches the ground',
        'name the links that should stand there under feet.links, raise joints.kp until they '
        'carry it, or change joints.stance; height and feet are looked at once it stands on them',
    )
    yield from _check_strength(robot, stood, sag_max)
    if not drawn or stood.off_its_feet:
        return
    yield _finding(
        'height',
        abs(stood.height - robot.height) <= HEIGHT_SHARE * robot.height,
        f'stands {stood.height:.3f} m high, the file says {robot.height:.3f}',
        f'height: {stood.height:.2f}',
    )
    yield _finding(
        'spawn_height',
        0.0 <= robot.spawn_height - stood.height <= DROP,
        f'{robot.spawn_height:.3f} m',
        f'spawn_height: {stood.height + DROP / 3:.2f}, a little above where it stands',
    )
    yield from _check_feet(robot, stood)


def _check_strength(robot: RobotModel, stood: Stand, sag_max: float) -> Iterator[Finding]:
    sags = np.abs(stood.sag)
    yield _finding(
        'stiff enough',
        bool(sags.max() <= SAG_SHARE * sag_max),
        f'sags by {sags.max():.2f} rad at {robot.joints[int(sags.argmax())]}',
        f'raise joints.kp (and kd with its root): within {SAG_SHARE * sag_max:.2f} rad it stands',
    )
    yield check_calm('calm', robot, stood.shake, 'kd')
    share = stood.torque_share
    yield _finding(
        'strong enough',
        bool(share.max() <= TORQUE_SHARE),
        f'{share.max():.0%} of the torque of {robot.joints[int(share.argmax())]} to stand',
        'check joints.torque_max; or stand higher, with straighter legs: joints.stance',
    )


def _check_feet(robot: RobotModel, stood: Stand) -> Iterator[Finding]:
    middle, radius = (length * 1e3 for length in (stood.foot_height, robot.foot_radius))
    yield _finding(
        'feet',
        abs(stood.foot_height - robot.foot_radius) <= FOOT_ERROR,
        f'their middles are {middle:.0f} mm above the ground, feet.radius is {radius:.0f} mm'
        if np.isfinite(middle)
        else 'none touches the ground',
        f'feet.radius: {stood.foot_height:.3f}, if the lower leg goes on so far beyond the loop'
        if robot.loop_closures and np.isfinite(middle)
        else 'feet.radius, as the URDF draws it; or feet.offset, where the middle of a foot is '
        'not the origin of its link',
    )
    if robot.has_foot_force:
        least = stood.foot_force.min()
        yield _finding(
            'feet feel the ground',
            bool(robot.foot_force_threshold <= FORCE_SHARE * least),
            f'{least:.0f} N at {robot.feet[int(stood.foot_force.argmin())]}, the least loaded',
            f'feet.force_threshold: {least / 2:.0f}',
        )


def check_calm(name: str, robot: RobotModel, shake: Array, gain: str) -> Finding:
    """Returns whether the motors hold the joints still.

    Args:
        name: of the check.
        robot: which robot.
        shake: speed of each joint [rad/s], (joints,).
        gain: the entry of `joints` that damps them then.
    """
    return _finding(
        name,
        bool(shake.max() <= SHAKE),
        f'{shake.max():.2f} rad/s at {robot.joints[int(shake.argmax())]}',
        f'joints.{gain} is too much for so light a limb: lower it there (kp with its square), or '
        'raise rates_hz.physics, where it is the simulation that shakes; or '
        'simulation.inertia_from_urdf: false, if its inertia is wrong',
    )


def check_width(robot: RobotModel, feet: Feet, centre_height: float) -> Finding:
    """Returns whether the feet are far enough apart that the robot does not rock over sideways.

    Args:
        robot: which robot.
        feet: as in `check_mirror`.
        centre_height: of the centre of mass above the ground in the stance [m].
    """
    apart = float(np.ptp(feet(robot.stance)[:, 1]))
    least = WIDTH_SHARE * centre_height
    wide = apart >= least
    return Finding(
        'wide enough',
        wide,
        f'left and right feet {apart:.2f} m apart, centre of mass {centre_height:.2f} m high',
        ''
        if wide
        else f'joints.stance: hips out until the feet are {least:.2f} m apart, or the body '
        'lower: it may fall sideways while it learns',
        needed=False,
    )


def check_mirror(robot: RobotModel, feet: Feet) -> Iterator[Finding]:
    """Yields whether a pose and its mirror image put the feet in mirrored places.

    Args:
        robot: which robot; one without the section `mirror` has nothing to check.
        feet: gives the places of the feet in the body frame [m], (feet, 3), for joint angles.
    """
    swap = joint_mirror(robot)
    if swap is None:
        yield Finding('mirror', True, 'none: learning will need twice as long', needed=False)
        return
    generator = np.random.default_rng(0)
    # About the stance: from there closed legs find their knees.
    poses = robot.stance + 0.3 * (
        np.array(list(islice(random_poses(robot, generator), MIRROR_POSES))) - robot.stance
    )
    worst, culprit = 0.0, ''
    for pose in poses:
        for joint, name in enumerate(robot.joints):
            one = robot.stance.copy()
            one[joint] = pose[joint]
            image = swap.joint_sign * one[swap.joint_index]
            missed = np.abs(feet(image) - (feet(one) * (1.0, -1.0, 1.0))[swap.foot_index]).max()
            if missed > worst:
                worst, culprit = float(missed), name
    yield _finding(
        'mirror',
        worst <= MIRROR_ERROR,
        f'feet miss their mirror images by {worst * 1e3:.0f} mm',
        f'mirror.joint_sign of {culprit}: the other sign; or leg_swap, joint_swap',
    )


def check_rhythm(robot: RobotModel, feet: Feet) -> Iterator[Finding]:
    """Yields whether the rhythm lifts the feet.

    Args:
        robot: which robot; one without the section `oscillator` has nothing to check.
        feet: as in `check_mirror`.
    """
    rhythm = oscillator_of(robot)
    if rhythm is None:
        yield Finding('rhythm', True, 'none: it may not learn to walk in minutes', needed=False)
        return
    lift = (feet(robot.stance + rhythm.amplitude) - feet(robot.stance))[:, 2].min()
    yield _finding(
        'rhythm',
        bool(lift >= LIFT),
        f'lifts a foot by {lift * 1e3:.0f} mm',
        f'oscillator.amplitude: up by {LIFT * 1e3:.0f} mm or more',
    )


def check_stepping(robot: RobotModel, simulation: SimulationConfig) -> Iterator[Finding]:
    """Yields whether the robot stays up and about where it is when it steps by its rhythm alone.

    Args:
        robot: which robot; one without the section `oscillator` has nothing to check.
        simulation: of the world.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    rhythm = oscillator_of(robot)
    if rhythm is None:
        return
    actions = ActionMap(robot, rhythm)
    stepped = tryout.step_on_the_spot(
        robot, simulation, partial(actions.target, np.zeros(actions.size))
    )
    ahead, left = stepped.velocity
    if stepped.fell:
        yield _finding(
            'steps on the spot',
            False,
            f'falls after {stepped.seconds:.1f} s',
            'joints.stance: feet further apart; or oscillator: a smaller amplitude, another '
            'frequency_hz',
        )
        return
    way = ('forward' if ahead > 0.0 else 'backward') if abs(ahead) >= abs(left) else 'sideways'
    yield _finding(
        'steps on the spot',
        max(abs(ahead), abs(left)) <= DRIFT,
        f'drifts {way} by {max(abs(ahead), abs(left)):.2f} m/s',
        f'oscillator.amplitude: another angle of what swings the leg, for {DRIFT} m/s or less '
        '(who walks backward turns it less, or the other way): learning must undo what the rhythm '
        'does',
    )


def _finding(name: str, ok: bool, what: str, way_out: str) -> Finding:
    return Finding(name, ok, what, '' if ok else way_out)
