"""A run that is killed in parts, stopped by hand, and goes on: nothing may be lost."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from rclpy.node import Node

from quad_learner.experience.reader import ExperienceReader
from quad_learner.robot.model import load
from quad_learner.robot.signals import JointCommand
from quad_learner.ros import topics
from quad_learner.ros.packed import Records
from quad_learner.safety.modes import Mode, Reason

pytestmark = [pytest.mark.system, pytest.mark.timeout(3000)]

STOPS_WITHIN_S = 5.0
MARGIN_S = 10.0  # for a machine that does much else
RUN = 'interrupted'


@dataclass
class Story:
    """What happened in the run, as a stranger saw it."""

    commands: list[JointCommand] = field(default_factory=list)
    sequence: int = 0
    killed_learner: int = 0
    new_learner: int = 0
    stop_after_policy: JointCommand | None = None
    steps_after_policy: int = 0
    exit: int = -1
    stopped_in_s: float = 0.0
    logged: list[int] = field(default_factory=list)
    said: str = ''


def logged(path: Path) -> list[int]:
    return [record.sequence for record in ExperienceReader(path / 'experience.mcap').records()]


def find_stop(story: Story) -> JointCommand | None:
    stops = (c for c in story.commands if c.mode is Mode.SOFT_STOP)
    return next((c for c in stops if c.reasons & Reason.TARGET_STALE), None)


class Stranger:
    """Watches the run, and does to it what nobody should."""

    def __init__(
        self, run: Any, domain: Any, watcher: Node, seen_until: Callable[..., Any]
    ) -> None:
        self.story = Story()
        self._run, self._domain, self._seen_until = run, domain, seen_until
        records = Records(load('a1'))
        commands = self.story.commands
        topics.JOINT_COMMAND.subscribe(watcher, lambda m: commands.append(records.command_from(m)))
        topics.EXPERIENCE.subscribe(watcher, self._stepped)

    def _stepped(self, message: Any) -> None:
        self.story.sequence = max(self.story.sequence, int(message.data[0]))

    def steps(self, more: int, what: str) -> None:
        """Waits for so many more steps."""
        goal = self.story.sequence + more
        self._until(lambda: self.story.sequence >= goal, 600.0, f'{more} steps {what}')

    def _until(self, condition: Callable[[], Any], seconds: float, what: str) -> Any:
        return self._seen_until(
            lambda: self._run.is_up() and condition(), seconds, lambda: f'{what}\n{self._run.said}'
        )

    def kill_the_learner(self) -> None:
        """Returns when another learner is there."""
        story = self.story
        story.killed_learner = self._domain.pid_of('learner')
        os.kill(story.killed_learner, signal.SIGKILL)
        old = (None, story.killed_learner)
        self._until(lambda: self._domain.pid_of('learner') not in old, 120.0, 'a learner')
        story.new_learner = self._domain.pid_of('learner')

    def kill_the_policy(self) -> None:
        """Returns when safety has stopped the robot.

        The supervisor is held meanwhile. In lockstep the world stands still while a driver is
        waited for, and one that is back by then has lost nothing but its session.
        """
        self.story.commands.clear()
        self._run.process.send_signal(signal.SIGSTOP)
        os.kill(self._domain.pid_of('policy'), signal.SIGKILL)
        self.story.stop_after_policy = self._until(lambda: find_stop(self.story), 120.0, 'a stop')
        self._run.process.send_signal(signal.SIGCONT)

    def press_ctrl_c(self) -> None:
        """Returns when the run has ended."""
        pressed = time.monotonic()
        self._run.interrupt()
        self.story.exit = self._run.ends(60.0)
        self.story.stopped_in_s = time.monotonic() - pressed
        self.story.said = self._run.said


@pytest.fixture(scope='module')
def story(
    learn: Callable[..., Any],
    folder: Path,
    domain: Any,
    watcher: Node,
    seen_until: Callable[..., Any],
) -> Story:
    """Kills the learner, then the policy, then presses Ctrl-C; each after the run is going."""
    run = learn('--minutes', '100', '--seed', '2', '--run-dir', str(folder / RUN))
    stranger = Stranger(run, domain, watcher, seen_until)
    stranger.steps(150, 'from the start')
    stranger.kill_the_learner()
    stranger.steps(105, 'after the learner was killed')  # episodes have 80: in the midst of one
    stranger.kill_the_policy()
    before = stranger.story.sequence
    stranger.steps(40, 'after the policy was killed')
    stranger.story.steps_after_policy = stranger.story.sequence - before
    stranger.press_ctrl_c()
    stranger.story.logged = logged(folder / RUN)
    return stranger.story


def test_a_killed_learner_comes_back(story: Story) -> None:
    assert story.new_learner != story.killed_learner
    assert 'the learner node ended with code -9; it is started again' in story.said


def test_a_killed_policy_makes_safety_stop_the_robot_and_comes_back(story: Story) -> None:
    assert story.stop_after_policy is not None
    assert not story.stop_after_policy.reasons & Reason.TILT
    assert story.steps_after_policy >= 40
    assert 'the policy node ended with code -9; it is started again' in story.said


def test_ctrl_c_ends_the_run_in_good_order_and_in_time(story: Story) -> None:
    assert story.exit == 0, story.said
    assert story.stopped_in_s < STOPS_WITHIN_S + MARGIN_S
    assert 'stopped; the run is saved' in story.said


def test_no_step_is_lost_or_there_twice(story: Story) -> None:
    assert story.logged == list(range(1, len(story.logged) + 1))
    # A learner that another process kept off the cores for four seconds has to be killed, and
    # then some steps are still on their way to it. Otherwise the stranger's last one is there.
    on_their_way = 40 if 'had to be killed: learner' in story.said else 1
    assert len(story.logged) >= story.sequence - on_their_way


def test_a_stopped_run_goes_on_where_it_stopped(
    story: Story, folder: Path, learn: Callable[..., Any]
) -> None:
    path = folder / RUN
    before = json.loads((path / 'summary.json').read_text())
    minutes = (before['robot_time_s'] + 8.0) / 60.0
    run = learn('--resume', str(path), '--minutes', str(minutes), '--no-report', quick=False)
    assert run.ends(1200.0) == 0, run.said
    after = json.loads((path / 'summary.json').read_text())
    sequences = logged(path)
    assert sequences == list(range(1, len(sequences) + 1))
    assert len(sequences) > len(story.logged) + 40
    assert after['robot_time_s'] == pytest.approx(minutes * 60.0, abs=0.1)
    assert after['env_steps'] > before['env_steps']
    assert after['updates'] > before['updates']
    assert after['policy_version'] > before['policy_version']
