"""Property tests that count: a share of the budget's examples, and proof that they were tried."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from budgets import budget
from hypothesis import given, settings

SHARES = {
    'limits hold at once': 0.6,
    'within all limits unchanged': 0.2,
    'sink trusts only what is harmless': 0.2,
}
"""of the examples of a run, by property; they add up to all"""


def check(name: str, holds: Callable[..., None], **strategies: Any) -> None:
    """Tries the property `name` on as many examples as are its share, and prints how many.

    Raises:
        AssertionError: it does not hold, or fewer examples were tried.
    """
    expected = round(SHARES[name] * budget().hypothesis_examples)
    tried = 0

    @settings(max_examples=expected, deadline=None)
    @given(**strategies)
    def every(**case: Any) -> None:
        nonlocal tried
        tried += 1
        holds(**case)

    every()
    print(f'{name}: executed {tried}, expected {expected} examples')
    assert tried >= expected
