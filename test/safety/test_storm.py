"""What holds whatever happens: the invariants in any storm, and the same again to the bit."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Reason

Bench = Any
"""The bench of conftest.py."""


class Storm:
    """Changes a bench at random: anything a broken world may say."""

    def __init__(self, bench: Bench, seed: int) -> None:
        self.bench = bench
        self.well = (dict(bench.sample), dict(bench.estimate), dict(bench.health))
        self.rng = np.random.default_rng(seed)

    def blow(self) -> None:
        """Sets what the next tick will find: usually well, sometimes anything."""
        bench, rng = self.bench, self.rng
        bench.sample, bench.estimate, bench.health = (dict(well) for well in self.well)
        robot = bench.robot
        for want in bench.wish.values():
            want.update(kp=robot.kp, kd=robot.kd)
            want['position'] = robot.stance + rng.normal(0.0, 0.5, 2)
        bench.sample['joint_velocity'] = rng.normal(0.0, 2.0, 2)
        bench.sample['joint_position'] = bench.sample['joint_position'] + rng.normal(0.0, 0.05, 2)
        event = rng.integers(0, 120)
        numbers = rng.choice([np.nan, np.inf, -np.inf, 1e308, -0.0, 57.3, -3.0], 4)
        bench.silent = {rng.choice(['sample', 'policy', 'estimate', 'health'])}
        bench.silent = bench.silent if event < 6 else set()
        if 6 <= event < 10:
            field = rng.choice(list(bench.sample))
            bench.sample[field] = np.resize(numbers, bench.sample[field].size + (event == 9))
        elif 10 <= event < 20:
            field = rng.choice(['position', 'kp', 'kd'])
            bench.wish[rng.choice(['policy', 'reset'])][field] = np.resize(numbers, 2)
        elif 20 <= event < 40:
            bench.wish[rng.choice(['policy', 'reset'])]['request'] += rng.integers(-1, 3)
        elif 40 <= event < 44:
            bench.lean(roll=rng.uniform(-3.0, 3.0))
        elif 44 <= event < 48:
            bench.sample['joint_velocity'] = rng.normal(0.0, 25.0, 2)
        bench.health['motor_temperature'] = rng.uniform(30.0, 100.4, 2)
        bench.stop = event == 48
        bench.resume = 50 <= event < 60
        bench.let_go = 60 <= event < 64

    def tick(self) -> None:
        self.blow()
        gap = self.rng.choice([10_000_000, 10_000_000, 10_000_000, 3_000_000, 0, 55_000_000])
        jump = self.rng.random() < 0.002
        self.bench.tick(dt_ns=int(-gap if jump else gap))


SEEDS = st.integers(0, 2**32 - 1)


# A seed has nothing to shrink to: each storm is as good as any other.
@settings(max_examples=25, deadline=None, phases=[Phase.reuse, Phase.generate])
@given(seed=SEEDS)
def test_every_command_keeps_the_invariants_in_any_storm(
    small: Any, bench_on: Any, seed: int
) -> None:
    # So little power that it binds in every other storm.
    power = {'power_max': 60.0, 'power_continuous': 40.0} if seed % 2 else {}
    bench = bench_on(small.robot, **power)
    storm = Storm(bench, seed)
    for _ in range(120):
        storm.tick()
        assert Reason.INTERNAL not in bench.command.reasons
    assert bench.judge.judged == 120


def test_a_storm_reaches_every_mode_and_driver(small: Any, bench_on: Any) -> None:
    seen = set()
    for seed in range(6):
        bench = bench_on(small.robot)
        storm = Storm(bench, seed)
        for _ in range(250):
            storm.tick()
            seen.add(bench.code)
    assert seen >= set('SHPRTL')


def test_the_same_inputs_give_the_same_commands_to_the_bit(small: Any, bench_on: Any) -> None:
    bench = bench_on(small.robot)
    storm = Storm(bench, 3)
    recorded = []
    for _ in range(300):
        storm.tick()
        recorded.append((copy.copy(bench.inputs), bench.now_ns, bench.command))
    core = SafetyCore(small.robot, small.config)
    state = core.initial(epoch=7)
    for inputs, now_ns, command in recorded:
        again, state = core.step(state, inputs, now_ns)
        for name, value in vars(command).items():
            assert np.asarray(getattr(again, name)).tobytes() == np.asarray(value).tobytes()
