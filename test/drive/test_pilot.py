from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pytest

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.pilot import Phase, Pilot
from quad_learner.drive.selector import Selector
from quad_learner.policy.driver import GRACE_DECISIONS, Choice
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointTarget
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import BACKWARD, FORWARD, LEFT
from quad_learner.task.walk import WalkTask

PERIOD_NS = 25_000_000
AHEAD, BACK, TURN, STAND = (
    np.array(wanted) for wanted in ([0.6, 0, 0], [-0.6, 0, 0], [0, 0, 1.0], [0.0, 0, 0])
)
NOTHING: Mapping[str, Any] = MappingProxyType({})
STOPPED = {'mode': Mode.SOFT_STOP, 'authority': Authority.NOBODY, 'request': 0}


class Constant:
    """A policy that always wants the same, and remembers what it saw."""

    def __init__(self, action: float) -> None:
        self._action = np.full(12, action, np.float32)
        self.seen: list[np.ndarray] = []

    def choose(self, observation: np.ndarray, begins: bool) -> Choice:
        self.seen.append(observation)
        return Choice(self._action, 1)


class Seat:
    """A pilot, and a safety layer played by the test, that executes what was asked."""

    def __init__(self, pilot: Pilot, robot: RobotModel, builders: Any) -> None:
        self.pilot, self.robot = pilot, robot
        self._samples, self._estimates, self._commands = builders
        self.decision = 3
        self.standing = True
        self.tired = False
        self.target: JointTarget | None = None
        self.yaw = np.array([0.0, 0.0, 0.0, 1.0])

    def decide(self, wanted: np.ndarray, **command: Any) -> JointTarget:
        time_ns = self.decision * PERIOD_NS
        self.decision += 1
        if self.target is not None:
            command = {'position': self.target.position} | command
        self.target = self.pilot.decide(
            self._samples(time_ns=time_ns),
            self._estimates(time_ns=time_ns, orientation=self.yaw),
            self._commands(**command),
            wanted,
            self.tired,
        )
        return self.target

    def held_by_reset(self, wanted: np.ndarray) -> JointTarget:
        return self.decide(wanted, authority=Authority.RESET, request=1)

    def driving(self, wanted: np.ndarray, **changed: Any) -> JointTarget:
        assert self.target is not None
        granted = {'authority': Authority.POLICY, 'request': self.target.request}
        return self.decide(wanted, **(granted | changed))

    def begin(self, wanted: np.ndarray) -> JointTarget:
        self.held_by_reset(wanted)
        return self.driving(wanted)

    def away(self) -> float:
        """Returns how far the upper joint of the first leg is asked to be from its stance."""
        assert self.target is not None
        return float(self.target.position[1] - self.robot.stance[1])


@pytest.fixture
def policies() -> dict[Any, Constant]:
    return {FORWARD: Constant(0.5), BACKWARD: Constant(-0.5), LEFT: Constant(0.25)}


@pytest.fixture
def seat(
    robot: RobotModel,
    task_config: Callable[..., TaskConfig],
    drive_config: Callable[..., DriveConfig],
    sample_of: Any,
    estimate_of: Any,
    command_of: Any,
    policies: dict[Any, Any],
) -> Callable[..., Seat]:
    def make(drive: Mapping[str, Any] = NOTHING, **task: Any) -> Seat:
        config = drive_config(**({'blend_s': 0.2, 'idle_s': 1.0, 'trial_s': 0.0} | dict(drive)))
        selector = Selector(tuple(policies), config, np.array([0.6, 0.3, 1.0]))
        of_task = task_config(**({'use_oscillator': False} | task))
        seat: Seat

        def stands(_: Any) -> bool:
            return seat.standing

        pilot = Pilot(robot, WalkTask(robot, of_task), policies, selector, config, stands)
        seat = Seat(pilot, robot, (sample_of, estimate_of, command_of))
        return seat

    return make


def test_it_asks_for_nothing_while_nothing_is_wanted(seat: Callable[..., Seat]) -> None:
    new = seat()
    for _ in range(5):
        assert new.held_by_reset(STAND).request == 0
    assert new.pilot.phase is Phase.REST


def test_it_asks_only_for_a_robot_that_stands_under_reset(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.standing = False
    assert new.held_by_reset(AHEAD).request == 0
    new.standing = True
    assert new.decide(AHEAD, **STOPPED).request == 0
    assert new.held_by_reset(AHEAD).request > 0
    assert new.pilot.phase is Phase.ASK
    assert new.away() == 0.0


def test_a_request_that_is_not_granted_is_given_up(seat: Callable[..., Seat]) -> None:
    new = seat()
    asked = [new.held_by_reset(AHEAD).request for _ in range(GRACE_DECISIONS + 2)]
    assert asked[0] > 0
    assert asked[-1] == 0


def test_it_walks_only_with_leave_and_comes_to_it_without_a_jump(
    seat: Callable[..., Seat],
) -> None:
    # The box of the upper joint is 0.32 rad, so half of it is 0.16; it fades in over 8 decisions.
    new = seat()
    new.held_by_reset(AHEAD)
    new.driving(AHEAD)
    ways = [new.away()] + [(new.driving(AHEAD), new.away())[1] for _ in range(9)]
    np.testing.assert_allclose(ways[:9], 0.16 * np.arange(9) / 8.0, atol=1e-9)
    assert ways[9] == pytest.approx(0.16)


def test_one_task_goes_over_into_another_without_a_jump(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin(AHEAD)
    for _ in range(10):
        new.driving(AHEAD)
    ways = []
    for _ in range(9):
        new.driving(BACK)
        ways.append(new.away())
    np.testing.assert_allclose(ways, 0.16 - 0.32 * np.arange(9) / 8.0, atol=1e-9)


def test_without_a_command_it_stands_and_gives_the_seat_back(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin(AHEAD)
    for _ in range(10):
        new.driving(AHEAD)
    requests = []
    for _ in range(42):
        requests.append(new.driving(STAND).request)
        if len(requests) == 9:
            assert new.away() == pytest.approx(0.0, abs=1e-9)
    held = [request > 0 for request in requests]
    assert held[:41] == [True] * 41, 'one second'
    assert not held[41]
    assert new.pilot.phase is Phase.REST


def test_who_walked_steps_on_the_spot_before_it_stands(seat: Callable[..., Seat]) -> None:
    """A quarter of a stride after the policy has faded out some legs are still in the air."""
    new = seat(use_oscillator=True, halt_s=0.5)
    new.begin(AHEAD)
    for _ in range(10):
        new.driving(AHEAD)
    asked = [new.driving(STAND).position - new.robot.stance for _ in range(30)]
    # The policy's share fades within 0.2 s, eight decisions; twenty are half a second.
    lifted = [float(np.abs(away).max()) for away in asked]
    assert min(max(lifted[8:14]), max(lifted[14:20])) > 0.1
    assert max(lifted[20:]) == 0.0
    front, back = np.abs(asked[10][:3]).max(), np.abs(asked[10][9:]).max()
    assert front == pytest.approx(back), 'diagonal legs swing together'


@pytest.mark.parametrize('stop', [STOPPED, {'authority': Authority.RESET, 'request': 1}])
def test_who_was_stopped_lets_go_and_asks_anew_with_a_higher_number(
    seat: Callable[..., Seat], stop: Any
) -> None:
    new = seat()
    first = new.begin(AHEAD).request
    assert new.driving(AHEAD, **stop).request == 0
    assert new.away() == 0.0
    assert new.held_by_reset(AHEAD).request > first


def test_the_rhythm_goes_on_when_the_task_changes_and_begins_anew_after_standing(
    seat: Callable[..., Seat], policies: dict[Any, Constant], robot: RobotModel
) -> None:
    new = seat(use_oscillator=True, history=0, halt_s=0.5)
    new.begin(AHEAD)
    for _ in range(6):
        new.driving(AHEAD)
    new.driving(TURN)
    # Seven decisions of 25 ms into a stride of 1/2.25 s.
    angle = 2.0 * np.pi * 2.25 * 7 * 0.025
    np.testing.assert_allclose(
        policies[LEFT].seen[0][-2:], [np.sin(angle), np.cos(angle)], atol=1e-6
    )
    for _ in range(20):  # half a second of halting, then it stands
        new.driving(STAND)
    new.driving(STAND)
    new.driving(AHEAD)
    np.testing.assert_allclose(policies[FORWARD].seen[-1][-2:], [0.0, 1.0], atol=1e-6)


@pytest.mark.parametrize('halted', [1, 7, 19])
def test_who_walks_on_before_it_has_halted_keeps_its_rhythm(
    seat: Callable[..., Seat], policies: dict[Any, Constant], halted: int
) -> None:
    """A rhythm that began anew under legs in the air would trip the robot up."""
    new = seat(use_oscillator=True, history=0, halt_s=0.5)
    new.begin(AHEAD)
    for _ in range(6):
        new.driving(AHEAD)
    for _ in range(halted):
        new.driving(STAND)
    new.driving(AHEAD)
    # So many decisions of 25 ms after the first, in strides of 1/2.25 s.
    angle = 2.0 * np.pi * 2.25 * (7 + halted) * 0.025
    np.testing.assert_allclose(
        policies[FORWARD].seen[-1][-2:], [np.sin(angle), np.cos(angle)], atol=1e-6
    )


def test_walking_ahead_is_along_the_heading_of_the_moment_it_begins(
    seat: Callable[..., Seat], policies: dict[Any, Constant]
) -> None:
    new = seat(history=0)
    new.begin(TURN)
    new.driving(TURN)
    new.yaw = np.array([0.0, 0.0, np.sin(0.4), np.cos(0.4)])
    new.driving(AHEAD)
    assert policies[FORWARD].seen[-1][-3] == pytest.approx(0.0, abs=1e-6)
    new.yaw = np.array([0.0, 0.0, np.sin(0.5), np.cos(0.5)])
    new.driving(AHEAD)
    assert policies[FORWARD].seen[-1][-3] == pytest.approx(0.2, abs=1e-6)


# A trial of four decisions with half of the actions: 0.08 rad of the upper joint's 0.16. The first
# decision of a motion asks for the position that was asked for last.
TRIED = {'trial_s': 0.1, 'trial_reach': 0.5, 'blend_s': 0.0}
FALL = {**STOPPED, 'reasons': Reason.TILT}


def _ways(seat: Seat, wanted: np.ndarray, decisions: int) -> list[float]:
    return [(seat.driving(wanted), seat.away())[1] for _ in range(decisions)]


def test_each_policy_that_is_new_here_begins_with_a_share_of_its_actions(
    seat: Callable[..., Seat],
) -> None:
    new = seat(TRIED)
    new.held_by_reset(AHEAD)
    np.testing.assert_allclose(_ways(new, AHEAD, 6), [0.0] + [0.08] * 3 + [0.16] * 2)
    np.testing.assert_allclose(_ways(new, BACK, 5), [0.16] + [-0.08] * 3 + [-0.16])
    np.testing.assert_allclose(_ways(new, AHEAD, 2), [-0.16, 0.16])


def test_who_falls_later_is_tried_again(seat: Callable[..., Seat]) -> None:
    new = seat(TRIED)
    new.held_by_reset(AHEAD)
    assert [(new.driving(AHEAD), new.pilot.in_trial)[1] for _ in range(5)] == [
        True, True, True, False, False
    ]  # fmt: skip
    new.driving(AHEAD, **FALL)
    assert not new.pilot.in_trial
    new.held_by_reset(AHEAD)
    np.testing.assert_allclose(_ways(new, AHEAD, 5), [0.0] + [0.08] * 3 + [0.16])
    assert not new.pilot.given_up


def test_who_falls_in_its_trial_drives_no_more_and_the_others_do(
    seat: Callable[..., Seat],
) -> None:
    new = seat(TRIED)
    new.begin(AHEAD)
    new.driving(AHEAD)
    new.driving(AHEAD, **FALL)
    assert list(new.pilot.given_up) == [FORWARD]
    assert new.pilot.given_up[FORWARD].endswith('it was stopped in its trial, TILT')
    assert new.held_by_reset(AHEAD).request == 0
    new.begin(BACK)
    np.testing.assert_allclose(_ways(new, BACK, 1), [-0.08])
    np.testing.assert_allclose(_ways(new, AHEAD, 2), [-0.08, 0.0], err_msg='given up: it stands')


@pytest.mark.parametrize(
    'reasons', [Reason.OPERATOR, Reason.LOW_BATTERY, Reason.OVER_TEMPERATURE, Reason.NONE]
)
def test_a_stop_that_is_none_of_its_doing_is_not_held_against_it(
    seat: Callable[..., Seat], reasons: Reason
) -> None:
    new = seat(TRIED)
    new.begin(AHEAD)
    new.driving(AHEAD, **{**STOPPED, 'reasons': reasons})
    assert not new.pilot.given_up
    assert new.held_by_reset(AHEAD).request > 0


def test_who_stands_when_it_is_pushed_over_gives_up_nobody(seat: Callable[..., Seat]) -> None:
    new = seat(TRIED)
    new.begin(AHEAD)
    new.driving(STAND)
    new.driving(STAND, **FALL)
    assert not new.pilot.given_up


def test_a_tired_robot_halts_and_gives_the_seat_back_whatever_is_wanted(
    seat: Callable[..., Seat],
) -> None:
    new = seat({'idle_s': 60.0}, halt_s=0.5)
    new.begin(AHEAD)
    for _ in range(10):
        new.driving(AHEAD)
    new.tired = True
    held = [new.driving(AHEAD).request > 0 for _ in range(22)]
    assert held == [True] * 21 + [False], 'half a second of halting'
    assert new.away() == 0.0
    assert new.held_by_reset(AHEAD).request == 0
    new.tired = False
    assert new.held_by_reset(AHEAD).request > 0


def test_the_seat_is_not_given_back_in_the_middle_of_a_halt(seat: Callable[..., Seat]) -> None:
    new = seat({'idle_s': 0.0}, halt_s=0.5)
    new.begin(AHEAD)
    held = [new.driving(STAND).request > 0 for _ in range(22)]
    assert held == [True] * 21 + [False]
