"""What the hardware door hears and passes on, and when it does not start."""

from __future__ import annotations

import gc
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Float64MultiArray
from std_srvs.srv import Trigger

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel

if TYPE_CHECKING:
    from test.nodes.robot_ros2_control.conftest import Bench

COMMANDS = '/hardware/forward_controller/commands'


def test_it_names_the_sensors_that_it_waits_for(bench: Bench) -> None:
    assert bench.says('waits for /hardware/joint_states, /hardware/imu, /hardware/foot_contacts')


@pytest.mark.parametrize(
    'silent, named',
    [
        ('joints', '/hardware/joint_states'),
        ('imu', '/hardware/imu'),
        ('feet', '/hardware/foot_contacts'),
    ],
)
def test_without_one_sensor_it_says_so_and_nothing_else(
    bench: Bench, silent: str, named: str
) -> None:
    samples = bench.hear('joint_states', JointState)
    part = lambda: bench.sense(without=silent)  # noqa: E731
    assert bench.spin(lambda: bench.node.report()[1] == f'waits for {named}', part)
    bench.turns(20, part)
    assert samples == []


def test_it_waits_for_a_controller(bench: Bench) -> None:
    assert bench.says(f'waits for a controller that listens to {COMMANDS}', bench.sense)


def test_a_sample_has_one_stamp_on_the_grid_of_ticks_and_our_names(
    bench: Bench, robot: RobotModel
) -> None:
    bench.position = np.linspace(-1.0, 1.0, 12)
    bench.effort = np.linspace(-5.0, 5.0, 12)
    names = ('joint_states', 'imu/data', 'foot_contacts')
    heard = [
        bench.hear(name, kind)
        for name, kind in zip(names, (JointState, Imu, JointState), strict=True)
    ]
    assert bench.spin(lambda: all(len(messages) >= 5 for messages in heard), bench.sense)
    stamps = [
        [m.header.stamp.sec * 10**9 + m.header.stamp.nanosec for m in messages[:5]]
        for messages in heard
    ]
    assert stamps[0] == stamps[1] == stamps[2]
    ticks = [stamp * 80 / 1e9 for stamp in stamps[0]]  # the A1 is commanded at 80 Hz
    np.testing.assert_allclose(ticks, np.round(ticks), atol=1e-6)
    assert (np.diff(np.round(ticks)) >= 1).all()
    joints = heard[0][0]
    assert tuple(joints.name) == robot.joints
    np.testing.assert_allclose(joints.position, np.linspace(-1.0, 1.0, 12))
    np.testing.assert_allclose(joints.effort, np.linspace(-5.0, 5.0, 12))


def test_joints_that_tell_no_torque_are_not_taken_for_motors_that_make_none(
    bench: Bench,
) -> None:
    bench.effort = None
    unreadable = bench.node.diagnostics.values
    assert bench.spin(
        lambda: 'sensors.joint_torque: false' in unreadable.get('unreadable', ''), bench.sense
    )


def test_an_imu_without_orientation_is_no_imu(bench: Bench) -> None:
    unreadable = bench.node.diagnostics.values
    assert bench.spin(
        lambda: 'orientation' in unreadable.get('unreadable', ''),
        lambda: bench.sense(known_orientation=False),
    )
    assert '/hardware/imu' in bench.node.report()[1]


@pytest.mark.parametrize(
    'changed, said',
    [
        ({'use_sim_time': True}, 'use_sim_time: false'),
        ({'gear': 'lockstep'}, 'gear: real_time'),
        ({'foot_contacts_topic': ''}, 'sensors.foot_force: false'),
        ({'motor_temperature_topic': ''}, 'sensors.motor_temperature: false'),
    ],
)
@pytest.mark.filterwarnings('ignore:unclosed file:ResourceWarning')
@pytest.mark.filterwarnings('ignore::pytest.PytestUnraisableExceptionWarning')
def test_it_does_not_start_with(
    bench_with: Callable[..., Bench], changed: dict[str, Any], said: str
) -> None:
    with pytest.raises(ConfigurationError, match=said) as caught:
        bench_with(**changed)
    del caught
    gc.collect()  # the half-built node holds its name until then


def test_battery_and_heat_pass_with_our_stamp_and_order(
    bench_with: Callable[..., Bench], makers: list[str]
) -> None:
    bench = bench_with(controller_joints=makers[::-1])
    batteries = bench.hear('battery_state', BatteryState)
    heats = bench.hear('motor_temperature', Float64MultiArray)

    def speak() -> None:
        message = BatteryState(voltage=24.0, percentage=0.5)
        message.header.stamp.sec = 1_700_000_000
        bench.battery.publish(message)
        bench.heat.publish(Float64MultiArray(data=np.arange(40.0, 52.0).tolist()))

    assert bench.spin(lambda: batteries and heats, speak)
    assert batteries[-1].header.stamp.sec < 100
    assert batteries[-1].percentage == 0.5
    np.testing.assert_array_equal(
        bench.records.temperature_from(heats[-1]).motor_temperature, np.arange(40.0, 52.0)[::-1]
    )


def test_set_upright_counts_the_person(bench: Bench) -> None:
    client = bench.peer.create_client(Trigger, 'robot/set_upright')
    assert bench.spin(client.service_is_ready)
    answer = client.call_async(Trigger.Request())
    assert bench.spin(answer.done)
    assert answer.result().success
    bench.node.report()
    assert bench.node.diagnostics.values['human_resets'] == 1
