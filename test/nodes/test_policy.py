from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from std_msgs.msg import UInt8MultiArray

from quad_learner.nodes.policy import PolicyNode
from quad_learner.policy import golden
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import OK, WARN
from quad_learner.ros.messages import battery_to, odometry_to, place_to
from quad_learner.ros.packed import Progress, Records, progress_to
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.kinds import FORWARD, LEFT
from quad_learner.task.workspace import Place

PERIOD_NS = 25_000_000


def model(observations: int, bias: float, **properties: Any) -> UInt8MultiArray:
    """Returns a model that always wants the same: tanh(bias) of each of twelve actions."""
    nothing = np.zeros((observations, 12), np.float32)
    constants = {
        'nothing': nothing,
        'bias': np.full(12, bias, np.float32),
        'spread': np.full(12, -20.0, np.float32),
    }
    graph = helper.make_graph(
        [
            helper.make_node('Gemm', ['observation', 'nothing', 'bias'], ['mean_raw']),
            helper.make_node('Gemm', ['observation', 'nothing', 'spread'], ['log_std']),
        ],
        'constant',
        [helper.make_tensor_value_info('observation', TensorProto.FLOAT, [1, observations])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 12])
            for name in ('mean_raw', 'log_std')
        ],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid('', 17)], ir_version=8)
    helper.set_model_props(made, {name: str(value) for name, value in properties.items()})
    onnx.checker.check_model(made)
    message = UInt8MultiArray()
    message.data = made.SerializeToString()
    return message


class Graph:
    """The policy node, and robot, estimator, safety and learner played by the test."""

    def __init__(self, bench: Any, builders: tuple[Any, Any, Any]) -> None:
        self.bench = bench
        self._samples, self._estimates, self._commands = builders
        self.decision = 0

    def targets(self) -> Any:
        records = self.bench.records
        found = map(records.target_from, self.bench.heard['policy/target'])
        return [target for target in found if target.time_ns >= 0]

    def steps(self) -> Any:
        return list(map(self.bench.records.transition_from, self.bench.heard['experience']))

    def speak(self, **command: Any) -> None:
        """Says all that a decision depends on; safety's last command was `command`."""
        stamp = self.decision * PERIOD_NS
        bench = self.bench
        if self.decision:
            before = bench.stamp(bench.per_decision * self.decision - 1)
            given = self._commands(time_ns=before, **command)
            bench.say(topics.JOINT_COMMAND, bench.records.command_to(given))
        bench.say(topics.ODOM, odometry_to(self._estimates(time_ns=stamp)))
        bench.sense(self._samples(time_ns=stamp))
        self.decision += 1

    def decide(self, **command: Any) -> Any:
        """Returns the target of the next decision."""
        stamp = self.decision * PERIOD_NS
        self.speak(**command)
        return self.bench.until(
            lambda: [t for t in self.targets() if t.time_ns == stamp], f'the target of {stamp} ns'
        )[-1]


@pytest.fixture
def graph(bench: Any, sample_of: Any, estimate_of: Any, command_of: Any) -> Graph:
    bench.listen(topics.POLICY_TARGET, topics.EXPERIENCE, topics.EPISODE, topics.POLICY_STATE)
    bench.start(
        PolicyNode,
        'policy',
        noise_scale=0.0,
        use_oscillator=False,
        episode_s=0.5,
        standing_hold=0.0,  # the robot that the tests play stands at the first look
    )
    return Graph(bench, (sample_of, estimate_of, command_of))


def taught(graph: Graph, sequence: int = 0, episode: int = 0, **properties: int) -> Graph:
    """Gives the node a model that wants an action of ½, and where the numbering goes on."""
    size = graph.bench.node._task.observation_size
    wanted = model(
        size, float(np.arctanh(0.5)), **({'version': 3, 'made_after': 1000} | properties)
    )
    graph.bench.say(topics.MODEL, wanted)
    graph.bench.say(topics.PROGRESS, progress_to(Progress(sequence, episode, 0, 3)))
    graph.bench.until(lambda: graph.bench.node._driver, 'that it knows where to go on')
    return graph


def begun(graph: Graph) -> int:
    """Lets an episode begin; returns the session."""
    graph.decide()
    request = graph.decide(authority=Authority.RESET, request=1).request
    assert request > 0
    graph.decide(authority=Authority.POLICY, request=request)
    return int(request)


def test_it_gives_a_sign_of_life_while_it_waits_for_the_learner(graph: Graph) -> None:
    bench = graph.bench
    signs = bench.until(lambda: bench.heard['policy/target'], 'a sign of life')
    target = bench.records.target_from(signs[0])
    assert target.request == 0
    assert target.time_ns < 0, 'it answers no sample'
    assert bench.node.report()[1] == 'waiting for learner/progress'


def test_where_it_is_to_go_on_is_asked_again_when_it_cannot_be_read(graph: Graph) -> None:
    bench = graph.bench
    wrong = progress_to(Progress(1, 2, 3, 4))
    wrong.data[0] = float('nan')
    bench.say(topics.PROGRESS, wrong)
    told = bench.node.diagnostics.values
    bench.until(lambda: 'progress: ' in told.get('refused', ''), 'the refusal')
    assert bench.node._driver is None
    assert taught(graph, sequence=7).bench.node._driver.counters.sequence == 7


def test_it_decides_once_for_each_decision_and_drives_only_with_leave(graph: Graph) -> None:
    taught(graph)
    request = begun(graph)
    target = graph.targets()[-1]
    robot = graph.bench.robot
    assert target.request == request
    np.testing.assert_allclose(target.position, robot.stance + 0.5 * robot.action_box, rtol=1e-6)
    decided = [t.time_ns for t in graph.targets()]
    assert sorted(set(decided)) == [0, PERIOD_NS, 2 * PERIOD_NS]


def test_each_step_is_told_with_its_number_and_what_was_executed(graph: Graph) -> None:
    taught(graph, sequence=41, episode=6)
    request = begun(graph)
    robot = graph.bench.robot
    executed = robot.stance + 0.25 * robot.action_box
    for _ in range(3):
        graph.decide(
            authority=Authority.POLICY,
            request=request,
            position=executed,
            reasons=Reason.CLIPPED_RATE,
        )
    graph.bench.until(lambda: len(graph.steps()) == 3, 'three steps')
    assert [step.sequence for step in graph.steps()] == [42, 43, 44]
    assert {step.episode for step in graph.steps()} == {7}
    assert {step.policy_version for step in graph.steps()} == {3}
    for step in graph.steps():
        np.testing.assert_allclose(step.asked, 0.5, rtol=1e-6)
        np.testing.assert_allclose(step.action, 0.25, atol=1e-6)
        assert step.reasons == Reason.CLIPPED_RATE


def test_a_fall_ends_the_episode_and_is_told(graph: Graph) -> None:
    taught(graph)
    begun(graph)
    target = graph.decide(
        mode=Mode.SOFT_STOP, authority=Authority.NOBODY, request=0, reasons=Reason.TILT
    )
    assert target.request == 0
    episode = graph.bench.until(lambda: graph.bench.heard['policy/episode'], 'the episode')[0]
    end = graph.bench.records.episode_from(episode)
    assert end.fell
    assert (end.episode, end.steps) == (1, 1)
    assert graph.steps()[-1].terminated


def test_a_tired_robot_at_home_is_left_to_reset_until_it_is_charged(graph: Graph) -> None:
    taught(graph)
    held, heard = {'authority': Authority.RESET, 'request': 1}, graph.bench.node._health
    for charge, second in ((0.12, 0), (0.9, 2)):
        health = Health(second * 10**9, 24.0, charge, np.full(12, 40.0))
        graph.bench.say(topics.BATTERY, battery_to(health))
        stamp = health.time_ns
        graph.bench.until(lambda s=stamp: heard.newest and heard.newest.time_ns == s, 'health')
        graph.decision = 40 * (second + 1)
        asks = graph.decide(**held).request > 0
        assert asks == (charge > 0.5)


def test_in_lockstep_it_waits_for_the_model_that_is_meant_for_the_step(graph: Graph) -> None:
    taught(graph, use_until=2)
    request = begun(graph)
    driving = {'authority': Authority.POLICY, 'request': request}
    graph.decide(**driving)
    graph.decide(**driving)  # two steps are done: the third needs another model
    before = graph.decision * PERIOD_NS
    graph.speak(**driving)
    graph.bench.settle()
    assert graph.targets()[-1].time_ns < before
    assert graph.bench.node.report()[1] == 'waiting for the learner (lockstep)'
    size = graph.bench.node._task.observation_size
    graph.bench.say(topics.MODEL, model(size, 0.0, version=4, use_from=2, made_after=2))
    graph.bench.until(lambda: graph.targets()[-1].time_ns == before, 'the decision')
    np.testing.assert_array_equal(graph.targets()[-1].position, graph.bench.robot.stance)


def test_a_model_that_is_garbage_is_refused_and_the_last_one_drives_on(graph: Graph) -> None:
    taught(graph)
    garbage = UInt8MultiArray()
    garbage.data = b'garbage'
    graph.bench.say(topics.MODEL, garbage)
    begun(graph)
    assert graph.bench.node._choosers[FORWARD].version == 3


def test_a_flood_of_garbage_is_counted_and_told_once(
    graph: Graph, capfd: pytest.CaptureFixture[str]
) -> None:
    taught(graph).decide()
    told = graph.bench.node.diagnostics.values
    for number in range(1, 6):
        graph.bench.say(topics.MODEL, UInt8MultiArray(data=b'garbage'))
        graph.bench.until(lambda n=number: told['models_refused'] == n, f'refusal {number}')
    assert capfd.readouterr().err.count('forward keeps version 3') == 1


def test_a_model_that_fails_its_golden_answers_is_told_and_the_last_one_drives_on(
    graph: Graph,
) -> None:
    taught(graph, use_until=2)
    node, size = graph.bench.node, graph.bench.node._task.observation_size
    actions = np.zeros((1, graph.bench.robot.action_box.size))
    told = golden.written(np.zeros((1, size)), actions, actions + np.exp(-5.0))
    span = {'use_from': 2, 'made_after': 1000}
    graph.bench.say(topics.MODEL, model(size, 0.3, version=4, golden=told, **span))
    request = begun(graph)
    for _ in range(3):  # nobody waits for another: the old one has its stretch
        graph.decide(authority=Authority.POLICY, request=request)
    assert node._choosers[FORWARD].version == 3
    level, summary = node.report()
    assert (level, node.diagnostics.values['models_refused']) == (WARN, 1)
    assert 'forward keeps version 3: policy version 4 answers otherwise' in summary
    graph.bench.say(topics.MODEL, model(size, 0.0, version=5, **span))
    graph.bench.until(lambda: node._models[FORWARD]._waiting, 'the model')
    graph.decide(authority=Authority.POLICY, request=request)
    assert node._choosers[FORWARD].version == 5
    assert node.report()[0] == OK


def test_in_real_time_a_model_is_read_when_nobody_waits_for_an_answer(
    bench: Any, sample_of: Any, estimate_of: Any, command_of: Any
) -> None:
    bench.listen(topics.POLICY_TARGET, topics.EXPERIENCE)
    bench.start(PolicyNode, 'policy', gear='real_time', noise_scale=0.0)
    graph = taught(Graph(bench, (sample_of, estimate_of, command_of)))
    node, size = bench.node, bench.node._task.observation_size
    bench.say(topics.MODEL, model(size, 0.1, version=4))
    bench.say(topics.MODEL, model(size, 0.2, version=5))
    bench.until(lambda: node._unread, 'a model')
    bench.settle()
    assert [each.card.version for each in node._models[FORWARD]._waiting] == [3]
    graph.decide()
    assert node._choosers[FORWARD].version == 3
    bench.until(lambda: not node._unread, 'that it is read')
    graph.decide()
    assert node._choosers[FORWARD].version == 5


STANDS_BY = {'authority': Authority.NOBODY, 'request': 0, 'mode': Mode.STANDBY}


@pytest.fixture
def two(bench: Any, sample_of: Any, estimate_of: Any, command_of: Any) -> Graph:
    """Returns the node with two tasks in turn."""
    bench.listen(topics.POLICY_TARGET, topics.EXPERIENCE, topics.EPISODE, topics.POLICY_STATE)
    bench.start(
        PolicyNode,
        'policy',
        noise_scale=0.0,
        use_oscillator=False,
        tasks=['forward', 'left'],
        standing_hold=0.0,
    )
    return Graph(bench, (sample_of, estimate_of, command_of))


def lived(graph: Graph) -> None:
    """Lets an episode of two steps begin and end by an operator's stop."""
    request = graph.decide(authority=Authority.RESET, request=1).request
    for _ in range(2):
        graph.decide(authority=Authority.POLICY, request=request)
    graph.decide(
        mode=Mode.SOFT_STOP, authority=Authority.NOBODY, request=0, reasons=Reason.OPERATOR
    )


def test_each_task_is_driven_by_its_own_model_and_its_steps_say_so(two: Graph) -> None:
    taught(two)
    size = two.bench.node._task.observation_size
    two.bench.say(topics.model(LEFT.suffix), model(size, -0.5, version=8, made_after=1000))
    two.bench.until(lambda: two.bench.node._models[LEFT]._waiting, 'the model')
    two.decide()
    lived(two)
    lived(two)
    steps = two.bench.until(lambda: len(two.steps()) == 4 and two.steps(), 'four steps')
    assert [step.task for step in steps] == [FORWARD.number] * 2 + [LEFT.number] * 2
    assert [step.policy_version for step in steps] == [3, 3, 8, 8]
    np.testing.assert_allclose(steps[0].asked, 0.5, rtol=1e-6)
    np.testing.assert_allclose(steps[3].asked, np.tanh(-0.5), rtol=1e-6)
    ends = two.bench.until(
        lambda: len(two.bench.heard['policy/episode']) == 2 and two.bench.heard['policy/episode'],
        'two episodes',
    )
    told = [two.bench.records.episode_from(end).task for end in ends]
    assert told == [FORWARD.number, LEFT.number]


def test_tasks_that_share_a_learner_are_driven_by_its_model(
    bench: Any, sample_of: Any, estimate_of: Any, command_of: Any
) -> None:
    bench.listen(topics.POLICY_TARGET, topics.EXPERIENCE, topics.EPISODE)
    shared = {'tasks': ['forward', 'left'], 'share_learner': True}
    bench.start(PolicyNode, 'policy', standing_hold=0.0, **shared)
    bench.records = Records(bench.robot, bench.node._task.observation_size)
    graph = taught(Graph(bench, (sample_of, estimate_of, command_of)))
    graph.decide()
    lived(graph)
    lived(graph)
    steps = graph.bench.until(lambda: len(graph.steps()) == 4 and graph.steps(), 'four steps')
    assert [step.task for step in steps] == [FORWARD.number] * 2 + [LEFT.number] * 2
    assert [step.policy_version for step in steps] == [3] * 4


def test_in_lockstep_no_task_begins_before_its_model_knows_of_the_last_episode(two: Graph) -> None:
    taught(two)
    size = two.bench.node._task.observation_size
    left = topics.model(LEFT.suffix)
    two.bench.say(left, model(size, -0.5, version=8, made_after=0))
    two.decide()
    lived(two)
    two.decide(authority=Authority.RESET, request=1)  # it asks, now for the other task
    before = two.decision * PERIOD_NS
    two.speak(authority=Authority.RESET, request=1)
    two.bench.settle()
    assert two.targets()[-1].time_ns < before
    two.bench.say(left, model(size, -0.5, version=8, made_after=2))
    two.bench.until(lambda: two.targets()[-1].time_ns == before, 'the decision')


def test_an_external_pose_moves_the_place_half_a_second_later(two: Graph) -> None:
    node, bench = two.bench.node, two.bench
    taught(two)
    two.decide()
    bench.say(topics.EXTERNAL_POSE, place_to(10**18, Place(0.1, 0.0, 0.0)))
    bench.until(lambda: 'ahead of the robot' in node._poses.refused, 'that of another clock')
    bench.say(topics.EXTERNAL_POSE, place_to(0, Place(0.4, -0.2, 0.25)))
    bench.until(lambda: len(node._poses), 'the pose, which the one before does not hold up')
    for _ in range(19):
        two.decide(**STANDS_BY)
        assert node._course.place.x == 0.0
    two.decide(**STANDS_BY)
    assert node._course.place == pytest.approx((0.4, -0.2, 0.25))


def test_poses_that_stop_are_told_and_so_is_why_they_do_not_count(two: Graph) -> None:
    node, bench = two.bench.node, two.bench
    taught(two)
    two.decide()
    bench.say(topics.EXTERNAL_POSE, place_to(0, Place(0.4, 0.0, 0.0)))
    bench.until(lambda: len(node._poses), 'the pose')
    for _ in range(21):
        two.decide(**STANDS_BY)
    assert 'external/pose' not in node.report()[1]
    assert node.diagnostics.values['pose_correction_m'] == '0.40'
    bench.say(topics.EXTERNAL_POSE, place_to(PERIOD_NS, Place(50.0, 0.0, 0.0)))
    bench.until(lambda: len(node._poses), 'the glitch')
    for _ in range(240):
        two.decide(**STANDS_BY)
    told = (
        'no external/pose has counted for 6 s: the place drifts; the newest: 49.60 m from where '
    )
    assert node.report() == (WARN, f'{told}the robot is taken to be')
    assert node._course.place.x == pytest.approx(0.4)
    assert float(node.diagnostics.values['pose_age_s']) == pytest.approx(6.0, abs=0.1)


def test_at_the_end_of_the_runs_time_it_says_that_it_has_finished(
    bench: Any, sample_of: Any, estimate_of: Any, command_of: Any
) -> None:
    bench.listen(topics.POLICY_TARGET, topics.EXPERIENCE, topics.POLICY_STATE)
    bench.start(PolicyNode, 'policy', minutes=0.01, elapsed_s=0.5)  # 0.1 s are left
    graph = taught(Graph(bench, (sample_of, estimate_of, command_of)))
    for _ in range(4):
        graph.decide(authority=Authority.RESET, request=1)
    state = bench.until(
        lambda: [m for m in bench.heard['policy/state'] if m.message == 'finished'], 'the end'
    )[-1]
    values = {pair.key: pair.value for pair in state.values}
    assert values['sequence'] == '0'
    assert float(values['robot_time_s']) == pytest.approx(0.575)
    assert graph.targets()[-1].request == 0


def test_a_second_policy_beside_the_first_is_refused(graph: Graph, tmp_path: Path) -> None:
    from quad_learner.configuration import ConfigurationError

    first = graph.bench.node
    with pytest.raises(ConfigurationError, match='a policy node runs already'):
        graph.bench.start(PolicyNode, 'policy')
    assert graph.bench.node is first
