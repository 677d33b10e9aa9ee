"""Who watches changes nothing: the same commands with and without."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import Any

import numpy as np

from quad_learner.gymnasium_env import WalkEnv
from quad_learner.robot.signals import JointCommand

STEPS = 60


def commands(blind: bool) -> tuple[str, int]:
    """Returns a digest of all commands of a short walk, and how many the judge has seen."""
    env = WalkEnv(episode_s=2.0)
    env.reset(seed=3)
    graph: Any = env.graph
    before = graph.judge.judged
    digest = hashlib.sha256()
    whole = graph._sink.accept

    def accept(command: JointCommand, *rest: Any) -> Any:
        numbers = (command.position, command.kp, command.kd, command.sequence, command.reasons)
        digest.update(b''.join(np.asarray(part).tobytes() for part in numbers))
        return whole(command, *rest)

    graph._sink.accept = accept
    if blind:
        graph.judge.check = lambda *_: []
        graph.judge.hear = lambda *_: None
    chance = np.random.default_rng(0)
    for _ in range(STEPS):
        env.step(chance.uniform(-1.0, 1.0, 12))
        if not blind:  # whoever looks on reads all there is to read
            _ = (graph.sim.truth(), graph.sim.health(), replace(graph.command), graph.estimate)
    judged = graph.judge.judged - before
    assert graph.unsafe == []
    env.close()
    return digest.hexdigest(), judged


def test_who_watches_changes_no_command() -> None:
    watched, seen = commands(blind=False)
    unwatched, unseen = commands(blind=True)
    assert watched == unwatched
    assert (seen >= 2 * STEPS, unseen) == (True, 0)
