from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.reset.motion import motion
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.names import robots

FRAME = {'seconds': 0.5, 'right': [0.1, 1.0, -1.0], 'left': [0.2, 2.0, -2.0]}
SECTION: dict[str, Any] = {
    'fold': [0.0, 1.5, -2.5],
    'fold_first': ['FL_hip_joint', 'RR_lower_joint'],
    'right_feet': ['FR_toe', 'RR_toe'],
    'from_side': [FRAME],
    'from_back': [FRAME, {**FRAME, 'seconds': 0.25}],
}


MIRROR = {'leg_swap': [1, 0, 3, 2], 'joint_swap': [0, 1, 2], 'joint_sign': [-1, 1, 1]}


def with_section(robot: RobotModel, section: object, mirror: object = MIRROR) -> RobotModel:
    return replace(robot, sections={'reset': section, 'mirror': mirror})


def test_a_pose_puts_each_sides_angles_on_that_sides_legs(robot: RobotModel) -> None:
    frame = motion(with_section(robot, SECTION)).from_side[0]
    # the A1's legs are FR, FL, RR, RL
    expected = [0.1, 1.0, -1.0, 0.2, 2.0, -2.0, 0.1, 1.0, -1.0, 0.2, 2.0, -2.0]
    np.testing.assert_array_equal(frame.position, expected)
    assert frame.seconds == 0.5


def test_a_pose_may_be_given_leg_by_leg(robot: RobotModel) -> None:
    each = {'seconds': 0.5, 'right': [0.1, 1.0, -1.0, 0.3, 1.1, -1.1], 'left': [0.2, 2.0, -2.0]}
    found = motion(with_section(robot, {**SECTION, 'from_side': [each]}))
    # the A1's legs are FR, FL, RR, RL
    expected = [0.1, 1.0, -1.0, 0.2, 2.0, -2.0, 0.3, 1.1, -1.1, 0.2, 2.0, -2.0]
    np.testing.assert_array_equal(found.from_side[0].position, expected)
    mirrored = [-0.2, 2.0, -2.0, -0.1, 1.0, -1.0, -0.2, 2.0, -2.0, -0.3, 1.1, -1.1]
    np.testing.assert_array_equal(found.from_left_side[0].position, mirrored)


def test_the_joints_that_fold_first_are_found_by_name(robot: RobotModel) -> None:
    found = motion(with_section(robot, SECTION))
    # the A1's joints are hip, upper, lower of FR, FL, RR, RL
    np.testing.assert_array_equal(np.flatnonzero(found.fold_first), [3, 8])


def test_a_joint_may_be_called_by_a_number(robot: RobotModel) -> None:
    numbered = replace(robot, joints=tuple(str(number) for number in range(12)))
    found = motion(with_section(numbered, {**SECTION, 'fold_first': [10, '4']}))
    np.testing.assert_array_equal(np.flatnonzero(found.fold_first), [4, 10])


def test_the_other_side_is_the_mirror_image(robot: RobotModel) -> None:
    frame = motion(with_section(robot, SECTION)).from_left_side[0]
    expected = [-0.2, 2.0, -2.0, -0.1, 1.0, -1.0, -0.2, 2.0, -2.0, -0.1, 1.0, -1.0]
    np.testing.assert_array_equal(frame.position, expected)


def test_the_signs_of_the_mirror_image_may_be_given_joint_by_joint(robot: RobotModel) -> None:
    signs = [-1, 1, 1, -1, 1, 1, 1, 1, -1, 1, 1, -1]  # hips in front, lower legs behind
    found = motion(with_section(robot, SECTION, {**MIRROR, 'joint_sign': signs}))
    expected = [-0.2, 2.0, -2.0, -0.1, 1.0, -1.0, 0.2, 2.0, -0.92, 0.1, 1.0, -0.92]
    # 2.0 and 1.0 of the lower legs behind are cut to the A1's limit of -0.92
    np.testing.assert_array_equal(found.from_left_side[0].position, expected)


def test_frames_keep_their_order_and_times(robot: RobotModel) -> None:
    found = motion(with_section(robot, SECTION))
    assert [frame.seconds for frame in found.from_back] == [0.5, 0.25]
    assert [frame.seconds for frame in found.from_left_back] == [0.5, 0.25]


def test_a_robot_without_a_section_folds_into_its_stance_and_cannot_roll(
    robot: RobotModel,
) -> None:
    found = motion(replace(robot, sections={}))
    np.testing.assert_array_equal(found.fold, robot.stance)
    assert found.from_side == found.from_back == found.from_left_side == found.from_left_back == ()


def test_angles_beyond_the_robots_limits_are_cut(robot: RobotModel) -> None:
    found = motion(with_section(robot, {'fold': [-3.0, 9.0, -9.0]}))
    np.testing.assert_array_equal(found.fold, [-0.8, 4.18, -2.69] * 4)  # the A1's limits


@pytest.mark.parametrize('name', robots())
def test_every_robot_of_the_package_has_a_motion_within_its_limits(name: str) -> None:
    robot = model.load(name)
    found = motion(robot)
    frames = found.from_side + found.from_back + found.from_left_side + found.from_left_back
    for position in (found.fold, *(frame.position for frame in frames)):
        assert position.shape == (len(robot.joints),)
        assert np.all(position >= robot.position_min)
        assert np.all(position <= robot.position_max)


@pytest.mark.parametrize(
    'changes, message',
    [
        ({'stiffness': 0.0}, "stiffness = 0.0: must be a number above 0, times the robot's kp"),
        ({'stiffness': True}, 'stiffness = True: must be a number above 0'),
        ({'flod': [0.0, 1.5, -2.5]}, 'flod.*not one of stiffness, fold'),
        ({'fold': [0.0, 1.5]}, 'fold = .* 3 finite numbers'),
        ({'fold': [0.0, 1.5, float('nan')]}, 'fold = .* 3 finite numbers'),
        ({'fold': 'flat'}, 'fold = .* list of numbers'),
        ({'fold_first': ['hip']}, "fold_first = 'hip': is not one of FR_hip_joint"),
        ({'fold_first': 'FR_hip_joint'}, 'fold_first = .* must be a list of joints'),
        ({'right_feet': ['FR_toe']}, 'right_feet = .* must name the 2 feet on the right'),
        ({'right_feet': ['FR_toe', 'FR_toe']}, 'right_feet = .* must name the 2 feet'),
        ({'from_side': FRAME}, 'from_side = .* must be a list of poses'),
        ({'right_feet': None}, 'right_feet = None: must name the feet'),
        ({'right_feet': ['FR_toe', 'tail']}, "right_feet = 'tail': is not one of FR_toe"),
        ({'from_side': [{'seconds': 0.5}]}, 'from_side = .* seconds, right and left'),
        ({'from_side': ['frame']}, 'from_side = .* seconds, right and left'),
        ({'from_side': [{**FRAME, 'seconds': 0.0}]}, 'from_side.seconds = 0.0: .* above 0'),
        ({'from_side': [{**FRAME, 'seconds': True}]}, 'from_side.seconds = True'),
        ({'from_side': [{**FRAME, 'left': [1.0]}]}, 'from_side.left = .* 3 finite numbers'),
    ],
)
def test_a_wrong_entry_is_refused_by_name(
    changes: dict[str, Any], message: str, robot: RobotModel
) -> None:
    with pytest.raises(ConfigurationError, match=f"robot 'a1', section reset: {message}"):
        motion(with_section(robot, {**SECTION, **changes}))


@pytest.mark.parametrize(
    'mirror, message',
    [
        (None, 'mirror = None: .* needs this section'),
        ({**MIRROR, 'leg_swap': [1, 0, 3]}, 'mirror.leg_swap = .* 0 to 3 in some order'),
        ({**MIRROR, 'joint_swap': [0, 1, 1]}, 'mirror.joint_swap = .* 0 to 2 in some order'),
        ({**MIRROR, 'joint_sign': [-1, 1]}, 'mirror.joint_sign = .* 3 finite numbers'),
    ],
)
def test_a_robot_that_rolls_over_must_say_what_its_mirror_image_is(
    mirror: object, message: str, robot: RobotModel
) -> None:
    with pytest.raises(ConfigurationError, match=message):
        motion(with_section(robot, SECTION, mirror))


def test_a_robot_that_never_rolls_needs_no_mirror_image(robot: RobotModel) -> None:
    found = motion(with_section(robot, {'fold': [0.0, 1.5, -2.5]}, None))
    np.testing.assert_array_equal(found.fold, [0.0, 1.5, -2.5] * 4)


def test_a_fold_may_be_given_joint_by_joint(robot: RobotModel) -> None:
    angles = [0.1, 1.0, -1.0, 0.2, 1.1, -1.1, 0.3, 1.2, -1.2, 0.4, 1.3, -1.3]
    found = motion(with_section(robot, {'fold': angles}))
    np.testing.assert_array_equal(found.fold, angles)


def test_a_section_that_is_a_list_is_refused(robot: RobotModel) -> None:
    with pytest.raises(ConfigurationError, match='must be a mapping'):
        motion(with_section(robot, [1.0]))
