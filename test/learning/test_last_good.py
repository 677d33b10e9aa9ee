"""Going back after bad steps."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

from quad_learner.learning.last_good import LastGood


class _Student:
    """One number learned and one price."""

    def __init__(self) -> None:
        self.updates = 0
        self.weight = torch.zeros(2)
        self.price = 0.0

    def learned_tensors(self) -> dict[str, Tensor]:
        return {'weight': self.weight}

    def restore_learned(self, saved: Mapping[str, Tensor]) -> None:
        self.weight.copy_(saved['weight'])

    def dual_state(self) -> dict[str, dict[str, float]]:
        return {'multiplier': {'value': self.price}}

    def restore_duals(self, state: Mapping[str, Mapping[str, float]]) -> None:
        self.price = state['multiplier']['value']

    def learn(self, last_good: LastGood, value: float) -> None:
        self.weight.fill_(value)
        self.price = value
        self.updates += 1
        last_good.good(self)


def test_enough_bad_steps_in_a_row_bring_the_last_copy_back() -> None:
    student, last_good = _Student(), LastGood(period=10, patience=3)
    student.learn(last_good, 1.0)
    for _ in range(3):
        student.weight.fill_(float('nan'))
        last_good.bad(student)
    assert student.weight.tolist() == [1.0, 1.0]
    assert student.price == 1.0
    assert last_good.rollbacks == 1


def test_good_steps_between_bad_ones_start_the_count_anew() -> None:
    student, last_good = _Student(), LastGood(period=10, patience=2)
    student.learn(last_good, 1.0)
    for _ in range(20):
        last_good.bad(student)
        last_good.good(student)
    assert last_good.rollbacks == 0


def test_a_state_that_is_not_finite_is_never_kept() -> None:
    student, last_good = _Student(), LastGood(period=1, patience=1)
    student.learn(last_good, 1.0)
    student.learn(last_good, float('inf'))
    last_good.bad(student)
    assert student.weight.tolist() == [1.0, 1.0]


def test_a_copy_is_made_once_a_period() -> None:
    student, last_good = _Student(), LastGood(period=5, patience=1)
    for number in range(1, 8):
        student.learn(last_good, float(number))
    last_good.bad(student)
    assert student.price == 5.0
