"""Claims about the motors."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.actuators import Actuators
from quad_learner.simulation.config import SimulationConfig

Motors = Callable[..., Actuators]
Order = Callable[..., JointCommand]

STILL = [0.0] * 12


@pytest.fixture
def motors(configure: Callable[..., SimulationConfig]) -> Callable[..., Actuators]:
    """Gives `motors(robot, seed, **overrides)`: without latency, jitter and drag unless asked."""

    def make(robot: RobotModel, seed: int = 0, **overrides: object) -> Actuators:
        none = {'command_latency_s': 0.0, 'command_jitter_s': 0.0, 'joint_damping_nms_rad': 0.0}
        return Actuators(robot, configure(**(none | overrides)), np.random.default_rng(seed))

    return make


def test_without_a_command_every_joint_is_damped(a1: RobotModel, motors: Motors) -> None:
    torque = motors(a1).torque([0.3] * 12, [0.5] * 12)
    # The A1 is damped with 4 N·m·s/rad: 4 · 0.5.
    np.testing.assert_allclose(torque, [-2.0] * 12)


def test_torque_is_the_law_of_the_command(a1: RobotModel, motors: Motors, order: Order) -> None:
    actuators = motors(a1)
    position = np.full(12, 0.2)
    given = {'kp': np.full(12, 50.0), 'kd': np.full(12, 3.0), 'effort': np.full(12, 1.5)}
    actuators.accept(order(a1, position=position, **given))
    # 50 · (0.2 − 0.1) − 3 · 0.4 + 1.5, by hand.
    np.testing.assert_allclose(actuators.torque([0.1] * 12, [0.4] * 12), [5.3] * 12)


@pytest.mark.parametrize('wish, sent', [(1e6, 1.0), (-1e6, -1.0)])
def test_no_torque_is_beyond_the_motor(
    a1: RobotModel, motors: Motors, order: Order, wish: float, sent: float
) -> None:
    actuators = motors(a1)
    actuators.accept(order(a1, effort=np.full(12, wish)))
    limits = np.array([20.0, 33.5, 33.5] * 4)  # A1: hip, thigh, knee
    np.testing.assert_allclose(actuators.torque(STILL, STILL), sent * limits)


@pytest.mark.parametrize(
    'speed, share',
    # Full up to half of 21 rad/s, none at 21, in a straight line between, full when braking.
    [(0.0, 1.0), (10.5, 1.0), (15.75, 0.5), (21.0, 0.0), (30.0, 0.0), (-15.0, 1.0), (-40.0, 1.0)],
)
def test_a_fast_motor_drives_weakly_and_brakes_fully(
    a1: RobotModel, motors: Motors, order: Order, speed: float, share: float
) -> None:
    actuators = motors(a1, speed_knee=0.5)
    actuators.accept(order(a1, effort=np.full(12, 1e4)))
    torque = actuators.torque(STILL, [speed] * 12)
    np.testing.assert_allclose(torque[1], share * 33.5, atol=1e-9)


@pytest.mark.parametrize('latency, steps', [(0.0, 0), (0.010, 6), (0.020, 12)])
def test_a_command_acts_one_latency_later(
    a1: RobotModel, motors: Motors, order: Order, latency: float, steps: int
) -> None:
    actuators = motors(a1, command_latency_s=latency)
    actuators.accept(order(a1, kp=np.zeros(12), kd=np.zeros(12), effort=np.full(12, 2.0)))
    firsts = [actuators.torque(STILL, STILL)[0] for _ in range(steps + 3)]
    assert firsts == [0.0] * steps + [2.0] * 3  # steps of 1/600 s


def test_commands_do_not_overtake_each_other(a1: RobotModel, motors: Motors, order: Order) -> None:
    actuators = motors(a1, command_latency_s=0.005, command_jitter_s=0.05)
    seen = []
    for number in range(1, 200):
        effort = np.full(12, 0.01 * number)
        actuators.accept(order(a1, kp=np.zeros(12), kd=np.zeros(12), effort=effort))
        seen += [actuators.torque(STILL, STILL)[0] for _ in range(5)]
    assert seen == sorted(seen)
    assert len(set(seen)) > 10


def test_jitter_stays_within_its_bound(a1: RobotModel, motors: Motors, order: Order) -> None:
    delays = set()
    for seed in range(40):
        actuators = motors(a1, seed, command_latency_s=0.010, command_jitter_s=0.010)
        actuators.accept(order(a1, effort=np.full(12, 2.0), kp=np.zeros(12), kd=np.zeros(12)))
        torques = [actuators.torque(STILL, STILL)[0] for _ in range(20)]
        delays.add(torques.index(2.0))
    # 10 ms and 20 ms are 6 and 12 steps of 1/600 s.
    assert min(delays) >= 6
    assert max(delays) <= 12
    assert len(delays) > 3


@pytest.mark.parametrize('part', ['position', 'kp', 'kd', 'effort'])
@pytest.mark.parametrize('bad', [np.full(12, np.nan), np.full(12, np.inf), np.zeros(11)])
def test_a_command_that_cannot_be_used_damps(
    a1: RobotModel, motors: Motors, order: Order, part: str, bad: np.ndarray
) -> None:
    actuators = motors(a1)
    actuators.accept(order(a1))
    actuators.accept(dataclasses.replace(order(a1), **{part: bad}))
    np.testing.assert_allclose(actuators.torque([9.0] * 12, [0.25] * 12), [-1.0] * 12)


def test_drag_opposes_motion(a1: RobotModel, motors: Motors) -> None:
    free, dragging = motors(a1), motors(a1, joint_damping_nms_rad=0.1)
    difference = np.subtract(dragging.torque(STILL, [2.0] * 12), free.torque(STILL, [2.0] * 12))
    np.testing.assert_allclose(difference, [-0.2] * 12)
