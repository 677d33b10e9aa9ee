"""Battery and warmth come on two topics, and either may fall silent."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health
from quad_learner.ros import health as module
from quad_learner.ros.health import HealthListener, Told
from quad_learner.ros.messages import battery_to
from quad_learner.ros.packed import Records

SECOND = 1_000_000_000
NEVER_NS = -1000 * SECOND


class Ear:
    """A listener, and what speaks to it by a clock of ours."""

    def __init__(self, robot: RobotModel, monkeypatch: pytest.MonkeyPatch) -> None:
        self.now_ns = 100 * SECOND
        monkeypatch.setattr(module, 'steady_ns', lambda: self.now_ns)
        self._records = Records(robot)
        self._heard: dict[str, Any] = {}
        node: Any = SimpleNamespace(create_subscription=self._subscribe)
        self.listener = HealthListener(node, robot, self._records)

    def _subscribe(self, kind: type, name: str, callback: Any, qos: Any, raw: bool) -> None:
        self._heard[name] = callback

    def battery(self, stamp_ns: int, charge: float) -> None:
        """Says how full the battery is."""
        self._heard['battery_state'](battery_to(Health(stamp_ns, 24.0, charge, np.zeros(12))))

    def warmth(self, stamp_ns: int, celsius: float) -> None:
        """Says how warm the motors are."""
        health = Health(stamp_ns, 24.0, 0.5, np.full(12, celsius))
        self._heard['motor_temperature'](self._records.temperature_to(health))


@pytest.fixture
def ear(robot: RobotModel, monkeypatch: pytest.MonkeyPatch) -> Ear:
    return Ear(robot, monkeypatch)


def known(told: Told) -> tuple[float, float]:
    """Returns charge and warmth."""
    assert told.health is not None
    warmth = told.health.motor_temperature
    assert len(set(warmth[np.isfinite(warmth)])) <= 1
    return told.health.battery_charge, float(warmth[0])


def test_nothing_is_known_before_anything_was_told(ear: Ear) -> None:
    told = ear.listener.told()
    assert told.health is None
    assert max(told.battery_ns, told.warmth_ns) < NEVER_NS
    assert ear.listener.newest is None


def test_each_quantity_is_as_old_as_its_own_last_word(ear: Ear) -> None:
    ear.battery(SECOND, 0.5)
    ear.warmth(SECOND, 40.0)
    for second in range(2, 32):
        ear.now_ns += SECOND
        ear.battery(second * SECOND, 0.25)
    told = ear.listener.told()
    assert known(told) == (0.25, 40.0)
    assert (told.battery_ns, told.warmth_ns) == (130 * SECOND, 100 * SECOND)


def test_warmth_is_news_without_a_battery(ear: Ear) -> None:
    ear.warmth(SECOND, 80.0)
    told = ear.listener.told()
    charge, warmth = known(told)
    assert np.isnan(charge)
    assert warmth == 80.0
    assert told.battery_ns < NEVER_NS
    ear.now_ns += SECOND
    ear.warmth(2 * SECOND, 90.0)
    assert known(ear.listener.told())[1] == 90.0


def test_what_is_said_again_under_its_old_stamp_is_no_sign_of_life(ear: Ear) -> None:
    ear.battery(SECOND, 0.5)
    ear.now_ns += 30 * SECOND
    ear.battery(SECOND, 0.5)
    assert ear.listener.told().battery_ns == 100 * SECOND


def test_a_robot_that_begins_anew_at_older_stamps_is_heard(ear: Ear) -> None:
    ear.battery(90 * SECOND, 0.5)
    ear.now_ns += SECOND
    ear.battery(2 * SECOND, 0.4)
    told = ear.listener.told()
    assert told.health is not None
    assert told.health.battery_charge == pytest.approx(0.4)
    assert told.battery_ns == 101 * SECOND


@pytest.mark.parametrize('battery_first', [True, False])
def test_in_lockstep_the_same_is_known_at_the_same_time_whatever_came_first(
    ear: Ear, battery_first: bool
) -> None:
    """Half a second after its stamp, and by its stamp, for when it comes is chance."""
    for second in (0, 1):
        said = [
            lambda s=second: ear.battery(s * SECOND, 0.5 - 0.25 * s),
            lambda s=second: ear.warmth(s * SECOND, 40.0 + s),
        ]
        for say in said if battery_first else said[::-1]:
            ear.now_ns += 7
            say()
    assert ear.listener.told(SECOND // 2 - 1).health is None
    early, late = ear.listener.told(SECOND // 2), ear.listener.told(3 * SECOND // 2)
    assert known(early) == (0.5, 40.0)
    assert (early.battery_ns, early.warmth_ns) == (0, 0)
    assert known(late) == (0.25, 41.0)
    assert (late.battery_ns, late.warmth_ns) == (SECOND, SECOND)


def test_what_was_not_told_anew_is_the_same_to_who_looks_by_identity(ear: Ear) -> None:
    ear.battery(SECOND, 0.5)
    ear.warmth(SECOND, 40.0)
    first = ear.listener.newest
    assert ear.listener.newest is first
    ear.warmth(2 * SECOND, 41.0)
    assert ear.listener.newest is not first


def test_what_is_too_old_is_not_told_to_people(ear: Ear) -> None:
    ear.battery(SECOND, 0.5)
    ear.warmth(SECOND, 40.0)
    ear.now_ns += SECOND
    ear.warmth(2 * SECOND, 41.0)
    health = ear.listener.told().not_before(101 * SECOND)
    assert health is not None
    assert np.isnan((health.battery_charge, health.battery_voltage)).all()
    np.testing.assert_array_equal(health.motor_temperature, 41.0)
    stale = ear.listener.told().not_before(102 * SECOND)
    assert stale is not None
    assert np.isnan(stale.motor_temperature).all()


def test_a_message_for_other_joints_is_refused_and_told(ear: Ear) -> None:
    message = ear._records.temperature_to(Health(0, 24.0, 0.5, np.full(12, 40.0)))
    message.data[1] = 1.0  # the hash of the joints
    ear._heard['motor_temperature'](message)
    assert 'not for the joints' in ear.listener.problem
    assert ear.listener.newest is None
