"""Which threads of which node run before all others."""

from __future__ import annotations

from typing import Any

import pytest

from quad_learner.nodes.drive import DriveNode
from quad_learner.nodes.estimator import EstimatorNode
from quad_learner.nodes.keyboard import KeyboardNode
from quad_learner.nodes.learner import LearnerNode
from quad_learner.nodes.monitor import MonitorNode
from quad_learner.nodes.policy import PolicyNode
from quad_learner.nodes.reset import ResetNode
from quad_learner.nodes.robot_ros2_control import RobotRos2ControlNode
from quad_learner.nodes.robot_sim import RobotSimNode
from quad_learner.nodes.safety import SafetyNode
from quad_learner.ros import graph_node

THREADS = [11, 12, 13]
"""of a process that is made up; the first is its own"""


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[int], int]]:
    """Returns whom the node lets run first, and how much; nothing of this process changes."""
    calls: list[tuple[list[int], int]] = []
    monkeypatch.setattr(graph_node, 'threads', lambda: list(THREADS))
    monkeypatch.setattr(graph_node, 'lock_memory', lambda: True)
    monkeypatch.setattr(graph_node, 'run_first', lambda *call: not calls.append(call))  # type: ignore[func-returns-value]
    return calls


def test_what_the_robot_waits_for_controls_it() -> None:
    control = (RobotSimNode, RobotRos2ControlNode, SafetyNode, EstimatorNode, ResetNode)
    assert all(kind.controls for kind in (*control, PolicyNode, DriveNode))
    assert not any(kind.controls for kind in (LearnerNode, MonitorNode, KeyboardNode))


@pytest.mark.parametrize('controls, expected', [(True, THREADS), (False, THREADS[1:])])
def test_in_real_time_control_runs_first_and_of_others_the_middleware_alone(
    bench: Any,
    asked: list[tuple[list[int], int]],
    monkeypatch: pytest.MonkeyPatch,
    controls: bool,
    expected: list[int],
) -> None:
    monkeypatch.setattr(EstimatorNode, 'controls', controls)
    node = bench.start(EstimatorNode, 'estimator', gear='real_time', real_time_priority=27)
    node.take_precedence()
    assert asked == [(expected, 27)]


@pytest.mark.parametrize(
    'kind, name, allowed, priority',
    [
        (EstimatorNode, 'estimator', 27, 27),
        (SafetyNode, 'safety', 27, 26),
        (ResetNode, 'reset', 27, 25),
        (ResetNode, 'reset', 1, 1),
    ],
)
def test_who_answers_first_goes_first(
    bench: Any,
    asked: list[tuple[list[int], int]],
    kind: Any,
    name: str,
    allowed: int,
    priority: int,
) -> None:
    node = bench.start(kind, name, gear='real_time', real_time_priority=allowed)
    node.take_precedence()
    assert asked == [(THREADS, priority)]


@pytest.mark.parametrize(
    'controls, gear, locked',
    [(True, 'real_time', 1), (False, 'real_time', 0), (True, 'lockstep', 0)],
)
def test_in_real_time_what_controls_keeps_its_code_in_memory(
    bench: Any,
    asked: list[tuple[list[int], int]],
    monkeypatch: pytest.MonkeyPatch,
    controls: bool,
    gear: str,
    locked: int,
) -> None:
    calls: list[str] = []
    monkeypatch.setattr(EstimatorNode, 'controls', controls)
    monkeypatch.setattr(graph_node, 'lock_memory', lambda: calls.append('locked'))
    bench.start(EstimatorNode, 'estimator', gear=gear).take_precedence()
    assert len(calls) == locked


@pytest.mark.parametrize('changed', [{'gear': 'lockstep'}, {'real_time_priority': 0}])
def test_a_world_that_waits_or_a_user_who_says_so_leaves_all_alike(
    bench: Any, asked: list[tuple[list[int], int]], changed: dict[str, Any]
) -> None:
    node = bench.start(EstimatorNode, 'estimator', **({'gear': 'real_time'} | changed))
    node.take_precedence()
    assert not asked
