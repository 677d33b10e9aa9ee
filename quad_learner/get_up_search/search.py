"""Looks for a motion that gets up from every fall of a set: guesses first, then CMA-ES.

    guess   motions at random, half of which push (push.py), each tried on one fall; the best few
            on more. Where there is a motion already, the robot file's or what was found for
            another way of lying, it is one of them; where that gets up from a quarter of the
            falls, there are no others
    refine  CMA-ES (Hansen 2016) about it; each generation is tried on falls drawn anew from the
            set, and its centre and its best, now and then, on the whole set. What costs least
            there is kept

Where that comes to an end with a motion that does not get up from all, it guesses again.

What decides is `cost` in the mean. The same seed tries the same motions in the same order on every
machine; the time that is left only says where it stops.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import cma
import numpy as np
from numpy.typing import NDArray

from quad_learner.get_up_search.score import Outcome, mean_cost
from quad_learner.get_up_search.space import Frames, MotionSpace

Array = NDArray[np.float64]
Guess = Callable[[np.random.Generator], Array]
"""draws a vector"""
Attempts = Callable[[Sequence[tuple[Frames, int]]], Iterable[Outcome]]
"""tries motions on falls, and yields what came of each pair, in order"""

ROUNDS = ((72, 1), (18, 2), (6, 4))
"""so many motions at random are tried on so many falls, then the best of them on others: of the
A1's off its back one of twenty or so gets up from a fall"""
STEP = 0.3
"""[rad], and of the logarithm of seconds: how far CMA-ES first looks about"""
GENERATION = 12
"""motions; CMA-ES suggests 4 + 3 log n: 12 for the 14 numbers of two poses"""
FALLS_A_TRY = 3
"""falls that each of a generation is tried on: few, for the next generation has others"""
GENERATIONS_A_CHECK = 3
"""between two looks at the whole set, which costs as much as a generation and a half"""
WORTH_IT = 0.25
"""of the set that a motion gets up from to be begun with: the best guess is often no better"""
GAIN = 0.03
"""of the cost that a check must save to count"""
CHECKS_IN_VAIN = 3
"""after which the search ends, or begins anew where the best does not get up from all"""


@dataclass(frozen=True)
class Found:
    """A motion and what came of it on the whole set."""

    frames: Frames
    outcomes: tuple[Outcome, ...]

    @property
    def cost(self) -> float:
        """In the mean."""
        return mean_cost(self.outcomes)

    @property
    def up(self) -> int:
        """Falls that it gets up from."""
        return sum(outcome.up for outcome in self.outcomes)


class TimeIsOver(Exception):
    """The search must end with what it has."""


class Search:
    """One search for one motion."""

    def __init__(
        self,
        space: MotionSpace,
        attempts: Attempts,
        falls: int,
        generator: np.random.Generator,
        is_over: Callable[[], bool],
        tell: Callable[[str], None],
        guess_too: Guess | None = None,
    ) -> None:
        """Stores.

        Args:
            space: the motions that there are.
            attempts: tries them.
            falls: how many are in the set, >= 1; they are called 0 to falls − 1.
            generator: the source of all chance.
            is_over: whether the time is over; asked after each attempt.
            tell: takes a line for people.
            guess_too: every other guess comes from it, the others from the space; None: all do.
        """
        self._space = space
        self._attempts = attempts
        self._falls = falls
        self._generator = generator
        self._is_over = is_over
        self._tell = tell
        self._guesses = (space.guess, guess_too or space.guess)
        self._best: Found | None = None
        self._hopeful: Found | None = None
        self._in_vain = 0

    def run(self, present: Frames, who: str = 'the motion of the file') -> Found | None:
        """Returns the best motion; one of few falls where the time was over before a look at all.

        None: it was over before each of the first guesses was tried.

        Args:
            present: a motion to begin with; empty: none.
            who: that is, for people.
        """
        known = [self._space.vector(present)] if present else []
        try:
            if present:
                self._check(known, who)
                if self._best is not None and self._best.up >= WORTH_IT * self._falls:
                    self._refine(known.pop())
            while not self._gets_up_from_all():
                guess = self._guessed(known)
                self._check([guess], 'the best guess')
                self._refine(guess)
                known = []
        except TimeIsOver:
            self._tell('the time is over')
        return self._best or self._hopeful

    def _gets_up_from_all(self) -> bool:
        return self._best is not None and self._best.up == self._falls

    def _guessed(self, known: Sequence[Array]) -> Array:
        """Returns the best of `known` and many guesses: the fewer are left, the longer a look."""
        self._tell(f'tries {ROUNDS[0][0]} motions at random, to begin with the best')
        left = [self._guesses[index % 2](self._generator) for index in range(ROUNDS[0][0])]
        left = [*known, *left][: len(left)]
        cost = np.zeros(len(left))
        for motions, falls in ROUNDS:
            kept = np.argsort(cost, kind='stable')[:motions].tolist()
            left, cost = [left[index] for index in kept], cost[kept]
            cost = cost + falls * np.array(self._costs(left, self._some(falls)))
        return left[int(np.argmin(cost))]

    def _refine(self, start: Array) -> None:
        options = {
            'popsize': GENERATION,
            'randn': lambda *size: self._generator.standard_normal(size),
            'seed': np.nan,  # all chance comes from the generator
            'verbose': -9,
        }
        strategy = cma.CMAEvolutionStrategy(start, STEP, options)
        generation = self._in_vain = 0
        while self._in_vain < CHECKS_IN_VAIN:
            tried = [np.asarray(vector) for vector in strategy.ask()]
            costs = self._costs(tried, self._some(FALLS_A_TRY))
            strategy.tell(tried, costs)
            generation += 1
            if generation % GENERATIONS_A_CHECK == 0:
                best = tried[int(np.argmin(costs))]
                self._check([np.asarray(strategy.mean), best], f'generation {generation}:')

    def _check(self, vectors: Sequence[Array], who: str) -> None:
        """Tries motions on the whole set, keeps what costs least, and tells of it."""
        before = self._best
        for vector in vectors:
            frames = self._space.frames(vector)
            found = Found(frames, tuple(self._try([frames], range(self._falls))))
            if self._best is None or found.cost < self._best.cost:
                self._best = found
        best = self._best
        if best is None:
            return
        saved = before is None or best.cost < (1.0 - GAIN) * before.cost
        self._in_vain = 0 if saved else self._in_vain + 1
        self._tell(f'{who} {described(best)}' if best is not before else f'{who} none better')

    def _some(self, falls: int) -> list[int]:
        chosen = self._generator.choice(self._falls, min(falls, self._falls), replace=False)
        return [int(fall) for fall in chosen]

    def _costs(self, vectors: Sequence[Array], falls: Sequence[int]) -> list[float]:
        outcomes = self._try([self._space.frames(vector) for vector in vectors], falls)
        a_vector = [
            outcomes[start : start + len(falls)] for start in range(0, len(outcomes), len(falls))
        ]
        costs = [
            mean_cost(own) + self._space.outside(vector)
            for vector, own in zip(vectors, a_vector, strict=True)
        ]
        best = int(np.argmin(costs))
        self._hopeful = Found(self._space.frames(vectors[best]), tuple(a_vector[best]))
        return costs

    def _try(self, motions: Sequence[Frames], falls: Sequence[int]) -> list[Outcome]:
        """Returns what came of each motion on each fall, motion by motion."""
        outcomes = []
        for outcome in self._attempts([(frames, fall) for frames in motions for fall in falls]):
            outcomes.append(outcome)
            if self._is_over():
                raise TimeIsOver
        return outcomes


def described(found: Found) -> str:
    """Returns how a motion did, for people."""
    seconds = sorted(outcome.seconds for outcome in found.outcomes if outcome.up)
    took = f', {seconds[len(seconds) // 2]:.1f} s in the median' if seconds else ''
    stops = sum(len(outcome.stops) for outcome in found.outcomes)
    stopped = f', {stops} stops by safety' if stops else ''
    jams = found.outcomes[0].jams
    jammed = f', poses in which it jams itself: {jams}' if jams else ''
    turned = sum(outcome.last_tilt for outcome in found.outcomes) / len(found.outcomes)
    left = f', left at a tilt of {turned:.1f} rad in the mean' if found.up == 0 else ''
    return f'gets up from {found.up} of {len(found.outcomes)} falls{took}{stopped}{jammed}{left}'
