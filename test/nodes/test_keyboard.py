from __future__ import annotations

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest

from quad_learner import bringup
from quad_learner.nodes.keyboard import KeyboardNode
from quad_learner.ros import topics


@pytest.fixture
def pipe() -> Iterator[tuple[int, int]]:
    """Returns where keys come out and where they go in."""
    reader, writer = os.pipe()
    yield reader, writer
    os.close(reader)


@pytest.fixture
def keyboard(bench: Any, pipe: tuple[int, int]) -> Any:
    spec = bringup.keyboard_node()
    values = bringup.parameters([spec], {'gear': 'real_time'}, None)[spec.name]
    bench.listen(topics.CMD_VEL)
    bench.adopt(partial(KeyboardNode, pipe[0]), values)
    return bench


def velocities(bench: Any) -> list[tuple[float, float, float]]:
    heard = bench.heard[topics.CMD_VEL.name]
    return [(each.linear.x, each.linear.y, each.angular.z) for each in heard]


def test_a_key_drives_while_it_is_held_and_then_says_stand_once(
    keyboard: Any, pipe: tuple[int, int]
) -> None:
    os.write(pipe[1], b'w')
    keyboard.until(lambda: (0.6, 0.0, 0.0) in velocities(keyboard), 'ahead at full speed')
    keyboard.until(lambda: velocities(keyboard)[-1] == (0.0, 0.0, 0.0), 'stand')
    keyboard.settle()
    assert velocities(keyboard).count((0.0, 0.0, 0.0)) == 1
    assert set(velocities(keyboard)) == {(0.6, 0.0, 0.0), (0.0, 0.0, 0.0)}
    os.close(pipe[1])


def test_the_end_of_its_input_is_told_and_ends_nothing(
    keyboard: Any, pipe: tuple[int, int]
) -> None:
    os.write(pipe[1], b'a')
    os.close(pipe[1])
    keyboard.until(lambda: 'ended' in keyboard.node.report()[1], 'the end is told')
    keyboard.until(lambda: (0.0, 0.0, 0.0) in velocities(keyboard), 'stand')
    assert not keyboard.node.finished
