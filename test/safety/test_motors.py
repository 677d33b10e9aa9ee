"""A motor that makes none of the torque it is told is found; one that rests, or is fast, is not.
So is one that pushes for long and does not turn.

The small robot: kp 10, torque limits 10 and 20 N·m, so that with a load of 0.2 of the limit the
first motor is judged from 0.2 rad of error on, the second from 0.4 rad.
"""

from __future__ import annotations

import dataclasses
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.motors import Motors
from quad_learner.safety.state import Watch

PERIOD_S = 0.01


def sensed(number: int, effort: Any, speed: Any = (0.0, 0.0)) -> SensorSample:
    """The sample of that number, joints at zero."""
    return SensorSample(
        time_ns=number * 10_000_000,
        joint_position=np.zeros(2),
        joint_velocity=np.array(speed) + 1e-9 * number,
        joint_effort=np.array(effort),
        orientation=np.array((0.0, 0.0, 0.0, 1.0)),
        angular_velocity=np.zeros(3),
        specific_force=np.array((0.0, 0.0, 9.81)),
        foot_force=np.zeros(1),
    )


def told(position: Any, kd: float = 1.0, mode: Mode = Mode.ACTIVE) -> JointCommand:
    """A command to the small robot."""
    return JointCommand(
        time_ns=0,
        epoch=1,
        sequence=1,
        lifetime_ns=100_000_000,
        joints_hash=0,
        mode=mode,
        authority=Authority.POLICY,
        request=1,
        reasons=Reason.NONE,
        position=np.array(position),
        kp=np.full(2, 10.0),
        kd=np.full(2, kd),
        effort=np.zeros(2),
    )


@pytest.fixture
def motors(small: SimpleNamespace, robot_with_torque: Any) -> Motors:
    return Motors(robot_with_torque, small.settings())


@pytest.fixture
def robot_with_torque(bench_on: Any, small: SimpleNamespace) -> Any:
    return bench_on(small.robot, has_joint_torque=True).robot


def slack(motors: Motors, command: JointCommand, *, effort: Any, speed: Any = (0.0, 0.0)) -> Any:
    """What one sample adds to nothing: seconds for which each motor was lost, or None."""
    first, second = sensed(0, effort, speed), sensed(1, effort, speed)
    found = motors.slack(Watch(first), Watch(second), command)
    return None if found is None else found[0]


def strain(motors: Motors, command: JointCommand, speed: Any = (0.0, 0.0)) -> Any:
    """The same of seconds for which each has pushed in vain, with all the torque it is told."""
    effort = command.kp * command.position
    first, second = sensed(0, effort, speed), sensed(1, effort, speed)
    found = motors.slack(Watch(first), Watch(second), command)
    return None if found is None else found[1]


@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(
    ('error', 'effort', 'found'),
    [
        (0.201, 0.0, True),
        (0.199, 0.0, False),  # 1.99 N·m are less than 0.2 of 10
        (0.4, 0.99, True),
        (0.4, 1.01, False),  # a quarter of 4 N·m is 1
        (0.4, -3.0, True),
        (0.4, 4.0, False),
    ],
)
def test_a_motor_under_load_must_make_its_share_of_it(
    motors: Motors, error: float, effort: float, found: bool, side: float
) -> None:
    seconds = slack(motors, told((side * error, 0.0)), effort=(side * effort, 0.0))
    if found:
        np.testing.assert_allclose(seconds, (PERIOD_S, 0.0))
    else:
        assert seconds is None


def test_each_motor_is_judged_by_its_own_limit(motors: Motors) -> None:
    assert slack(motors, told((0.0, 0.39)), effort=(0.0, 0.0)) is None
    found = slack(motors, told((0.0, 0.41)), effort=(0.0, 0.0))
    np.testing.assert_allclose(found, (0.0, PERIOD_S))


@pytest.mark.parametrize(
    ('speed', 'found'),
    [
        (0.9, True),  # 3 N·m of the spring, 0.9 taken by damping: 2.1
        (1.1, False),  # 1.9 left
        (-3.0, True),  # damping asks for more, the spring alone counts
        (-10.1, False),  # beyond half of the top speed of 20
    ],
)
def test_damping_takes_from_the_load_and_speed_from_the_motor(
    motors: Motors, speed: float, found: bool
) -> None:
    seconds = slack(motors, told((0.3, 0.0)), effort=(0.0, 0.0), speed=(speed, 0.0))
    assert (seconds is not None) is found


@pytest.mark.parametrize(
    ('error', 'effort', 'speed', 'kd', 'found'),
    [
        (0.2, 0.0, 0.0, 0.0, (True, False)),  # 2 N·m: 0.2 of 10
        (0.4, 1.0, 0.0, 0.0, (False, False)),  # a quarter of 4 N·m
        (0.4, 0.0, 10.0, 0.0, (True, False)),  # half of the top speed of 20
        (0.6, 6.0, 0.0, 0.0, (False, True)),  # 6 N·m: 0.6 of 10
        (0.8, 8.0, 0.1, 0.0, (False, True)),
    ],
)
def test_at_each_bound_itself(
    motors: Motors, error: float, effort: float, speed: float, kd: float, found: Any
) -> None:
    first = sensed(0, (effort, 0.0))
    second = dataclasses.replace(sensed(1, (effort, 0.0)), joint_velocity=np.array((speed, 1e-9)))
    seconds = motors.slack(Watch(first), Watch(second), told((error, 0.0), kd=kd))
    counted = (False, False) if seconds is None else tuple((seconds > 0.0).any(axis=1))
    assert counted == found


def test_damping_on_top_of_the_spring_makes_no_load_of_it(motors: Motors) -> None:
    """1.9 N·m of the spring are none; moving away, 3 more of damping do not make it 2."""
    assert slack(motors, told((0.19, 0.0)), effort=(0.0, 0.0), speed=(-3.0, 0.0)) is None


def test_damping_alone_is_no_load(motors: Motors) -> None:
    assert slack(motors, told((0.0, 0.0)), effort=(0.0, 0.0), speed=(-9.0, 9.0)) is None


@pytest.mark.parametrize(
    ('samples', 'effort', 'seconds'),
    [
        (1, (0.0, 0.0), (0.04, 0.03)),
        (2, (0.0, 0.0), (0.05, 0.04)),
        (9, (0.0, 0.0), (0.05, 0.04)),  # a gap counts as two periods of 0.01 s
        (100, (0.0, 0.0), (0.05, 0.04)),
        (2, (4.0, 0.0), (0.0, 0.04)),
        (0, (4.0, 0.0), (0.03, 0.02)),  # no newer sample tells nothing new
    ],
)
def test_seconds_add_up_and_one_sample_with_torque_ends_them(
    motors: Motors, samples: int, effort: Any, seconds: Any
) -> None:
    before = Watch(sensed(1, (0.0, 0.0)), slack=np.array(((0.03, 0.02), (0.0, 0.0))))
    after = Watch(sensed(1 + samples, effort))
    found = motors.slack(before, after, told((0.5, 1.0)))
    assert found is not None
    np.testing.assert_allclose(found[0], seconds)


def test_sensors_that_repeat_themselves_tell_nothing_of_motors(motors: Motors) -> None:
    first, command = sensed(1, (0.0, 0.0)), told((0.5, 1.0))
    again = dataclasses.replace(first, time_ns=first.time_ns + 10_000_000)
    assert motors.slack(Watch(first), Watch(again), command) is None


def test_samples_that_begin_anew_forget_what_was(motors: Motors) -> None:
    before = Watch(sensed(5, (0.0, 0.0)), slack=np.full((2, 2), 0.03))
    assert motors.slack(before, Watch(sensed(1, (0.0, 0.0))), told((0.5, 1.0))) is None


@pytest.mark.parametrize(('longest', 'lost'), [(0.049, False), (0.05, True), (0.2, True)])
def test_a_motor_is_lost_after_its_time(motors: Motors, longest: float, lost: bool) -> None:
    found = motors.found(np.array(((0.0, longest), (0.0, 0.0))))
    assert found == (Reason.MOTOR_LOST if lost else Reason.NONE)
    assert motors.found(None) == Reason.NONE


@pytest.mark.parametrize('mode', [mode for mode in Mode if mode is not Mode.ACTIVE])
def test_only_a_driven_robot_is_judged(motors: Motors, mode: Mode) -> None:
    assert slack(motors, told((1.0, 1.0), mode=mode), effort=(0.0, 0.0)) is None


def test_the_first_sample_tells_no_duration(motors: Motors) -> None:
    assert motors.slack(Watch(), Watch(sensed(0, (0.0, 0.0))), told((1.0, 1.0))) is None


def test_a_robot_that_does_not_measure_torque_is_not_judged(small: SimpleNamespace) -> None:
    blind = Motors(small.robot, small.settings())
    assert slack(blind, told((0.5, 1.0)), effort=(0.0, 0.0)) is None


def driven(bench: Any, error: float) -> Any:
    """The bench under policy, whose first joint is told to go `error` rad further."""
    bench.tick(60)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'
    bench.wish['policy']['position'] = bench.robot.stance + np.array((error, 0.0))
    return bench


def test_policy_is_stopped_when_a_motor_is_lost(bench_on: Any, robot_with_torque: Any) -> None:
    bench = driven(bench_on(robot_with_torque), error=0.3)
    for _ in range(40):
        bench.tick()
        if bench.code != 'P':
            break
    assert bench.command.mode is Mode.SOFT_STOP
    assert bench.command.reasons == Reason.MOTOR_LOST


def test_a_motor_that_pulls_may_go_on_for_ever(bench_on: Any, robot_with_torque: Any) -> None:
    bench = driven(bench_on(robot_with_torque), error=0.3)
    bench.sample['joint_effort'] = np.array((3.0, 0.0))
    bench.tick(100)
    assert bench.code == 'P'


def test_a_motor_that_is_lost_again_and_again_latches(
    bench_on: Any, robot_with_torque: Any
) -> None:
    bench = driven(bench_on(robot_with_torque), error=0.3)
    for _ in range(2000):
        if bench.code == 'L':
            break
        if bench.code in 'ST':
            bench.ask('policy')
        bench.tick()
    assert bench.code == 'L'
    assert Reason.MOTOR_LOST in bench.command.reasons


@pytest.mark.parametrize('side', [1.0, -1.0])
@pytest.mark.parametrize(
    ('error', 'speed', 'found'),
    [
        (0.61, 0.0, True),
        (0.59, 0.0, False),  # 5.9 N·m are less than 0.6 of 10
        (0.8, 0.09, True),
        (0.8, -0.09, True),
        (0.8, 0.11, False),
        (0.61, 0.09, False),  # 6.1 of the spring, of which damping takes 0.09 and more
    ],
)
def test_a_motor_that_pushes_and_does_not_turn_is_counted(
    motors: Motors, error: float, speed: float, found: bool, side: float
) -> None:
    kd = 2.0 if error < 0.7 else 0.1
    seconds = strain(motors, told((side * error, 0.0), kd=kd), speed=(side * speed, 0.0))
    if found:
        np.testing.assert_allclose(seconds, (PERIOD_S, 0.0))
    else:
        assert seconds is None


def test_a_stall_is_told_by_what_is_asked_where_torque_is_not_measured(
    small: SimpleNamespace,
) -> None:
    blind = Motors(small.robot, small.settings())
    np.testing.assert_allclose(strain(blind, told((0.7, 1.3))), (PERIOD_S, PERIOD_S))


@pytest.mark.parametrize(('error', 'seconds'), [(0.7, 0.21), (0.0, 0.19)])
def test_the_time_without_a_stall_is_taken_off(
    motors: Motors, error: float, seconds: float
) -> None:
    before = Watch(sensed(1, (0.0, 0.0)), slack=np.array(((0.0, 0.0), (0.2, 0.0))))
    after = Watch(sensed(2, (10.0 * error, 0.0)))
    found = motors.slack(before, after, told((error, 0.0)))
    np.testing.assert_allclose(found, ((0.0, 0.0), (seconds, 0.0)))


@pytest.mark.parametrize(('longest', 'stalled'), [(1.99, False), (2.0, True)])
def test_a_motor_is_stalled_after_its_time(motors: Motors, longest: float, stalled: bool) -> None:
    found = motors.found(np.array(((0.0, 0.0), (longest, 0.0))))
    assert found == (Reason.MOTOR_STALLED if stalled else Reason.NONE)


@pytest.mark.parametrize('name, code', [('policy', 'P'), ('reset', 'R')])
def test_whoever_drives_a_limb_that_is_trapped_is_stopped_and_may_try_again(
    make_bench: Any, name: str, code: str
) -> None:
    """Again and again: it is no defect that needs a person to look."""
    bench = make_bench(code, policy_torque_share=1.0)
    bench.wish[name]['position'] = bench.robot.stance + np.array((0.8, 0.0))
    stops = 0
    for _ in range(3000):
        bench.tick()
        if bench.code in 'RP':
            continue
        assert bench.code == 'T'
        assert bench.command.reasons & ~Reason.NOT_ARMED == Reason.MOTOR_STALLED
        assert not bench.command.kp.any()
        stops += bench.state.course.since_ns == bench.now_ns
        bench.wish[name]['request'] = bench.state.watch.judged_ns
    assert stops > 5
