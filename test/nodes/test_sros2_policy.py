"""The policy of who may say what, against what the nodes really have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import torch

from quad_learner import bringup
from quad_learner.configuration import read
from quad_learner.experience.run_directory import create_at
from quad_learner.learning.actor import Actor
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner_config import LearnerConfig
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
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.ros import topics
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import KINDS
from quad_learner.task.walk import WalkTask

POLICY = ElementTree.parse(config_directory() / 'sros2' / 'policy.xml').getroot()
NODES = {spec.name for spec in bringup.nodes('sim')}
EVERYWHERE = {'rosout'}
"""made beneath rclpy"""
MAYBE = {'tf'}
"""where tf2_msgs is installed"""
WHO: dict[str, list[tuple[type[Any], dict[str, Any]]]] = {
    'robot': [(RobotSimNode, {'external_pose_hz': 1.0}), (RobotRos2ControlNode, {})],
    'safety': [(SafetyNode, {})],
    'estimator': [(EstimatorNode, {})],
    'reset': [(ResetNode, {})],
    'policy': [(PolicyNode, {'tasks': list(KINDS)}), (DriveNode, {})],
    'monitor': [(MonitorNode, {})],
    'keyboard': [(KeyboardNode, {})],
    'learner': [(LearnerNode, {'tasks': list(KINDS)})],
}


def allowed(enclave: str, kind: str, how: str) -> set[str]:
    """Returns the names of a kind (topic, service) that an enclave is allowed."""
    (found,) = [e for e in POLICY.iter('enclave') if e.get('path') == f'/quad_learner/{enclave}']
    groups = [g for g in found.iter(f'{kind}s') if g.get(how) == 'ALLOW']
    return {str(each.text) for group in groups for each in group.iter(kind)}


def who_may(kind: str, how: str, name: str) -> set[str]:
    """Returns the enclaves that are allowed `name`."""
    paths = [str(e.get('path')).removeprefix('/quad_learner/') for e in POLICY.iter('enclave')]
    return {path for path in paths if name in allowed(path, kind, how)}


@pytest.fixture(scope='module')
def untrained() -> bytes:
    """Returns a model of a policy that has learned nothing."""
    config = config_directory()
    task = WalkTask(load('a1'), read(TaskConfig, config / 'task.yaml', {}))
    learner = read(LearnerConfig, config / 'learner.yaml', {'actor_width': 8})
    return policy_onnx(Actor(task.observation_size, task.action_size, learner, torch.Generator()))


@pytest.fixture
def ends(bench: Any, tmp_path: Path, untrained: bytes) -> Callable[[str], dict[str, set[str]]]:
    """Returns a function that gives what the nodes called `name` publish, hear and serve."""

    def make(name: str) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {'publish': set(), 'subscribe': set(), 'reply': set()}
        for number, (kind, changed) in enumerate(WHO[name]):
            run = create_at(tmp_path / f'{name}{number}', {})
            if kind is DriveNode:
                run.policy_of('').write_bytes(untrained)
            table = (
                bringup.drive_nodes('sim')
                if kind is DriveNode
                else bringup.nodes('ros2_control' if kind is RobotRos2ControlNode else 'sim')
            )
            (spec,) = [s for s in (*table, bringup.keyboard_node()) if s.name == name]
            values = bringup.parameters([spec], {'gear': 'real_time'}, None)[name]
            values |= {'run_directory': str(run.path), **changed}
            node = bench.make(kind, values)
            found['publish'] |= {p.topic_name.lstrip('/') for p in node.publishers}
            found['subscribe'] |= {s.topic_name.lstrip('/') for s in node.subscriptions}
            found['reply'] |= {
                s.srv_name.removeprefix(f'{name}/')
                if s.srv_name.endswith(('_parameters', 'types', 'atomically', 'description'))
                else s.srv_name
                for s in node.services
            }
            if kind is not SafetyNode:
                node.close()
            node.destroy_node()
        return found

    return make


@pytest.mark.parametrize('name', sorted(WHO))
def test_each_process_may_do_what_it_does_and_no_more(ends: Any, name: str) -> None:
    has = ends(name)
    assert allowed(name, 'topic', 'publish') - MAYBE == has['publish'] - MAYBE | EVERYWHERE
    assert allowed(name, 'topic', 'subscribe') == has['subscribe']
    assert {s.lstrip('~') for s in allowed(name, 'service', 'reply')} == has['reply']
    assert allowed(name, 'service', 'request') == set()


def test_there_is_an_enclave_for_each_process_and_one_for_the_operator() -> None:
    paths = {str(e.get('path')) for e in POLICY.iter('enclave')}
    specs = (*bringup.nodes('sim'), bringup.keyboard_node())
    assert paths == {spec.enclave for spec in specs} | {'/quad_learner/operator'}
    for enclave in POLICY.iter('enclave'):
        (profile,) = enclave.iter('profile')
        assert (profile.get('ns'), f'/quad_learner/{profile.get("node")}') == (
            '/',
            enclave.get('path'),
        )


def test_only_safety_commands_only_drivers_ask_and_only_the_operator_resumes() -> None:
    assert who_may('topic', 'publish', topics.JOINT_COMMAND.name) == {'safety'}
    assert who_may('topic', 'publish', topics.POLICY_TARGET.name) == {'policy'}
    assert who_may('topic', 'publish', topics.RESET_TARGET.name) == {'reset'}
    assert who_may('topic', 'publish', topics.MODEL.name) == {'learner'}
    assert who_may('topic', 'publish', topics.ROBOT_STATE.name) == {'robot'}
    for service in topics.SERVICES:
        assert who_may('service', 'request', service.name) == {'operator'}


def test_nobody_may_set_a_parameter_and_nothing_is_allowed_by_pattern() -> None:
    names = [str(each.text) for kind in ('topic', 'service') for each in POLICY.iter(kind)]
    assert not [name for name in names if '*' in name or name.startswith('/')]
    for node in NODES:
        for setter in ('set_parameters', 'set_parameters_atomically'):
            assert who_may('service', 'request', f'{node}/{setter}') == set()


def test_the_operator_sees_all_but_what_is_between_processes_alone() -> None:
    between = {topics.JOINT_COMMAND, topics.POLICY_TARGET, topics.RESET_TARGET}
    seen = {topic.name.lstrip('/') for topic in set(topics.TABLE) - between} | {'rosout'}
    assert allowed('operator', 'topic', 'subscribe') == seen
