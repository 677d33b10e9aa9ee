"""Names, order, signs and laws between the graph's joints and a forward controller."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError, read
from quad_learner.resources import config_directory
from quad_learner.robot.joint_controller import JointMap, JointReading, PositionLaw, law
from quad_learner.robot.model import RobotModel
from quad_learner.robot.ros2_control_config import Ros2ControlConfig
from quad_learner.robot.signals import JointCommand

# The A1's joints as its maker calls them, and the reverse as a controller might list them.
MAKERS = [
    f'{leg}_{part}_joint' for leg in ('FR', 'FL', 'RR', 'RL') for part in ('hip', 'thigh', 'calf')
]
REVERSED = MAKERS[::-1]
PERIOD_NS = 8_333_333
"""one command period of the A1, 1/120 s"""
SECOND_NS = 1_000_000_000


def config(**changed: Any) -> Ros2ControlConfig:
    """Returns the shipped parameters with some changed."""
    return read(Ros2ControlConfig, config_directory() / 'ros2_control.yaml', changed)


def reading(position: Any, velocity: Any = 0.0) -> JointReading:
    """Returns a reading of twelve joints."""
    return JointReading(np.full(12, position), np.full(12, velocity), np.zeros(12))


def test_joints_bear_the_makers_names(robot: RobotModel) -> None:
    assert list(JointMap(robot, config()).hardware_names) == MAKERS


def test_a_rename_that_changes_nothing_keeps_the_names(robot: RobotModel) -> None:
    joints = JointMap(robot, config(joint_renames=('joint=joint',)))
    assert joints.hardware_names == robot.joints


def test_two_names_are_swapped_by_way_of_a_third(robot: RobotModel) -> None:
    renames = ('FR=side', 'FL=FR', 'side=FL', 'upper=thigh', 'lower=calf')
    swapped = [*MAKERS[3:6], *MAKERS[:3], *MAKERS[6:]]
    assert list(JointMap(robot, config(joint_renames=renames)).hardware_names) == swapped


def test_the_controllers_order_is_kept_on_the_way_out_and_undone_on_the_way_in(
    robot: RobotModel,
) -> None:
    joints = JointMap(robot, config(controller_joints=tuple(REVERSED)))
    numbers = np.arange(12.0)
    np.testing.assert_array_equal(joints.position_out(numbers), numbers[::-1])
    np.testing.assert_array_equal(joints.effort_out(numbers), numbers[::-1])
    np.testing.assert_array_equal(joints.unordered(numbers[::-1]), numbers)


def test_an_order_that_is_not_its_own_inverse_is_undone_too(robot: RobotModel) -> None:
    rolled = tuple(MAKERS[1:] + MAKERS[:1])
    joints = JointMap(robot, config(controller_joints=rolled))
    out = joints.position_out(np.arange(12.0))
    assert out.tolist() == [*range(1, 12), 0]
    np.testing.assert_array_equal(joints.unordered(out), np.arange(12.0))


def test_signs_and_offsets_turn_the_hardwares_angles_into_ours_and_back(robot: RobotModel) -> None:
    joints = JointMap(robot, config(joint_signs=(-1.0,), joint_offsets_rad=(0.5,)))
    ours = joints.reading(np.full(12, 0.2), np.full(12, 3.0), np.full(12, 4.0))
    # q_hw = 0.5 − q, so q = 0.5 − 0.2
    np.testing.assert_allclose(ours.position, 0.3)
    np.testing.assert_allclose(ours.velocity, -3.0)
    np.testing.assert_allclose(ours.effort, -4.0)
    np.testing.assert_allclose(joints.position_out(ours.position), 0.2)
    np.testing.assert_allclose(joints.effort_out(ours.effort), 4.0)


@pytest.mark.parametrize(
    'changed, said',
    [
        ({'controller_joints': tuple(MAKERS[:11])}, 'controller_joints'),
        ({'controller_joints': (*MAKERS[:11], MAKERS[0])}, 'controller_joints'),
        ({'joint_renames': ('upper=knee',), 'controller_joints': tuple(MAKERS)}, 'joint_renames'),
        ({'joint_renames': ('FR=FL',)}, 'FR_hip_joint and FL_hip_joint one name, .FL_hip_joint'),
        ({'joint_renames': ('FR=FL', 'FL=FR')}, 'to swap two names go by a third'),
        ({'joint_signs': (1.0, -1.0)}, 'joint_signs holds 2'),
        ({'joint_offsets_rad': (0.0,) * 13}, 'joint_offsets_rad holds 13'),
    ],
)
def test_lists_that_do_not_fit_the_robot_are_refused(
    robot: RobotModel, changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said):
        JointMap(robot, config(**changed))


@pytest.mark.parametrize(
    'changed, said',
    [
        ({'joint_renames': ('upper',)}, 'ours=theirs'),
        ({'joint_renames': ('=thigh',)}, 'ours=theirs'),
        ({'joint_signs': (0.5,)}, r'1\.0 or -1\.0'),
        ({'imu_topic': ''}, 'imu_topic is empty'),
        ({'command_interface': 'velocity'}, 'position, effort'),
    ],
)
def test_parameters_that_make_no_sense_are_refused(changed: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigurationError, match=said):
        config(**changed)


def effort_law(robot: RobotModel) -> Any:
    """Returns the law of an effort interface in the robot's own order."""
    changed = config(command_interface='effort')
    return law(robot, changed, JointMap(robot, changed))


def test_effort_is_spring_damper_and_feed_forward(
    robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    command = command_of(
        position=np.full(12, 0.1), kp=np.full(12, 50.0), kd=np.full(12, 2.0), effort=np.ones(12)
    )
    # 50 (0.1 − 0.0) − 2 · 3 + 1 = 0
    sent = effort_law(robot).output(command, reading(0.0, 3.0), SECOND_NS)
    np.testing.assert_allclose(sent, 0.0, atol=1e-12)


def test_no_torque_is_above_the_motors_limit(
    robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    command = command_of(position=np.full(12, 1.0), kp=np.full(12, 100.0))
    sent = effort_law(robot).output(command, reading(0.0), SECOND_NS)
    # hip 20, thigh and calf 33.5 N·m, by the maker's data
    np.testing.assert_allclose(sent, [20.0, 33.5, 33.5] * 4)


def test_without_a_command_effort_brakes_each_joint(robot: RobotModel) -> None:
    sent = effort_law(robot).output(None, reading(0.7, -2.0), SECOND_NS)
    # kd_damping of the A1 is 4 N·m·s/rad
    np.testing.assert_allclose(sent, 8.0)


def test_effort_without_a_fresh_reading_is_nothing(
    robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    np.testing.assert_array_equal(
        effort_law(robot).output(command_of(), None, SECOND_NS), np.zeros(12)
    )


def test_effort_says_farewell_with_no_torque(robot: RobotModel) -> None:
    np.testing.assert_array_equal(effort_law(robot).farewell(), np.zeros(12))


@pytest.fixture
def position_law(robot: RobotModel) -> PositionLaw:
    """Returns the law of a position interface that gives way with 1 rad/s."""
    made = law(robot, config(yield_speed_rad_s=1.0), JointMap(robot, config()))
    assert isinstance(made, PositionLaw)
    return made


def test_a_position_at_full_stiffness_is_sent_as_it_is(
    position_law: PositionLaw, robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    near = JointReading(robot.stance + 0.05, np.zeros(12), np.zeros(12))
    sent = position_law.output(command_of(), near, SECOND_NS)
    np.testing.assert_allclose(sent, robot.stance)


def test_the_first_position_starts_from_where_the_joint_is(
    position_law: PositionLaw, robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    far = JointReading(robot.stance - 0.5, np.zeros(12), np.zeros(12))
    sent = position_law.output(command_of(), far, SECOND_NS)
    # the A1's joints make 21 rad/s: 0.175 rad in 1/120 s
    np.testing.assert_allclose(sent, robot.stance - 0.5 + 0.175, atol=1e-6)


def test_a_softer_joint_is_asked_for_less(
    position_law: PositionLaw, robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    near = JointReading(robot.stance + 0.04, np.zeros(12), np.zeros(12))
    sent = position_law.output(command_of(kp=robot.kp / 4.0), near, SECOND_NS)
    np.testing.assert_allclose(sent, robot.stance + 0.03)


def test_a_joint_that_is_let_go_gives_way_at_the_yield_speed(
    position_law: PositionLaw, robot: RobotModel
) -> None:
    held = JointReading(robot.stance, np.zeros(12), np.zeros(12))
    pushed = JointReading(robot.stance + 0.2, np.zeros(12), np.zeros(12))
    now = SECOND_NS
    np.testing.assert_allclose(position_law.output(None, held, now), robot.stance)
    for step in range(1, 4):
        sent = position_law.output(None, pushed, now + step * PERIOD_NS)
        # 1 rad/s for step/120 s
        np.testing.assert_allclose(sent, robot.stance + step / 120.0, atol=1e-6)


def test_a_joint_that_is_let_go_follows_no_command(
    position_law: PositionLaw, robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    limp = command_of(position=robot.stance, kp=np.zeros(12))
    at_rest = JointReading(robot.stance + 0.3, np.zeros(12), np.zeros(12))
    np.testing.assert_allclose(position_law.output(limp, at_rest, SECOND_NS), robot.stance + 0.3)


def test_a_pause_gives_no_leap(
    position_law: PositionLaw, robot: RobotModel, command_of: Callable[..., JointCommand]
) -> None:
    start = JointReading(robot.stance - 0.5, np.zeros(12), np.zeros(12))
    position_law.output(None, start, SECOND_NS)
    sent = position_law.output(command_of(), start, 9 * SECOND_NS)
    np.testing.assert_allclose(sent, robot.stance - 0.5 + 0.175, atol=1e-6)


def test_no_position_is_beyond_a_joints_limit(
    position_law: PositionLaw, robot: RobotModel
) -> None:
    beyond = JointReading(robot.position_max + 0.3, np.zeros(12), np.zeros(12))
    np.testing.assert_allclose(position_law.output(None, beyond, SECOND_NS), robot.position_max)


def test_position_without_a_fresh_reading_is_left_to_the_drives(
    position_law: PositionLaw, command_of: Callable[..., JointCommand]
) -> None:
    assert position_law.output(command_of(), None, SECOND_NS) is None
    assert position_law.farewell() is None
