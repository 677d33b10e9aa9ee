"""Claims about what an attempt costs: there is a slope to follow wherever it ends."""

from __future__ import annotations

from dataclasses import replace

import pytest

from quad_learner.get_up_search.score import Outcome, cost, mean_cost

QUICK = Outcome(True, 2.0, 0.1, 0.1, 1.0, ())
IN_VAIN = Outcome(False, 5.0, 3.0, 3.0, 1.0, ())


def test_getting_up_at_its_slowest_costs_less_than_all_but_getting_up() -> None:
    slowest = replace(QUICK, seconds=40.0, work=1000.0)
    nearly = Outcome(False, 1.0, 0.76, 0.76, 0.0, ())
    assert cost(slowest) < 1.0 < cost(nearly)


@pytest.mark.parametrize(
    ('blame', 'extra'), [({'stops': ('OVER_SPEED',)}, 0.5), ({'jams': 1}, 0.1), ({'jams': 3}, 0.3)]
)
@pytest.mark.parametrize('outcome', [QUICK, IN_VAIN])
def test_a_stop_or_a_jam_is_on_top_whether_it_got_up_or_not(
    outcome: Outcome, blame: dict[str, object], extra: float
) -> None:
    blamed = replace(outcome, **blame)  # type: ignore[arg-type]
    assert cost(blamed) - cost(outcome) == pytest.approx(extra)


def test_getting_up_into_a_stop_at_its_slowest_costs_more_than_nearly_getting_up() -> None:
    # 0.4 for the time, 0.4 for the work, 0.5 for the stop; 1 + 2 · 0.76 / 2π.
    stopped = Outcome(True, 40.0, 0.1, 0.1, 1000.0, ('OVER_SPEED',))
    nearly = Outcome(False, 1.0, 0.76, 0.76, 0.0, ())
    assert cost(stopped) == pytest.approx(1.3)
    assert cost(nearly) == pytest.approx(1.242, abs=0.001)


@pytest.mark.parametrize(
    ('worse', 'better'),
    [
        (replace(QUICK, seconds=3.0), QUICK),
        (replace(QUICK, work=2.0), QUICK),
        (replace(QUICK, jams=1), QUICK),
        (replace(QUICK, stops=('OVER_SPEED',)), QUICK),
        (IN_VAIN, replace(IN_VAIN, lowest_tilt=2.9)),
        (IN_VAIN, replace(IN_VAIN, last_tilt=2.9)),
        (replace(IN_VAIN, astray=0.2), IN_VAIN),
        (replace(IN_VAIN, stops=('OVER_SPEED',)), IN_VAIN),
    ],
)
def test_what_is_worse_costs_more(worse: Outcome, better: Outcome) -> None:
    assert cost(worse) > cost(better)


def test_lying_upright_on_a_leg_is_nearer_to_up_than_lying_on_the_back() -> None:
    caught = Outcome(False, 4.0, 0.0, 0.2, 1.0, (), astray=1.0)
    assert cost(QUICK) < cost(caught) < cost(IN_VAIN)


def test_of_several_it_is_the_mean() -> None:
    assert mean_cost([QUICK, IN_VAIN, IN_VAIN]) == pytest.approx(
        (cost(QUICK) + 2.0 * cost(IN_VAIN)) / 3.0
    )
