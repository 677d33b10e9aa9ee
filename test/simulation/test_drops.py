"""Claims about falls: the robot drops freely, with no limb in another, and standing is upright."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest

from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.robot.model import load
from quad_learner.safety.modes import Authority
from quad_learner.simulation import drops
from quad_learner.simulation.in_process import InProcessGraph
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
LEVEL = np.array((0.0, 0.0, 0.0, 1.0))


def test_it_falls_for_a_second_as_a_stone_does(build: Build) -> None:
    simulated, looked = build(), list[int]()
    generator = np.random.default_rng(0)
    drops.drop(
        simulated,
        np.array((0.0, 0.0, 50.0)),
        LEVEL,
        generator,
        lambda: looked.append(simulated.time_ns),
    )
    assert simulated.time_ns == 1_000_000_000
    assert looked == [tick * 1_000_000_000 // 120 for tick in range(120)]
    # g/2 · 1 s² = 4.9 m, less what limp legs throw about; and no more than the step of physics.
    assert 50.0 - simulated.truth().position[2] == pytest.approx(4.905, abs=0.1)


@pytest.mark.parametrize(('overlapping', 'placed'), [(0, 1), (3, 4), (1000, 100)])
def test_joints_are_drawn_again_while_a_limb_is_in_another_but_not_for_ever(
    build: Build, monkeypatch: pytest.MonkeyPatch, overlapping: int, placed: int
) -> None:
    answers = iter([True] * overlapping + [False] * 1000)
    monkeypatch.setattr(drops, 'overlaps', lambda _: next(answers))
    simulated = build()
    drops.drop(simulated, np.array((0.0, 0.0, 9.0)), LEVEL, np.random.default_rng(0))
    assert simulated.placements == placed


@pytest.mark.parametrize(
    ('height', 'roll', 'up'),
    [
        # The A1 stands 0.27 m high; 0.6 of that is 0.162 m.
        (0.27, 0.0, True),
        (0.17, 0.0, True),
        (0.155, 0.0, False),
        (0.27, 0.34, True),
        (0.27, -0.36, False),
        (0.27, math.pi, False),
    ],
)
@pytest.mark.parametrize('place', [(0.0, 0.0), (0.7, -0.4)])
def test_who_stands_is_upright_and_high_above_the_ground_below(
    build: Build, place: tuple[float, float], height: float, roll: float, up: bool
) -> None:
    simulated = build(terrain='slope')
    x, y = place
    above = simulated.world.ground_height(x, y) + height
    turned = np.array((math.sin(roll / 2.0), 0.0, 0.0, math.cos(roll / 2.0)))
    simulated.place(np.array((x, y, above)), turned, simulated.robot.stance)
    assert drops.stands(simulated) is up


@pytest.fixture
def graph() -> Iterator[InProcessGraph]:
    configs = configs_of(shipped_files())
    graph = InProcessGraph(load('a1'), configs.parts, configs.graph)
    graph.connect()
    yield graph
    graph.close()


def test_while_the_policy_is_silent_reset_drives_and_keeps_the_robot_up(
    graph: InProcessGraph,
) -> None:
    driven = []
    for _ in range(3 * 80):
        graph.idle()
        assert graph.command is not None
        driven.append(graph.command.authority)
    assert graph.sim.time_ns == 3_000_000_000
    assert set(driven[80:]) == {Authority.RESET}
    assert not graph.unsafe and not graph.trips
    assert drops.stands(graph.sim)
