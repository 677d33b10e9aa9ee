"""A subset of `make crash`, and that its harness finds what it is there to find."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import numpy as np
import pytest

import crash
import crash_damage
import crash_kill
from crash_disk import Shim, survivor
from crash_tally import Tally
from crash_work import STEP, Generations, Promise
from quad_learner.experience.durable import write_synced


def _is_fine(tally: Tally) -> None:
    assert tally.problems == []
    assert tally.executed == tally.expected > 0


def test_nothing_promised_is_lost_by_kills_at_random() -> None:
    _is_fine(crash.kills(Generations(), trials=60, seed=1))


def test_a_policy_may_be_left_behind_by_kills_in_a_row_but_not_torn(tmp_path: Path) -> None:
    store = Generations()
    store.save(tmp_path, 1)
    left_behind = (tmp_path / 'policy.onnx').read_bytes()
    for number in (2, 3):
        store.save(tmp_path, number)
        (tmp_path / 'policy.onnx').write_bytes(left_behind)
    assert store.load(tmp_path) == 3
    (tmp_path / 'policy.onnx').write_bytes(left_behind[:-1])
    assert store.load(tmp_path) is None


def test_a_fork_does_not_collect_the_garbage_of_its_parent() -> None:
    finalised = []

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            finalised.append(os.getpid())

    def work(promise: Promise) -> None:
        gc.collect()
        promise(STEP, len(finalised))

    gc.disable()
    try:
        Garbage()
        assert crash_kill.killed(work, lambda child, reader: None) == {'ended': 1, STEP: 0}
        gc.collect()
        assert finalised == [os.getpid()], 'what was there to see was no garbage'
    finally:
        gc.enable()


@pytest.mark.slow
def test_nothing_promised_is_lost_by_a_kill_at_any_call() -> None:
    tally = crash.each_call(Generations())
    _is_fine(tally)
    assert tally.executed > 100


@pytest.mark.slow
def test_a_power_cut_costs_a_second_at_most() -> None:
    _is_fine(crash.power(Generations(), seed=2, every=17))


def test_turned_bits_are_found() -> None:
    for tally in crash_damage.bits(flips=1000, seed=3):
        _is_fine(tally)


@pytest.mark.slow
def test_a_checkpoint_cut_at_any_byte_is_refused() -> None:
    _is_fine(crash_damage.lengths())


def test_every_wrong_way_is_caught() -> None:
    assert crash.canaries(seed=4) == {
        'InPlace': True,
        'DeleteThenWrite': True,
        'NoFolderSync': True,
    }


def test_a_power_cut_leaves_what_was_synced_and_nothing_else_for_sure(tmp_path: Path) -> None:
    before, after, lucky = (tmp_path / name for name in ('before', 'after', 'lucky'))
    for folder in (before, after, lucky):
        folder.mkdir()
    shim = Shim(before)
    with shim.installed():
        write_synced(before / 'named', b'old')
        os.fsync(descriptor := os.open(before, os.O_RDONLY))
        os.close(descriptor)
        write_synced(before / 'nameless', b'content is synced, its name is not')
        descriptor = os.open(before / 'named', os.O_WRONLY)
        os.pwrite(descriptor, b'new', 0)
        os.close(descriptor)
    survivor(shim.notes, None, after)
    assert {path.name: path.read_bytes() for path in after.iterdir()} == {'named': b'old'}
    outcomes = set()
    for seed in range(40):
        survivor(shim.notes, np.random.default_rng(seed), lucky)
        outcomes.add(tuple(sorted((p.name, p.read_bytes()) for p in lucky.iterdir())))
        for path in lucky.iterdir():
            path.unlink()
    contents = {content for outcome in outcomes for _, content in outcome}
    assert {b'old', b'new'} < contents
    assert contents & {b'nld', b'ned'}, 'no write was torn'
    assert {len(outcome) for outcome in outcomes} == {1, 2}
