from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from quad_learner.policy.driver import GRACE_DECISIONS, Counters, Look, Phase
from quad_learner.safety.modes import Authority, Mode, Reason

if TYPE_CHECKING:
    from test.policy.conftest import Seat

PERIOD_NS = 25_000_000
STOPPED = {'mode': Mode.SOFT_STOP, 'authority': Authority.NOBODY, 'request': 0}


def test_it_rests_until_safety_has_spoken(seat: Callable[..., Seat]) -> None:
    new = seat()
    assert new.decide(silent=True) == Look()
    assert new.driver.phase is Phase.REST
    assert new.request == 0


@pytest.mark.parametrize(
    'standing, command',
    [
        (False, {'authority': Authority.RESET}),
        (True, {'authority': Authority.NOBODY, 'mode': Mode.STANDBY, 'request': 0}),
        (True, STOPPED),
    ],
)
def test_it_asks_for_nothing_unless_the_robot_stands_under_reset(
    seat: Callable[..., Seat], standing: bool, command: dict[str, Any]
) -> None:
    new = seat()
    new.standing = standing
    for _ in range(5):
        new.decide(**command)
    assert new.driver.phase is Phase.REST
    assert new.request == 0


def test_it_asks_with_the_stance_and_begins_when_that_very_request_is_granted(
    seat: Callable[..., Seat],
) -> None:
    new = seat()
    new.held_by_reset()
    assert new.driver.phase is Phase.ASK
    assert new.request > 0
    assert new.target is not None
    np.testing.assert_array_equal(new.target.position, new.robot.stance)
    assert not new.decide(authority=Authority.POLICY, request=new.request - 1).wants_action
    look = new.driving(0.5)
    assert look.wants_action
    assert look.begins
    assert look.transition is None
    assert new.driver.phase is Phase.EPISODE
    np.testing.assert_allclose(new.target.position, new.robot.stance + 0.5 * new.robot.action_box)
    assert new.target.source is Authority.POLICY


def test_a_request_that_is_not_granted_is_given_up_and_made_afresh(
    seat: Callable[..., Seat],
) -> None:
    new = seat()
    new.held_by_reset()
    asked = {new.request}
    for _ in range(3 * (GRACE_DECISIONS + 2)):
        new.held_by_reset()
        asked.add(new.request)
    fresh = sorted(asked - {0})
    assert len(fresh) == 4
    assert 0 in asked, 'between two requests nothing is wanted: an edge'


def test_the_request_stays_the_same_for_a_whole_session(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    session = new.request
    for _ in range(10):
        new.driving()
        assert new.request == session


def test_each_session_and_each_restart_has_a_higher_request(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    first = new.request
    new.driving(**STOPPED, reasons=Reason.OPERATOR)
    assert new.request == 0
    new.begin()
    assert new.request > first
    again = seat()  # another process, at a later time of the same robot
    again.decision = new.decision + 1
    again.begin()
    assert again.request > new.request


def test_a_step_holds_what_was_seen_asked_and_executed(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    began = new.driver.observation.copy()
    step = new.driving(0.5).transition
    assert step is not None
    np.testing.assert_array_equal(step.observation, began)
    np.testing.assert_array_equal(step.asked, np.zeros(12))
    assert (step.sequence, step.episode, step.step) == (1, 1, 0)
    assert step.time_ns == 4 * PERIOD_NS, 'the stamp of what was seen when it was decided'
    assert step.policy_version == 5
    second = new.driving(0.0).transition
    assert second is not None
    np.testing.assert_array_equal(second.observation, step.next_observation)
    np.testing.assert_array_equal(second.asked, np.full(12, 0.5, np.float32))


def test_what_safety_altered_is_told_as_it_was_executed(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    new.driving(1.0)
    held_back = new.robot.stance + 0.25 * new.robot.action_box
    step = new.driving(0.0, position=held_back, reasons=Reason.CLIPPED_RATE).transition
    assert step is not None
    np.testing.assert_allclose(step.asked, 1.0)
    np.testing.assert_allclose(step.action, 0.25, atol=1e-6)
    assert step.reasons == Reason.CLIPPED_RATE
    assert not (step.terminated or step.truncated)


def test_steps_are_numbered_without_gaps_over_episodes_and_restarts(
    seat: Callable[..., Seat],
) -> None:
    new = seat(Counters(sequence=100, episode=7))
    steps = []
    for _ in range(3):
        new.begin()
        while new.driver.phase is Phase.EPISODE:
            look = new.driving()
            assert look.transition is not None
            steps.append(look.transition)
    assert [step.sequence for step in steps] == list(range(101, 161))
    assert [step.episode for step in steps] == [8] * 20 + [9] * 20 + [10] * 20
    assert [step.step for step in steps] == 3 * list(range(20))
    assert [step.truncated for step in steps] == 3 * ([False] * 19 + [True])
    assert not any(step.terminated for step in steps)
    assert new.driver.counters == Counters(160, 10)


def test_a_full_episode_ends_complete_and_is_summed_up(seat: Callable[..., Seat]) -> None:
    new = seat(alive_reward=0.5, upright_weight=0.0, effort_weight=0.0, smoothness_weight=0.0)
    new.begin()
    began_ns = (new.decision - 1) * PERIOD_NS
    end = None
    while end is None:
        end = new.driving().end
    assert end.complete
    assert not end.fell
    assert (end.episode, end.steps) == (1, 20)
    assert end.total_reward == pytest.approx(10.0)
    assert (end.start_ns, end.end_ns) == (began_ns, began_ns + 20 * PERIOD_NS)
    assert new.request == 0, 'the session is given back'


def test_a_fall_ends_the_episode_as_a_fall(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    look = new.driving(**STOPPED, reasons=Reason.TILT)
    assert look.transition is not None
    assert look.end is not None
    assert look.transition.terminated
    assert not look.transition.truncated
    assert look.end.fell
    assert not look.end.complete
    assert not look.wants_action
    assert (new.driver.phase, new.request) == (Phase.REST, 0)


@pytest.mark.parametrize('halt_s', [0.0, 0.075])
def test_who_falls_over_after_an_episode_has_tumbled_once(
    seat: Callable[..., Seat], halt_s: float
) -> None:
    new = seat(halt_s=halt_s)
    new.roll = 1.5
    new.held_by_reset()
    assert new.driver.tumbles == 0, 'before the first episode it may lie as it likes'
    for tumbles in (1, 2):
        new.roll = 0.0
        new.whole_episode()
        new.roll = 0.78  # 0.79 is a fall
        new.held_by_reset()
        assert new.driver.tumbles == tumbles - 1
        for new.roll in (-0.8, 0.0, 0.8):
            new.decide(**STOPPED)
        assert new.driver.tumbles == tumbles
        new.driver.go_on()


def test_a_fall_that_ended_the_episode_is_no_tumble(seat: Callable[..., Seat]) -> None:
    new = seat()
    new.begin()
    new.roll = 1.0
    new.driving(**STOPPED, reasons=Reason.TILT)
    new.decide(**STOPPED)
    assert new.driver.tumbles == 0


def test_the_end_of_the_run_cuts_the_episode_and_begins_no_other(
    seat: Callable[..., Seat],
) -> None:
    new = seat()
    new.begin()
    look = new.driving(finish=True)
    assert look.transition is not None
    assert look.transition.truncated
    assert look.end is not None
    assert not look.end.complete
    assert (new.driver.phase, new.request) == (Phase.FINISHED, 0)
    for _ in range(3):
        assert new.held_by_reset(finish=True) == Look()
    assert (new.driver.phase, new.request) == (Phase.FINISHED, 0)


def test_after_an_episode_it_steps_on_the_spot_for_a_while(seat: Callable[..., Seat]) -> None:
    """Three periods without an action: the stance, for this seat's robot has no rhythm."""
    new = seat(halt_s=0.075)
    new.whole_episode()
    for _ in range(3):
        assert new.driver.phase is Phase.HALT
        assert new.request > 0
        assert new.target is not None
        np.testing.assert_array_equal(new.target.position, new.robot.stance)
        assert new.driving() == Look()
    assert (new.driver.phase, new.request) == (Phase.REST, 0)


@pytest.mark.parametrize(
    'velocity, halts',
    [((0.29, 0.0, 0.5), False), ((0.31, 0.0, 0.0), True), ((0.25, -0.25, 0.0), True)],
)
def test_only_who_walks_needs_a_halt(
    seat: Callable[..., Seat], velocity: tuple[float, ...], halts: bool
) -> None:
    """Ahead and sideways together, whichever way; up and down does not count."""
    new = seat(halt_s=0.5)
    new.whole_episode(velocity)
    assert (new.driver.phase is Phase.HALT) == halts


def test_it_halts_at_the_end_of_the_run_too_unless_it_is_taken_back(
    seat: Callable[..., Seat],
) -> None:
    for back, end in ((False, Phase.FINISHED), (True, Phase.REST)):
        new = seat(halt_s=0.05)
        new.velocity = np.array((0.8, 0.0, 0.0))
        new.begin()
        assert new.driving(finish=True).end is not None
        if back:
            new.driver.go_on()
        assert new.driver.phase is Phase.HALT
        new.driving()
        new.driving()
        assert new.driver.phase is end


def test_a_run_that_ends_while_it_halts_begins_no_other_episode(
    seat: Callable[..., Seat],
) -> None:
    """Nor does it halt beyond the run's time."""
    new = seat(halt_s=0.5)
    new.whole_episode()
    new.driving()
    assert new.driver.phase is Phase.HALT
    new.driving(finish=True)
    assert (new.driver.phase, new.request) == (Phase.FINISHED, 0)


def test_it_says_how_long_a_halt_would_take(seat: Callable[..., Seat], estimate_of: Any) -> None:
    fast, slow = (estimate_of(velocity_body=np.array((speed, 0.0, 0.0))) for speed in (0.8, 0.1))
    new = seat(halt_s=0.5)
    assert new.driver.halt_steps(fast) == 0
    new.begin()
    assert (new.driver.halt_steps(fast), new.driver.halt_steps(slow)) == (20, 0)


def test_who_is_stopped_does_not_step_on(seat: Callable[..., Seat]) -> None:
    """Neither after a fall nor when it is stopped while it halts."""
    new = seat(halt_s=0.5)
    new.begin()
    new.driving(**STOPPED, reasons=Reason.TILT)
    assert (new.driver.phase, new.request) == (Phase.REST, 0)
    new.whole_episode()
    assert new.driver.phase is Phase.HALT
    new.driving(**STOPPED, reasons=Reason.TILT)
    assert (new.driver.phase, new.request) == (Phase.REST, 0)


@pytest.mark.parametrize('asking', [False, True])
def test_the_end_of_the_run_between_episodes_finishes_at_once(
    seat: Callable[..., Seat], asking: bool
) -> None:
    new = seat()
    if asking:
        new.held_by_reset()
    new.held_by_reset(finish=True)
    assert (new.driver.phase, new.request) == (Phase.FINISHED, 0)


def test_the_targets_answer_the_sample_with_the_gains_of_the_robot(
    seat: Callable[..., Seat],
) -> None:
    new = seat()
    new.begin()
    assert new.target is not None
    assert new.target.time_ns == (new.decision - 1) * PERIOD_NS
    np.testing.assert_array_equal(new.target.kp, new.robot.kp)
    np.testing.assert_array_equal(new.target.kd, new.robot.kd)
