"""The controller's law, by numbers worked out by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest

from quad_learner.learning.multiplier import DualAscent
from quad_learner.learning.pid_multiplier import PidGains, PidMultiplier


def _law(
    proportional: float = 0.0,
    integral: float = 0.0,
    derivative: float = 0.0,
    smoothing: float = 0.0,
    initial: float = 0.0,
    step_max: float = 100.0,
) -> PidMultiplier:
    gains = PidGains(proportional, integral, derivative, smoothing)
    return PidMultiplier(initial, 0.1, gains, step_max, maximum=10.0)


def test_the_proportional_part_answers_at_once_and_goes_at_once() -> None:
    law = _law(proportional=20.0)
    law.update(0.0)
    assert law.value == pytest.approx(2.0)
    law.update(0.1)
    assert law.value == 0.0


def test_smoothing_takes_its_time() -> None:
    # Half of 0.1 is seen at first, then half of the rest.
    law = _law(proportional=20.0, smoothing=0.5)
    law.update(0.0)
    assert law.value == pytest.approx(1.0)
    law.update(0.0)
    assert law.value == pytest.approx(1.5)


def test_the_derivative_part_sees_what_grows_and_not_what_shrinks() -> None:
    law = _law(derivative=10.0)
    law.update(0.0)
    assert law.value == pytest.approx(1.0)
    law.update(0.0)
    assert law.value == 0.0
    law.update(0.1)
    assert law.value == 0.0


def test_with_an_integral_part_alone_it_is_dual_ascent() -> None:
    law = _law(integral=0.5, initial=1.0)
    ascent = DualAscent(1.0, 0.1, 0.5, 100.0, 10.0)
    for measured in (0.0, -1.0, 0.3, 0.1, 5.0, 0.05):
        law.update(measured)
        ascent.update(measured)
        assert law.value == pytest.approx(ascent.value)


def test_plenty_leaves_no_debt() -> None:
    law = _law(proportional=1.0, integral=0.5)
    for _ in range(1000):
        law.update(5.0)
    assert law.value == 0.0
    for _ in range(30):  # the proportional part is far below zero no longer than it lasts
        law.update(0.0)
    assert law.value == pytest.approx(30 * 0.05 + 0.1)


def test_it_does_not_drift_while_the_constraint_just_holds() -> None:
    law = _law(proportional=3.0, integral=0.5, derivative=2.0, smoothing=0.9, initial=1.0)
    for _ in range(10_000):
        law.update(0.1)
    assert law.value == 1.0


def test_after_long_plenty_it_answers_a_break_as_if_there_had_been_none() -> None:
    parts = {'proportional': 3.0, 'integral': 0.5, 'smoothing': 0.5, 'step_max': 0.02}
    law, fresh = _law(**parts), _law(**parts)
    for _ in range(10_000):
        law.update(10.0)
    assert law.value == 0.0
    for _ in range(200):  # the smoothed part forgets the plenty within a few updates
        for one in (law, fresh):
            before = one.value
            one.update(0.0)
            assert abs(one.value - before) <= 0.02 + 1e-12
    assert law.value == pytest.approx(fresh.value, abs=0.5 * 10 * 0.1)
    assert law.value > 1.0


def test_noise_never_drives_it_out_of_its_range() -> None:
    law = _law(proportional=3.0, integral=0.5, derivative=2.0, smoothing=0.9)
    for measured in np.random.default_rng(0).normal(0.1, 3.0, 2000):
        before = law.value
        law.update(float(measured))
        assert 0.0 <= law.value <= 10.0
        assert law.state()['integral'] >= 0.0
    assert before != law.value


def test_its_steps_and_its_range_are_bounded() -> None:
    law = _law(proportional=1000.0, step_max=0.5)
    law.update(-10.0)
    assert law.value == 0.5
    for _ in range(100):
        law.update(-10.0)
    assert law.value == 10.0


def test_it_goes_on_as_if_never_stopped() -> None:
    parts = {'proportional': 3.0, 'integral': 0.5, 'derivative': 2.0, 'smoothing': 0.9}
    law, other = _law(**parts), _law(**parts)
    for measured in (0.0, -0.2, 0.3):
        law.update(measured)
    other.restore(law.state())
    for one in (law, other):
        one.update(0.02)
    assert law.state() == other.state()


@pytest.mark.parametrize('poison', [math.nan, math.inf, -math.inf])
def test_a_measurement_that_is_not_finite_moves_nothing(poison: float) -> None:
    law = _law(proportional=1.0, integral=1.0, initial=2.0)
    before = law.state()
    law.update(poison)
    assert law.state() == before
