from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper, numpy_helper

from quad_learner.experience.run_directory import create_at
from quad_learner.nodes.drive import DriveNode
from quad_learner.robot.signals import Health
from quad_learner.ros import topics
from quad_learner.ros.diagnostics import OK, WARN
from quad_learner.ros.messages import battery_to, odometry_to
from quad_learner.safety.modes import Authority, Mode, Reason

PERIOD_NS = 25_000_000
OBSERVATIONS, ACTIONS = 51, 12


def wants(action: float) -> bytes:
    """Returns a model that always wants `action` of each joint, and is sure of it."""
    constants = {
        'zeros': np.zeros((OBSERVATIONS, ACTIONS), np.float32),
        'raw': np.full(ACTIONS, np.arctanh(action), np.float32),
        'sure': np.full(ACTIONS, -5.0, np.float32),
    }
    ends = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, ACTIONS])
        for name in ('mean_raw', 'log_std')
    ]
    graph = helper.make_graph(
        [
            helper.make_node('Gemm', ['observation', 'zeros', 'raw'], ['mean_raw']),
            helper.make_node('Gemm', ['observation', 'zeros', 'sure'], ['log_std']),
        ],
        'constant',
        [helper.make_tensor_value_info('observation', TensorProto.FLOAT, [1, OBSERVATIONS])],
        ends,
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    opset = [helper.make_opsetid('', 17)]
    return bytes(helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())


class Drive:
    """The node, with all others played by the test."""

    def __init__(self, bench: Any, builders: Any) -> None:
        self.bench = bench
        self._samples, self._estimates, self._commands = builders
        self.decision = 0

    def decide(self, **command: Any) -> Any:
        """Returns the target of the next decision; safety's last command was `command`."""
        bench, stamp = self.bench, self.decision * PERIOD_NS
        if self.decision:
            before = bench.stamp(bench.per_decision * self.decision - 1)
            given = self._commands(time_ns=before, **command)
            bench.say(topics.JOINT_COMMAND, bench.records.command_to(given))
        bench.say(topics.ODOM, odometry_to(self._estimates(time_ns=stamp)))
        bench.sense(self._samples(time_ns=stamp))
        self.decision += 1

        def answered() -> Any:
            found = map(bench.records.target_from, bench.heard['policy/target'])
            return [target for target in found if target.time_ns == stamp]

        return bench.until(answered, f'the target of {stamp} ns')[-1]

    def twist(self, ahead: float, turn: float) -> None:
        message = topics.CMD_VEL.type()
        message.linear.x, message.angular.z = ahead, turn
        counts = self.bench.node._steering
        self.bench.say(topics.CMD_VEL, message)
        self.bench.until(lambda: counts._came_ns is not None, 'the velocity')

    def joy(self, axes: list[float], buttons: list[int]) -> bool:
        """Says what a game controller says; returns whether the node followed it."""
        message = topics.JOY.type()
        message.axes, message.buttons = axes, buttons
        heard: list[bool] = []
        steering = self.bench.node._steering
        follow = type(steering).joy

        def listening(*given: Any) -> bool:
            heard.append(follow(steering, *given))
            return heard[-1]

        steering.joy = listening
        self.bench.say(topics.JOY, message)
        self.bench.until(lambda: heard, 'the controller')
        return heard[0]


@pytest.fixture
def trial_s() -> float:
    """Returns how long a policy is tried [s]."""
    return 0.0


@pytest.fixture
def drive(
    bench: Any,
    sample_of: Any,
    estimate_of: Any,
    command_of: Any,
    tmp_path: Path,
    trial_s: float,
) -> Drive:
    run = create_at(tmp_path / 'run', {})
    run.policy_of('').write_bytes(wants(0.5))
    run.policy_of('_left').write_bytes(wants(-0.5))
    bench.listen(topics.POLICY_TARGET)
    bench.start(
        DriveNode,
        'policy',
        drive=True,
        run_directory=str(run.path),
        tasks=['forward', 'backward', 'left'],
        use_oscillator=False,
        noise_scale=0.0,
        blend_s=0.0,
        trial_s=trial_s,
        trial_reach=0.6,
        command_age_max_s=10.0,
        standing_hold=0.0,  # the robot that the tests play stands at the first look
    )
    return Drive(bench, (sample_of, estimate_of, command_of))


@pytest.mark.parametrize('ahead, turn, action', [(0.6, 0.0, 0.5), (0.0, 1.0, -0.5)])
def test_it_lets_the_policy_drive_that_follows_the_command(
    drive: Drive, ahead: float, turn: float, action: float
) -> None:
    robot = drive.bench.robot
    drive.decide()
    assert drive.decide(authority=Authority.RESET, request=1).request == 0
    drive.twist(ahead, turn)
    asked = drive.decide(authority=Authority.RESET, request=1)
    assert asked.request > 0
    drive.decide(authority=Authority.POLICY, request=asked.request)
    target = drive.decide(authority=Authority.POLICY, request=asked.request)
    assert (target.request, target.source) == (asked.request, Authority.POLICY)
    np.testing.assert_allclose(
        target.position, robot.stance + action * robot.action_box, rtol=1e-6
    )


def test_what_was_never_learned_moves_nothing(drive: Drive) -> None:
    drive.decide()
    drive.twist(-0.6, 0.0)
    assert drive.decide(authority=Authority.RESET, request=1).request == 0


@pytest.mark.parametrize('trial_s', [10.0])
def test_what_falls_in_its_trial_is_given_up_and_diagnostics_say_so(
    drive: Drive, trial_s: float
) -> None:
    robot, node = drive.bench.robot, drive.bench.node
    drive.decide()
    drive.twist(0.6, 0.0)
    asked = drive.decide(authority=Authority.RESET, request=1)
    drive.decide(authority=Authority.POLICY, request=asked.request)
    target = drive.decide(authority=Authority.POLICY, request=asked.request)
    np.testing.assert_allclose(
        target.position, robot.stance + 0.6 * 0.5 * robot.action_box, rtol=1e-6
    )
    assert node.report()[0] == OK
    assert node.diagnostics.values['in_trial'] == 1
    drive.decide(mode=Mode.SOFT_STOP, authority=Authority.NOBODY, reasons=Reason.TILT)
    assert drive.decide(authority=Authority.RESET, request=1).request == 0
    level, words = node.report()
    assert (level, node.diagnostics.values['in_trial']) == (WARN, 0)
    assert words == 'forward drives no more: it was stopped in its trial, TILT'


def test_it_says_what_the_simulation_said_of_each_policy(drive: Drive) -> None:
    said = 'forward: not rehearsed, backward: not rehearsed, left: not rehearsed'
    assert drive.bench.node.diagnostics.values['rehearsed'] == said


# Shipped: axes 1, 0 and 3 are ahead, to the left and turn; button 4 is to be held.
HELD, LET_GO = [0, 0, 0, 0, 1], [0, 0, 0, 0, 0]
AHEAD = [0.0, 1.0, 0.0, 0.0]


def test_a_controller_drives_while_its_button_is_held(drive: Drive) -> None:
    robot, stance = drive.bench.robot, drive.bench.robot.stance
    drive.decide()
    assert drive.joy(AHEAD, HELD)
    asked = drive.decide(authority=Authority.RESET, request=1)
    assert asked.request > 0
    granted = {'authority': Authority.POLICY, 'request': asked.request}
    drive.decide(**granted)
    walking = drive.decide(**granted)
    np.testing.assert_allclose(walking.position, stance + 0.5 * robot.action_box, rtol=1e-6)
    assert drive.joy(AHEAD, LET_GO)
    drive.decide(**granted)
    np.testing.assert_allclose(drive.decide(**granted).position, stance, rtol=1e-6)


@pytest.mark.parametrize(
    'axes, buttons',
    [
        (AHEAD, LET_GO),
        ([], HELD),
        ([0.0, 1.0, 0.0], HELD),
        (AHEAD, [1]),
        ([0.0, float('nan'), 0.0, 0.0], HELD),
        ([0.0, float('inf'), 0.0, 0.0], HELD),
    ],
)
def test_a_controller_that_is_not_held_or_not_understood_drives_nothing_and_is_counted(
    drive: Drive, axes: list[float], buttons: list[int]
) -> None:
    drive.decide()
    assert not drive.joy(axes, buttons)
    assert drive.decide(authority=Authority.RESET, request=1).request == 0
    assert drive.bench.node.diagnostics._counts['joy_not_followed'] == 1


def test_a_low_battery_halts_the_driver_and_diagnostics_say_why(drive: Drive) -> None:
    bench, node = drive.bench, drive.bench.node
    drive.decide()
    drive.twist(0.6, 0.0)
    asked = drive.decide(authority=Authority.RESET, request=1)
    granted = {'authority': Authority.POLICY, 'request': asked.request}
    drive.decide(**granted)
    bench.say(topics.BATTERY, battery_to(Health(0, 21.0, 0.12, np.full(ACTIONS, 40.0))))
    bench.until(lambda: node._health.newest, 'the battery')
    targets = [drive.decide(**granted) for _ in range(60)]
    assert targets[0].request > 0
    assert targets[-1].request == 0
    assert node.report() == (
        WARN,
        'follows no command, it rests: battery at 12 %, 21.0 V',
    )
    assert drive.decide(authority=Authority.RESET, request=1).request == 0
