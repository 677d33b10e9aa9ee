"""A broken world around the whole step, at random: as much of it as test/budgets.yaml asks for."""

from __future__ import annotations

import dataclasses
import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from budgets import FILE, TIER, budget
from fuzz import WORLD_STEPS, World, fuzz, live, live_all, missing
from fuzz_journal import Journal, fingerprint, total
from fuzz_parameters import drawn

from quad_learner.configuration import build, read
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.limits import Limits
from quad_learner.safety.monitors import Monitors

PROGRAM = Path(__file__).parents[1] / 'tools' / 'fuzz.py'
# What the goals of the project ask for; the file may ask for more, never for less.
GOALS = {
    'test': {'fuzz_steps': 10**6, 'hypothesis_examples': 2 * 10**4},
    'fuzz': {'fuzz_steps': 10**8, 'hypothesis_examples': 10**6},
}


def test_nobody_has_lowered_the_budgets() -> None:
    asked = yaml.safe_load(FILE.read_text())
    for tier, goals in GOALS.items():
        for name, goal in goals.items():
            assert asked[tier][name] >= goal, f'{tier}: {name}'


def test_the_budget_of_a_run_is_that_of_its_tier(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(TIER, raising=False)
    assert budget().fuzz_steps == yaml.safe_load(FILE.read_text())['test']['fuzz_steps']
    monkeypatch.setenv(TIER, 'fuzz')
    assert budget().fuzz_steps == yaml.safe_load(FILE.read_text())['fuzz']['fuzz_steps']


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.skipif(os.environ.get(TIER) == 'fuzz', reason='make fuzz runs it by itself')
@pytest.mark.apart
def test_no_command_is_unsafe_in_a_broken_world() -> None:
    steps = budget().fuzz_steps
    # On what the other tests leave of two cores: on both once they have ended.
    command = ['nice', sys.executable, str(PROGRAM), '--steps', str(steps), '--jobs', '2']
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    print(done.stdout)
    assert f'expected {steps}; unsafe 0' in done.stdout
    assert done.returncode == 0, 'fewer steps than expected, or a mode that no step was in'


def test_a_world_is_known_by_its_seed() -> None:
    assert live(4, 200) == live(4, 200)
    assert live(4, 200).seen != live(5, 200).seen


def test_what_was_broken_off_goes_on_and_comes_to_the_same(tmp_path: Path) -> None:
    file = tmp_path / 'runs' / 'fuzz.jsonl'
    journal = Journal(file, 'as it is')
    steps = 3 * WORLD_STEPS
    whole = total(fuzz(steps, 3, 1, journal))
    assert whole == live_all(3_000_000, 3)
    # A batch that is known is not made again, which a lie in its place shows; a line that was cut
    # short is one that was not written, and spoils none behind it.
    (line,) = file.read_text().split('\n')[1:-1]
    lie = line.replace(f'"steps": {steps}', '"steps": 7')
    file.write_text(line[: len(line) // 2])
    assert total(fuzz(steps, 3, 1, Journal(file, 'as it is'))) == whole
    file.write_text(file.read_text().replace(line, lie))
    assert total(fuzz(steps, 3, 1, Journal(file, 'as it is'))).steps == 7
    assert total(fuzz(steps, 3, 1, Journal(file, 'changed'))) == whole


def test_a_change_of_anything_that_it_runs_is_another_fuzz(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    facts = tmp_path / 'robot.yaml'
    facts.write_text('mass: 12')
    before = fingerprint([facts])
    assert fingerprint([facts]) == before
    facts.write_text('mass: 13')
    assert fingerprint([facts]) != before
    facts.write_text('mass: 12')
    core = tmp_path / 'core.py'
    shutil.copy(sys.modules['quad_learner.safety.core'].__file__ or '', core)
    core.write_text(core.read_text() + '# changed')
    monkeypatch.setattr('fuzz_journal.PACKAGE', tmp_path)
    monkeypatch.setattr(sys.modules['quad_learner.safety.core'], '__file__', str(core))
    changed = fingerprint([facts])
    core.write_text(core.read_text() + ' again')
    assert changed != fingerprint([facts])


@pytest.mark.parametrize('cause', ['motor lost', 'motor stalled', 'lifted'])
def test_what_is_seldom_is_noticed_in_some_world(cause: str) -> None:
    assert any(live(seed).seen[cause] for seed in range(40))


@pytest.mark.parametrize(
    ('where', 'name', 'bug'),
    [
        (Limits, '_within_torque', lambda self, allowed, sample, torque_max, box: allowed),
        (Limits, 'boxed', lambda self, position: position),
        (Limits, '_weakened', lambda self, allowed, sample, power, limit: allowed),
        (Monitors, '_unbelievable', lambda self, watch: True),
    ],
)
def test_a_planted_mistake_is_found(
    monkeypatch: pytest.MonkeyPatch, where: type, name: str, bug: object
) -> None:
    """The last one drives no robot at all: nothing unsafe, but modes are missing."""
    monkeypatch.setattr(where, name, bug)
    worlds = [live(seed, 500) for seed in range(3)]
    assert any(world.found or missing(world) for world in worlds)
    assert name != '_unbelievable' or all('ACTIVE POLICY' in missing(world) for world in worlds)


def test_half_of_the_worlds_have_parameters_of_their_own() -> None:
    drawn_worlds = [seed for seed in range(60) if World(seed).is_drawn]
    assert 15 <= len(drawn_worlds) <= 45
    assert live(drawn_worlds[0], 20).seen['with drawn parameters'] == 20


def test_parameters_are_drawn_over_all_of_their_ranges_and_nowhere_else() -> None:
    rng, robot = np.random.default_rng(3), load('a1')
    shipped = read(SafetyConfig, config_directory() / 'safety.yaml')
    configs = [drawn(rng, robot, shipped) for _ in range(1500)]
    for config in configs[:100]:
        build(SafetyConfig, dataclasses.asdict(config), 'drawn')
    for field in dataclasses.fields(SafetyConfig):
        values = {getattr(config, field.name) for config in configs}
        if field.type == 'bool':
            assert values == {True, False}
            continue
        ends = {field.metadata['minimum'], field.metadata['maximum']}
        if field.name == 'temperature_derate_share':  # torque must fall before the limit
            ends -= {1.0}
        assert ends <= values, field.name
        assert len(values) >= 9, field.name


def test_a_margin_that_does_not_fit_would_be_found_if_nobody_refused_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    a1 = load('a1')
    slim = dataclasses.replace(a1, position_min=a1.stance - 0.3, position_max=a1.stance + 0.3)
    monkeypatch.setattr('fuzz.known_robot', lambda name: slim)
    assert not [line for seed in range(12) for line in live(seed, 100).found]
    for module in ('quad_learner.safety.core', 'fuzz_parameters'):
        monkeypatch.setattr(f'{module}.check_box', lambda robot, config: None)
    found = [line for seed in range(12) for line in live(seed, 100).found]
    assert any('I3 outside the box' in line for line in found)


def test_a_step_that_fails_is_found_where_it_was_given_sense(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(SafetyCore, '_grip', lambda core, course, now_ns: 1.0 / 0.0)
    found = [line for seed in range(3) for line in live(seed, 500).found]
    assert any('failed with ZeroDivisionError' in line for line in found)
