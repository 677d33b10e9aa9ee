"""Tries a robot file out in simulation: does the robot stand, and can its legs fold?

No safety layer stands between: what is tried is the file, its gains, poses and shapes alone.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.reset.motion import motion
from quad_learner.reset.path import JointPath
from quad_learner.reset.posture import posture
from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.poses import overlaps, random_poses, touching_parts
from quad_learner.simulation.robot import SimulatedRobot
from quad_learner.simulation.truth import FeetTruth

Array = NDArray[np.float64]

STAND_S = 3.0
"""[s] standing: far longer than a body takes to settle"""
CALM_S = 1.0
"""[s] at its end, over which is measured"""
HIGH = np.array((0.0, 0.0, 200.0))
"""[m] dropped from there, legs meet nothing but the robot while they fold"""
SETTLE_S = 0.3
"""[s] that legs are given to arrive where they were told to be by now"""
DRAWN_MOST = 10
"""poses drawn at most for each that is wanted: in some a part is inside another"""
STEPPING_S = 10.0
"""[s] stepping on the spot: an episode"""
LIMP_S = 2.0
"""[s] after which a damped robot has sunk to the ground"""
HOLD_S = 0.15
"""[s] at the end of that, over which is looked whether they are still"""
ARRIVED = 0.2
"""[rad] from where a joint should be: below what a poor gain leaves without weight on the leg"""


@dataclass(frozen=True)
class Stand:
    """How the robot stood after it was put down in its stance."""

    mass: float
    """[kg]"""
    height: float
    """of the root link above the ground [m]"""
    centre_height: float
    """of the centre of mass above the ground [m]"""
    tilt: float
    """of the body [rad]"""
    sag: Array
    """of each joint, where it is less where it should be [rad], (joints,)"""
    shake: Array
    """of each joint, fastest [rad/s], (joints,)"""
    torque_share: Array
    """of each joint, in the mean, of its motor's limit, (joints,)"""
    foot_height: float
    """of the feet's middles above the ground, in the mean of those that touch it [m]; or NaN"""
    foot_force: Array
    """at each foot, in the mean [N], (feet,)"""
    off_its_feet: tuple[str, ...]
    """links other than the feet that touch the ground"""
    jams: frozenset[tuple[str, str]]
    """which of the robot's parts touch each other"""


@dataclass(frozen=True)
class Reaching:
    """How often the legs arrived in a pose."""

    tried: int
    arrived: int
    late: Counter[str]
    """how often each joint did not"""
    jams: Counter[tuple[str, str]]
    """how often which of the robot's parts touched each other then"""
    shake: Array
    """of each joint, fastest where all arrived, in the mean of its hold [rad/s], (joints,)"""


@dataclass(frozen=True)
class Stepping:
    """Where the robot went that stepped on the spot."""

    fell: bool
    seconds: float
    """until it fell, or all of `STEPPING_S`"""
    velocity: tuple[float, float]
    """forwards and to the left of where it looked first, in the mean [m/s]"""


def stand(robot: RobotModel, config: SimulationConfig) -> Stand:
    """Puts the robot down in its stance on flat ground, and looks how it stands.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    with _connected(robot, config, np.random.default_rng(0)) as simulated:
        told = command_to(robot, robot.stance)
        ticks, calm = (round(seconds * robot.command_hz) for seconds in (STAND_S, CALM_S))
        samples = [simulated.step(told) for _ in range(ticks)][-calm:]
        truth, feet = simulated.truth(), simulated.feet_truth()
        ground = simulated.world.ground_height(*truth.position[:2].tolist())
        effort = np.mean([sample.joint_effort for sample in samples], axis=0)
        return Stand(
            mass=simulated.world.mass(),
            height=float(truth.position[2]) - ground,
            centre_height=float(simulated.world.centre_of_mass()[2]) - ground,
            tilt=posture(truth.orientation).tilt,
            sag=np.mean([sample.joint_position for sample in samples], axis=0) - robot.stance,
            shake=np.max([np.abs(sample.joint_velocity) for sample in samples], axis=0),
            torque_share=np.abs(effort) / robot.torque_max,
            foot_height=_foot_height(simulated, feet),
            foot_force=np.mean([sample.foot_force for sample in samples], axis=0),
            off_its_feet=feet.other_contacts,
            jams=touching_parts(simulated.world),
        )


def step_on_the_spot(
    robot: RobotModel, config: SimulationConfig, target: Callable[[float], Array]
) -> Stepping:
    """Puts the robot down in its stance on flat ground and lets it step by its rhythm alone.

    Args:
        robot: which robot.
        config: of the world.
        target: gives the joint positions [rad], (joints,), that the rhythm asks for at a time [s].

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    with _connected(robot, config, np.random.default_rng(0)) as simulated:
        still = command_to(robot, robot.stance)
        for _ in range(round(CALM_S * robot.command_hz)):
            simulated.step(still)
        start, fell, decision = simulated.truth(), False, 0
        while not fell and decision < round(STEPPING_S * robot.policy_hz):
            position = target(decision / robot.policy_hz)
            # A policy asks anew each of its periods, and safety holds that for as long.
            for _ in range(robot.ticks_per_decision):
                simulated.step(command_to(robot, position))
            decision += 1
            roll, pitch, _ = rotations.roll_pitch_yaw(simulated.truth().orientation)
            fell = abs(roll) > robot.fall_roll or abs(pitch) > robot.fall_pitch
        seconds = decision / robot.policy_hz
        way = simulated.truth().position - start.position
        ahead, left, _ = rotations.rotate_back(start.orientation, way) / seconds
        return Stepping(fell, seconds, (float(ahead), float(left)))


def fold(robot: RobotModel, config: SimulationConfig, speed: float, poses: int) -> Reaching:
    """Lets the robot fall from high up, folds its legs meanwhile, and looks whether they arrive.

    Args:
        robot: whose legs; `reset.fold` and `reset.fold_first` say how they fold.
        config: of the world; `self_collision` is what it is about.
        speed: of the joints [rad/s].
        poses: how often, from joint angles at random in which no part is inside another.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    generator = np.random.default_rng(0)
    moves, drawn = motion(robot), random_poses(robot, generator)
    tally = _Tally(robot)
    with _connected(robot, config, generator) as simulated:
        for _ in range(DRAWN_MOST * poses):
            start = next(drawn)
            simulated.place(HIGH, np.array(rotations.IDENTITY), start)
            if overlaps(simulated.world):
                continue
            first = np.where(moves.fold_first, moves.fold, start)
            path = JointPath(start)
            _go(simulated, path, first, float(np.abs(first - start).max()) / speed)
            rest = float(np.abs(moves.fold - first).max()) / speed
            tally.look(simulated, moves.fold, _go(simulated, path, moves.fold, rest))
            if tally.tried == poses:
                break
    return tally.result()


def go_limp(robot: RobotModel, config: SimulationConfig) -> Array:
    """Lets the robot go limp where it stands, as a stop makes it.

    Returns:
        speed of each joint in the mean of the last `HOLD_S` [rad/s], (joints,).

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    with _connected(robot, config, np.random.default_rng(0)) as simulated:
        limp = [simulated.step(None) for _ in range(round(LIMP_S * robot.command_hz))]
        return _mean_speed(limp[-round(HOLD_S * robot.command_hz) :])


def roll(robot: RobotModel, config: SimulationConfig) -> Reaching:
    """Lets the robot fall from high up, and plays its roll-overs meanwhile, each from the fold.

    Args:
        robot: whose legs; the section `reset` says how they move.
        config: of the world.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    moves, tally = motion(robot), _Tally(robot)
    ways = (moves.from_side, moves.from_left_side, moves.from_back, moves.from_left_back)
    with _connected(robot, config, np.random.default_rng(0)) as simulated:
        for frames in ways:
            simulated.place(HIGH, np.array(rotations.IDENTITY), moves.fold)
            path = JointPath(moves.fold)
            for frame in frames:
                reached = _go(simulated, path, frame.position, frame.seconds)
                tally.look(simulated, frame.position, reached)
    return tally.result()


def command_to(robot: RobotModel, position: Array) -> JointCommand:
    """Returns a command to the simulated robot itself: it lasts until the next.

    Args:
        robot: whose gains of the stance are used.
        position: to go to [rad], (joints,).
    """
    return JointCommand(
        time_ns=0,
        epoch=1,
        sequence=1,
        lifetime_ns=0,
        joints_hash=robot.joints_hash,
        mode=Mode.ACTIVE,
        authority=Authority.RESET,
        request=1,
        reasons=Reason.NONE,
        position=position,
        kp=robot.kp,
        kd=robot.kd,
        effort=np.zeros_like(robot.kp),
    )


class _Tally:
    """Counts who arrives."""

    def __init__(self, robot: RobotModel) -> None:
        self._robot = robot
        self.tried = self._arrived = 0
        self._late, self._jams = Counter[str](), Counter[tuple[str, str]]()
        self._shake = np.zeros(len(robot.joints))

    def look(self, simulated: SimulatedRobot, goal: Array, held: Sequence[SensorSample]) -> None:
        """Takes in where the joints are, how they shake, and what touches what."""
        away = np.abs(held[-1].joint_position - goal) > ARRIVED
        if not away.any():
            self._shake = np.maximum(self._shake, _mean_speed(held))
        self.tried += 1
        self._arrived += not away.any()
        names = zip(self._robot.joints, away, strict=True)
        self._late.update(name for name, is_away in names if is_away)
        self._jams.update(touching_parts(simulated.world) if away.any() else ())

    def result(self) -> Reaching:
        return Reaching(self.tried, self._arrived, self._late, self._jams, self._shake)


@contextmanager
def _connected(
    robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
) -> Iterator[SimulatedRobot]:
    simulated = SimulatedRobot(robot, config, generator)
    simulated.connect()
    try:
        yield simulated
    finally:
        simulated.close()


def _go(
    simulated: SimulatedRobot, path: JointPath, goal: Array, seconds: float
) -> list[SensorSample]:
    """Goes along `path` to `goal` in `seconds`; returns the samples of the last `HOLD_S`."""
    robot = simulated.robot
    path.go(goal, seconds)
    samples = []
    for _ in range(round((seconds + SETTLE_S) * robot.command_hz)):
        path.advance(1.0 / robot.command_hz)
        samples.append(simulated.step(command_to(robot, path.position)))
    return samples[-round(HOLD_S * robot.command_hz) :]


def _foot_height(simulated: SimulatedRobot, feet: FeetTruth) -> float:
    """Returns how high above the ground the middles of the feet are that stand on it [m]."""
    heights = [
        z - simulated.world.ground_height(x, y) for x, y, z in feet.position[feet.contact].tolist()
    ]
    return float(np.mean(heights)) if heights else float('nan')


def _mean_speed(samples: Sequence[SensorSample]) -> Array:
    """Returns the speed of each joint, either way, in the mean [rad/s], (joints,)."""
    return np.asarray(np.mean([np.abs(sample.joint_velocity) for sample in samples], axis=0))
