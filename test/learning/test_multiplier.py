"""The laws that λ and α obey."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quad_learner.learning.multiplier import DualAscent, Temperature


def _law(initial: float = 1.0, maximum: float = 100.0) -> DualAscent:
    return DualAscent(initial, required=0.1, rate=0.5, step_max=0.02, maximum=maximum)


# rate 0.5, margin 0.1 wanted: 0.08 found is 0.02 short, so λ rises by 0.01. Worked by hand.
@pytest.mark.parametrize(
    ('measured', 'expected'),
    [(0.08, 1.01), (0.12, 0.99), (0.1, 1.0), (-5.0, 1.02), (5.0, 0.98)],
)
def test_the_step_is_in_proportion_and_bounded(measured: float, expected: float) -> None:
    law = _law()
    law.update(measured)
    assert law.value == pytest.approx(expected, abs=1e-12)


def test_it_never_leaves_its_range() -> None:
    law = _law(initial=0.5, maximum=1.0)
    generator = np.random.default_rng(0)
    for measured in generator.normal(0.1, 3.0, 2000):
        law.update(float(measured))
        assert 0.0 <= law.value <= 1.0


def test_it_recovers_at_once_after_long_plenty() -> None:
    law = _law()
    for _ in range(10_000):
        law.update(10.0)
    assert law.value == 0.0
    law.update(0.0)
    assert law.value == pytest.approx(0.02)


def test_it_does_not_drift_while_the_constraint_just_holds() -> None:
    law = _law()
    for _ in range(10_000):
        law.update(0.1)
    assert law.value == 1.0


@pytest.mark.parametrize('poison', [math.nan, math.inf, -math.inf])
def test_a_measurement_that_is_not_finite_moves_nothing(poison: float) -> None:
    law, temperature = _law(), Temperature(0.1, -6.0, 0.01, 0.1)
    law.update(poison)
    temperature.update(poison)
    assert (law.value, temperature.value) == (1.0, pytest.approx(0.1))


def test_the_price_settles_where_demand_meets_it() -> None:
    """A robot that leans less the dearer leaning is: margin = 0.05 λ, so 0.1 is met at λ = 2."""
    law = _law()
    for _ in range(2000):
        law.update(0.05 * law.value)
    assert law.value == pytest.approx(2.0, abs=1e-3)


def test_temperature_rises_while_the_policy_is_too_predictable() -> None:
    temperature = Temperature(0.1, target=-6.0, rate=0.01, step_max=0.1)
    temperature.update(-8.0)
    assert temperature.value == pytest.approx(0.1 * math.exp(0.02))
    temperature.update(-4.0)
    assert temperature.value == pytest.approx(0.1)


def test_temperature_stays_a_finite_positive_number() -> None:
    temperature = Temperature(1.0, target=0.0, rate=1.0, step_max=1.0)
    for entropy in (-50.0, 50.0):
        for _ in range(5000):
            temperature.update(entropy)
        assert 0.0 < temperature.value < math.inf


def test_a_state_taken_up_goes_on_the_same() -> None:
    first, second = _law(), _law(initial=3.0)
    first.update(0.03)
    second.restore(first.state())
    hot, cold = Temperature(0.3, 0.0, 0.1, 0.1), Temperature(0.1, 0.0, 0.1, 0.1)
    cold.restore(hot.state())
    for measured in (0.2, -0.4):
        for one in (first, second, hot, cold):
            one.update(measured)
    assert (second.value, cold.value) == (first.value, hot.value)
