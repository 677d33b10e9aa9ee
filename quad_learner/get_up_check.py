"""Do the poses of a robot's get-up fit its legs? Part of the check of a robot file."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from numpy.typing import NDArray

from quad_learner.doctor import Finding
from quad_learner.reset.motion import motion
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.tryout import Reaching

Array = NDArray[np.float64]
Feet = Callable[[Array], Array]

FOLDED_SHARE = 0.25
"""of the legs' length by which `fold` must have drawn up the feet"""
ARRIVED_SHARE = 0.7
"""of the poses that must be reached; the A1 misses some where a foot slides along its trunk"""
NAMED = 3
"""so many joints, or pairs of parts, are named at most"""
ATTEMPTS = (1, 2, 3)
"""of which each rises by other poses (reset.motion: poses_to_rise)"""
PASS_THROUGH = (
    'Where only the URDF draws them too large, name those of the legs under '
    'simulation.pass_through'
)
_RESET = 'docs/new_robot.md, "Getting up"'


def check_fold(robot: RobotModel, feet: Feet) -> Iterator[Finding]:
    """Yields whether `fold` draws the feet up.

    Args:
        robot: which robot; one without the section `reset` has nothing to check.
        feet: as in `check_mirror`.
    """
    if not robot.sections.get('reset'):
        yield Finding('fold', False, 'no section reset: it cannot get up', _RESET, needed=False)
        return
    up = (feet(motion(robot).fold) - feet(robot.stance))[:, 2].min()
    least = FOLDED_SHARE * robot.height
    yield _finding(
        'fold',
        bool(up >= least),
        f'draws the feet up by {up * 1e3:.0f} mm',
        f'reset.fold: feet beside the belly, {least * 1e3:.0f} mm up or more',
    )


def check_roll(rolled: Reaching) -> Finding:
    """Returns whether the legs reach the poses of the roll-overs, where there are any."""
    if not rolled.tried:
        what = 'no from_side and from_back: it gives up on its side and on its back'
        return Finding('rolls over', False, what, _RESET, needed=False)
    return check_reach('rolls over', rolled, 'poses of from_side and from_back')


def check_reach(name: str, reached: Reaching, of_what: str) -> Finding:
    """Returns whether the legs reached their poses in the air, and what was in their way."""
    what = f'{reached.arrived} of {reached.tried} {of_what}'
    late = ', '.join(joint for joint, _ in reached.late.most_common(NAMED))
    jams = '; '.join(f'{one} with {other}' for (one, other), _ in reached.jams.most_common(NAMED))
    way_out = f'{late} did not arrive' + (
        f', and these parts touched: {jams}. {PASS_THROUGH}; else change the poses'
        if jams
        else ': raise joints.kp or torque_max, or give the poses more seconds'
    )
    return _finding(name, reached.arrived >= ARRIVED_SHARE * reached.tried, what, way_out)


def check_rise(robot: RobotModel, most: float) -> Iterator[Finding]:
    """Yields whether rising ends in the stance, where the file has poses for it.

    Args:
        robot: which robot; one without `rise` and `rise_again` goes straight to its stance.
        most: [rad] by which a joint may be away from there.
    """
    moves = motion(robot)
    ends = [moves.poses_to_rise(attempt)[-1:] for attempt in ATTEMPTS]
    missed = [np.abs(pose.position - robot.stance) for last in ends for pose in last]
    if not missed:
        return
    worst = max(missed, key=lambda each: float(each.max()))
    joint, entry = robot.joints[int(worst.argmax())], 'rise' if moves.rise else 'rise_again'
    yield _finding(
        'rises into its stance',
        bool(worst.max() <= most),
        f'the last pose of {entry} leaves {joint} {worst.max():.2f} rad away from it',
        f'reset.{entry}: end it with joints.stance, or it never comes to stand where it rose so '
        '(where the angles are those of another robot: convert these poses, too)',
    )


def _finding(name: str, ok: bool, what: str, way_out: str) -> Finding:
    return Finding(name, ok, what, '' if ok else way_out)
