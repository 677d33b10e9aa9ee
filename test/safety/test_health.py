"""Battery and motors' warmth: each has an age of its own, and what cannot be is not known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from quad_learner.safety.modes import Mode, Reason
from quad_learner.safety.state import SafetyInputs

Bench = Any
BOTH = Reason.LOW_BATTERY | Reason.OVER_TEMPERATURE
SENSORS = {
    'battery': (Reason.LOW_BATTERY, 'battery_missing_stops'),
    'warmth': (Reason.OVER_TEMPERATURE, 'temperature_missing_stops'),
}


def hot(celsius: float) -> Any:
    """One of two motors is so warm."""
    return np.array([40.0, celsius])


def stops(bench: Bench) -> Reason:
    """Returns which of both the robot is stopped for."""
    assert (bench.command.mode is Mode.SOFT_STOP) == bool(bench.command.reasons & BOTH)
    return bench.command.reasons & BOTH


# Health is believed for 2 s, at 100 ticks a second.
@pytest.mark.parametrize('silent', SENSORS)
def test_one_of_both_falls_silent_and_the_other_does_not_speak_for_it(
    make_bench: Any, silent: str
) -> None:
    bench = make_bench('P')
    bench.silent = {silent}
    bench.tick(200)
    assert bench.code == 'P'
    bench.tick()
    assert stops(bench) == SENSORS[silent][0]
    bench.tick(300)
    assert stops(bench) == SENSORS[silent][0]
    bench.silent = set()
    bench.tick(60)
    bench.ask('policy')
    bench.tick()
    assert bench.code == 'P'


@pytest.mark.parametrize('silent', SENSORS)
def test_who_may_be_unknown_may_be_silent(make_bench: Any, silent: str) -> None:
    bench = make_bench('P', **{SENSORS[silent][1]: False})
    bench.silent = {silent}
    bench.tick(400)
    assert bench.code == 'P'


@pytest.mark.parametrize('missing_stops', [True, False])
def test_motors_are_watched_without_a_battery(make_bench: Any, missing_stops: bool) -> None:
    bench = make_bench('I', battery_missing_stops=False, temperature_missing_stops=missing_stops)
    bench.silent = {'battery'}
    bench.health |= {'battery_voltage': float('nan'), 'battery_charge': float('nan')}
    bench.tick(2)
    bench.ask('policy')
    bench.tick(60)
    assert bench.code == 'P'
    bench.health['motor_temperature'] = hot(300.0)
    bench.tick()
    assert stops(bench) == Reason.OVER_TEMPERATURE


def test_a_battery_that_never_spoke_is_not_known_however_young_the_clock(
    small: Any, bench_on: Any
) -> None:
    bench = bench_on(small.robot)
    bench.now_ns = 0
    bench.silent = {'battery'}
    bench.health |= {'battery_voltage': float('nan'), 'battery_charge': float('nan')}
    bench.tick(150)
    assert bench.code == 'I'
    assert Reason.LOW_BATTERY in bench.command.reasons


@pytest.mark.parametrize(('missing_stops', 'code'), [(True, 'I'), (False, 'P')])
def test_where_nothing_was_ever_told_nothing_is_known(
    make_bench: Any, missing_stops: bool, code: str
) -> None:
    bench = make_bench(
        'I', battery_missing_stops=missing_stops, temperature_missing_stops=missing_stops
    )
    # In lockstep time begins at zero, when nothing can be old.
    bench.now_ns, bench.state = 0, bench.core.initial(epoch=8)
    bench.inputs, bench.silent = SafetyInputs(), {'battery', 'warmth'}
    bench.tick(2)
    bench.ask('policy')
    bench.tick(60)
    assert bench.code == code
    assert (bench.command.reasons & BOTH) == (BOTH if missing_stops else Reason.NONE)


# Full is 1; what comes above a gauge's error was meant otherwise: per cent, or millivolts. Half as
# much again as a full battery's 25.2 V has no charger.
IMPLAUSIBLE = [
    ('battery_charge', float('inf'), Reason.LOW_BATTERY),
    ('battery_charge', 5.0, Reason.LOW_BATTERY),
    ('battery_charge', 1.06, Reason.LOW_BATTERY),
    ('battery_charge', -1.0, Reason.LOW_BATTERY),
    ('battery_voltage', float('inf'), Reason.LOW_BATTERY),
    ('battery_voltage', -1.0, Reason.LOW_BATTERY),
    ('battery_voltage', 24_000.0, Reason.LOW_BATTERY),
    ('battery_voltage', 38.0, Reason.LOW_BATTERY),
    ('motor_temperature', hot(-273.0), Reason.OVER_TEMPERATURE),
    ('motor_temperature', hot(-40.1), Reason.OVER_TEMPERATURE),
    ('motor_temperature', hot(float('inf')), Reason.OVER_TEMPERATURE),
    ('motor_temperature', hot(float('nan')), Reason.OVER_TEMPERATURE),
]


@pytest.mark.parametrize(('field', 'value', 'reason'), IMPLAUSIBLE)
@pytest.mark.parametrize('missing_stops', [True, False])
def test_what_cannot_be_is_not_known(
    make_bench: Any, field: str, value: Any, reason: Reason, missing_stops: bool
) -> None:
    bench = make_bench(
        'P', battery_missing_stops=missing_stops, temperature_missing_stops=missing_stops
    )
    bench.health[field] = value
    bench.tick()
    assert stops(bench) == (reason if missing_stops else Reason.NONE)


@pytest.mark.parametrize(
    ('field', 'value'),
    [
        ('battery_charge', 1.05),
        ('battery_voltage', 37.8),
        ('motor_temperature', hot(-40.0)),
    ],
)
def test_what_can_just_be_is_believed(bench: Bench, field: str, value: Any) -> None:
    assert bench.robot.battery_full_voltage == pytest.approx(25.2)
    bench.health[field] = value
    bench.tick(2)
    assert bench.code == 'S'


@pytest.mark.parametrize('field', ['battery_charge', 'battery_voltage'])
def test_nothing_left_is_known_to_be_nothing(make_bench: Any, field: str) -> None:
    bench = make_bench('P', battery_missing_stops=False)
    bench.health[field] = 0.0
    bench.tick()
    assert stops(bench) == Reason.LOW_BATTERY


# The limit is 100 °C, derating begins at 80 and leaves a half at the limit.
def test_one_broken_sensor_does_not_hide_the_others(make_bench: Any) -> None:
    bench = make_bench('P', temperature_missing_stops=False)
    bench.health['motor_temperature'] = np.array([float('nan'), 90.0])
    bench.tick()
    assert bench.code == 'P'
    np.testing.assert_allclose(bench.state.watch.strength, (1.0, 0.75))
    bench.health['motor_temperature'] = np.array([float('nan'), 101.0])
    bench.tick()
    assert stops(bench) == Reason.OVER_TEMPERATURE


@pytest.mark.parametrize(('celsius', 'strength'), [(110.0, 0.25), (120.0, 0.0), (300.0, 0.0)])
def test_beyond_its_limit_a_motor_has_less_torque_and_never_less_than_none(
    bench: Bench, celsius: float, strength: float
) -> None:
    bench.health['motor_temperature'] = hot(celsius)
    bench.tick()
    np.testing.assert_allclose(bench.state.watch.strength, (1.0, strength))


def test_unknown_heat_leaves_no_more_torque_than_the_limit_does(bench: Bench) -> None:
    bench.health['motor_temperature'] = hot(float('nan'))
    bench.tick()
    np.testing.assert_allclose(bench.state.watch.strength, (1.0, 0.5))


def test_news_that_bears_an_old_stamp_is_judged_all_the_same(bench: Bench) -> None:
    """A stamp tells no more than the message: what it says is looked at, however it is dated."""
    bench.tick()
    told = bench.make('health')
    object.__setattr__(told, 'motor_temperature', hot(101.0))
    object.__setattr__(told, 'time_ns', bench.inputs.health.time_ns)
    bench.make = lambda name, make=bench.make: told if name == 'health' else make(name)
    bench.tick()
    assert stops(bench) == Reason.OVER_TEMPERATURE
