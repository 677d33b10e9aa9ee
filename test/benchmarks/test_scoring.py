"""Claims about the scoring of trials, on a make-believe robot whose way and time are known."""

from __future__ import annotations

import gc
import weakref
from types import SimpleNamespace
from typing import Any

import gymnasium
import numpy as np
import pytest

from quad_learner.safety.modes import Reason
from scoring import ScoredEnv, TrialOver, median, table

LEVEL = np.array((0.0, 0.0, 0.0, 1.0))


class Rail(gymnasium.Env[Any, Any]):
    """Goes along at the speed of the action for episodes of 10 s, a step a second.

    Getting up takes 5 s. `falls`, `trips` and `refuses` are what the test makes of it.
    """

    observation_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
    action_space = gymnasium.spaces.Box(-1.0, 1.0, (1,))
    episode_s = 10.0
    robot = SimpleNamespace(policy_hz=1, fall_pitch=0.8)

    def __init__(self) -> None:
        sim = SimpleNamespace(time_ns=0, truth=lambda: SimpleNamespace(orientation=self.lies))
        self.graph: Any = SimpleNamespace(sim=sim, trips=[])
        self.on_decision: Any = lambda: None
        self.lies = LEVEL
        self.x = 0.0
        self.steps = 0
        self.constraint = 0.1
        self.fall_at = 0
        self.stops = Reason.NONE
        self.refuses = False

    def _info(self) -> dict[str, Any]:
        return {'true_position': np.array((self.x, 0.0, 0.3)), 'true_orientation': LEVEL}

    def reset(self, *, seed: int | None = None, options: Any = None) -> tuple[Any, dict[str, Any]]:
        if self.refuses:
            raise RuntimeError('it did not get up')
        self.graph.sim.time_ns += 5 * 10**9
        self.on_decision()
        self.steps = 0
        return np.zeros(1), self._info()

    def step(self, action: Any) -> tuple[Any, float, bool, bool, dict[str, Any]]:
        self.x += float(action[0])
        self.steps += 1
        self.graph.sim.time_ns += 10**9
        fell = self.steps == self.fall_at
        stopped = not fell and bool(self.stops)
        if fell or stopped:
            why = Reason.TILT if fell else self.stops
            self.graph.trips.append((self.graph.sim.time_ns, why))
        over = stopped or self.steps == 10
        more = {'constraint': self.constraint, 'reasons': int(self.stops)}
        return np.zeros(1), 2.0, fell, over and not fell, self._info() | more


def episode(env: ScoredEnv, speed: float) -> None:
    env.reset()
    over = False
    while not over:
        _, _, terminated, truncated, _ = env.step(np.array((speed,)))
        over = terminated or truncated


@pytest.fixture
def rail() -> Rail:
    return Rail()


def test_what_is_told_by_goes_with_the_trial_and_waits_for_no_collector(rail: Rail) -> None:
    class Trial:
        def __init__(self, env: ScoredEnv) -> None:
            self.env = env
            env.tell = self.tell

        def tell(self) -> dict[str, float]:
            return {}

    trial = Trial(ScoredEnv(rail, minutes=1.0))
    watched = weakref.ref(trial)
    trial.env.close()
    gc.disable()
    try:
        del trial
        assert watched() is None
    finally:
        gc.enable()


def test_walking_is_three_whole_episodes_in_a_row_by_robot_time(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    for speed in (0.6, 0.45, 0.45, 0.45, 0.8):
        episode(env, speed)
    figures = env.figures()
    # 15 s an episode, get-up included. The first three average 0.5, and so do all later ones.
    assert figures['walks_0.5_s'] == 45.0
    assert figures['walks_0.4_s'] == 45.0
    assert figures['last_3_m_s'] == pytest.approx(1.7 / 3, abs=1e-4)
    assert (figures['falls'], figures['episodes'], figures['steps']) == (0, 5, 50)
    assert (figures['mean_reward'], figures['mean_return']) == (2.0, 20.0)
    assert figures['curves']['end_s'] == [15.0, 30.0, 45.0, 60.0, 75.0]


def test_a_fall_counts_its_way_over_a_full_episode_and_its_time(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    rail.fall_at = 4
    episode(env, 1.0)
    figures = env.figures()
    # Four metres, over ten seconds, at the end of 5 s of getting up and 4 s of walking.
    assert figures['curves']['speed_m_s'] == [0.4]
    assert (figures['falls'], figures['fall_times_s']) == (1, [9.0])
    assert figures['trips'] == {'fall': 1, 'heat': 0, 'other': 0}
    assert figures['falls_before_walking'] == 1


@pytest.mark.parametrize(
    'stops, kind, speeds',
    [(Reason.OVER_TEMPERATURE, 'heat', None), (Reason.OVER_SPEED, 'other', 0.05)],
)
def test_stops_are_told_by_their_reason_and_heat_says_nothing_of_walking(
    rail: Rail, stops: Reason, kind: str, speeds: float | None
) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    rail.stops = stops
    for _ in range(3):
        episode(env, 0.5)
    figures = env.figures()
    assert figures['trips'] == {'fall': 0, 'heat': 0, 'other': 0} | {kind: 3}
    assert figures['last_3_m_s'] == speeds


def test_leaning_is_counted_in_seconds_of_walking(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    episode(env, 0.5)
    rail.constraint = -0.01
    episode(env, 0.5)
    figures = env.figures()
    assert (figures['leaning_s'], figures['leaning_share']) == (10.0, 0.5)


def test_what_is_told_at_the_end_of_an_episode_is_its_curve(rail: Rail) -> None:
    told = iter([3.0, 2.0])
    env = ScoredEnv(rail, 10.0, lambda: {'lambda': next(told)})
    episode(env, 0.5)
    episode(env, 0.5)
    assert env.figures()['curves']['lambda'] == [3.0, 2.0]


def test_no_episode_begins_when_the_time_is_spent(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=0.5)
    episode(env, 0.5)
    episode(env, 0.5)
    with pytest.raises(TrialOver) as over:
        env.reset()
    assert str(over.value) == ''
    assert env.figures()['episodes'] == 2


def test_a_robot_that_stays_down_ends_the_trial_with_its_words(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    episode(env, 0.5)
    rail.refuses = True
    with pytest.raises(TrialOver, match='it did not get up'):
        env.reset()


def test_never_is_later_than_any_time_in_a_median() -> None:
    trials = [{'walks_0.4_s': time} for time in (200.0, None, 100.0)]
    assert median(trials, 'walks_0.4_s') == '200 (200, —, 100)'
    assert median([*trials, *trials[1:2] * 2], 'walks_0.4_s') == 'never (200, —, 100, —, —)'


def test_the_table_has_a_line_a_name_and_counts_who_gave_up(rail: Rail) -> None:
    env = ScoredEnv(rail, minutes=10.0)
    for _ in range(3):
        episode(env, 0.5)
    trial = env.figures() | {'problem': ''}
    looked_at = trial | {'walk': {'gait': 'trot'}}
    assert '| trot, — |' in table({'both': [looked_at, trial]})
    lines = table({'one': [trial], 'two': [trial, trial | {'problem': 'stuck'}]}).splitlines()
    assert len(lines) == 4
    assert lines[2].startswith('| one | 0.50 (0.50) | 45 (45) | 45 (45) | 0 (0) |')
    assert lines[3].endswith('| 1 |')


def test_who_falls_after_its_episode_has_tumbled(rail: Rail) -> None:
    """On its side while it is to stand: not after a fall, nor before the first episode."""
    on_its_side = np.array((np.sqrt(0.5), 0.0, 0.0, np.sqrt(0.5)))
    env = ScoredEnv(rail, minutes=10.0)
    rail.lies = on_its_side
    env.reset()
    for falls, lies in ((False, LEVEL), (False, on_its_side), (True, on_its_side)):
        rail.fall_at = 3 if falls else 0
        over = False
        while not over:
            over = any(env.step(np.array([0.5]))[2:4])
        rail.lies = lies
        env.reset()
    assert env.figures()['tumbles'] == 1
