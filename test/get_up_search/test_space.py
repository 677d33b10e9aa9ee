"""Claims about roll-overs as vectors: whatever a search makes of them may be sent to the robot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.get_up_search.space import MotionSpace, are_alike
from quad_learner.get_up_search.workers import with_motions
from quad_learner.reset.motion import motion
from quad_learner.robot.model import load
from quad_learner.robot.names import robots
from quad_learner.safety.config import SafetyConfig
from quad_learner.urdf_check import check_poses

MARGIN = 0.02
"""[rad] as shipped in safety.yaml"""
SPEED = 10.0
"""[rad/s] likewise: reset_target_speed_rad_s"""


@pytest.mark.parametrize('name', robots())
@pytest.mark.parametrize('wild', [0.0, 3.0])
def test_every_vector_is_a_motion_that_safety_leaves_as_it_is(
    name: str, wild: float, safety: SafetyConfig
) -> None:
    robot, generator = load(name), np.random.default_rng(1)
    for legs_alike in (True, False):
        space = MotionSpace(robot, safety, 2, legs_alike)
        for _ in range(10):
            guess = space.guess(generator)
            frames = space.frames(guess + wild * generator.standard_normal(guess.size))
            moved = with_motions(robot, from_side=frames, from_back=frames)
            assert check_poses(moved, MARGIN).ok
            read = motion(moved)
            for way in (read.from_side, read.from_left_side):
                last = read.fold
                for frame in way:
                    fastest = np.abs(frame.position - last).max() / frame.seconds
                    assert fastest <= SPEED + 1e-6
                    last = frame.position


@pytest.mark.parametrize('name', robots())
@pytest.mark.parametrize('entry', ['from_side', 'from_back'])
def test_the_motions_that_are_shipped_come_back_as_they_were(
    name: str, entry: str, safety: SafetyConfig
) -> None:
    robot = load(name)
    frames = robot.sections['reset'][entry]
    space = MotionSpace(robot, safety, len(frames), are_alike(robot, frames))
    again = space.frames(space.vector(frames))
    for frame, other in zip(frames, again, strict=True):
        for side in ('right', 'left'):
            # One list may stand for all legs of a side in one pose and not in another.
            as_long = np.resize(frame[side], len(other[side]))
            np.testing.assert_allclose(other[side], as_long, atol=0.011)
        assert other['seconds'] >= frame['seconds'] - 0.005


def test_closed_legs_are_guessed_as_long_as_they_get_and_turned_all_the_way_round(
    safety: SafetyConfig,
) -> None:
    robot, generator = load('minitaur'), np.random.default_rng(2)
    space = MotionSpace(robot, safety, 2, legs_alike=False)
    poses = [pose for _ in range(300) for pose in space.frames(space.guess(generator))]
    for side, sign in (('right', 1.0), ('left', -1.0)):
        angles = np.array([pose[side] for pose in poses]).reshape(-1, 2, 2)
        # Folded at 0.5 each, in the stance at 1.57: in the mean of both motors, however turned.
        length = sign * angles.mean(axis=-1)
        assert 0.49 < length.min() < 0.6
        assert 2.5 < length.max() < 0.5 + 2.0 * 1.0708 + 0.02
        turn = (angles[..., 0] - angles[..., 1]) / 2.0
        assert turn.min() < -2.9 and turn.max() > 2.9
        assert np.mean(np.abs(turn) > 2.5) > 0.1
        np.testing.assert_allclose(length[:, 0], length[:, 1], atol=0.011)
        front, hind = turn.T
        alike, against = np.abs(front - hind) < 0.02, np.abs(front + hind) < 0.02
        assert (alike | against).all()
        assert 0.2 < np.mean(alike & ~against) < 0.5 and 0.2 < np.mean(against & ~alike) < 0.5


def test_a_joint_that_stops_short_on_one_side_binds_the_other_too(safety: SafetyConfig) -> None:
    robot = load('a1')  # FR_hip, FR_upper, …: the mirror turns hips about
    most = robot.position_max.copy()
    most[robot.joints.index('FL_upper_joint')] = 2.0
    most[robot.joints.index('FL_hip_joint')] = 0.3
    space = MotionSpace(replace(robot, position_max=most), safety, 2, legs_alike=True)
    up = space.frames(np.full(14, 10.0))[0]
    down = space.frames(np.full(14, -10.0))[0]
    assert up['right'][:2] == [0.78, 1.98]
    assert up['left'][:2] == [0.28, 1.98]
    assert down['right'][0] == -0.28


def test_a_vector_beyond_the_limits_is_told_how_far(safety: SafetyConfig) -> None:
    robot = load('a1')
    space = MotionSpace(robot, safety, 2, legs_alike=True)
    inside = space.vector(robot.sections['reset']['from_back'])
    assert space.outside(inside) == 0.0
    far = inside.copy()
    far[1] += 0.78 + 0.5  # the hip stands at 0 and may go to 0.80 less 0.02
    assert space.outside(far) == pytest.approx(0.25)


@pytest.mark.parametrize('entry', ['fold', 'right_feet'])
def test_what_a_roll_over_needs_is_named_where_it_is_not_there(
    entry: str, safety: SafetyConfig
) -> None:
    robot = load('a1')
    reset = {name: value for name, value in robot.sections['reset'].items() if name != entry}
    with pytest.raises(ConfigurationError, match=entry):
        MotionSpace(
            replace(robot, sections={**robot.sections, 'reset': reset}), safety, 2, legs_alike=True
        )


@pytest.mark.parametrize(
    ('feet', 'words'), [(['tail', 'FR_toe'], "'tail': is not one of"), (['FR_toe'], 'the 2 feet')]
)
def test_feet_that_are_not_those_on_the_right_are_refused_also_without_a_motion(
    feet: list[str], words: str, safety: SafetyConfig
) -> None:
    robot = load('a1')
    reset = {'fold': robot.sections['reset']['fold'], 'right_feet': feet}
    with pytest.raises(ConfigurationError, match=words):
        MotionSpace(
            replace(robot, sections={**robot.sections, 'reset': reset}), safety, 2, legs_alike=True
        )


def test_a_robot_without_a_mirror_is_refused(safety: SafetyConfig) -> None:
    robot = load('a1')
    sections = {name: value for name, value in robot.sections.items() if name != 'mirror'}
    with pytest.raises(ConfigurationError, match='mirror'):
        MotionSpace(replace(robot, sections=sections), safety, 2, legs_alike=True)
