"""Every sequence of events, to a depth: which modes the safety core comes into, and how it leaves.

An event is one step of the real core. Two states are one when their difference can never be seen:
times count from now and no further than what waits for them, request numbers by whether they are
spent. So all sequences are covered by trying each event once in each state; how many sequences
lead to a state is carried along, and must add up to all there are.
"""

from __future__ import annotations

import copy
import dataclasses
from collections import Counter
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, Health, JointTarget, SensorSample
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import NOT_TRIPS, Authority, Mode, Reason
from quad_learner.safety.state import SafetyInputs, SafetyState

PERIOD_NS = 10_000_000
LATE_NS = 110_000_000
LEVEL, FALLEN = np.array((0.0, 0.0, 0.0, 1.0)), np.array((1.0, 0.0, 0.0, 0.0))
# Waits of a few steps, so that eight steps are enough to see what comes after them.
WAITS = {
    'sample_age_max_s': 0.01,
    'target_age_max_s': 0.01,
    'clear_time_s': 0.02,
    'rearm_interval_s': 0.03,
    'hold_time_s': 0.02,
    'latch_after_s': 0.02,
    'latch_trips': 2,
    'latch_window_s': 1.0,  # longer than eight late steps: a trip is never forgotten
    'bad_in_row': 1,
    'bad_in_window': 2,
    'bad_window': 2,
    'confirm_samples': 1,
}
START_NS = 10_000_000_000
BODY = ~(NOT_TRIPS | Reason.TARGET_STALE | Reason.TARGET_INVALID | Reason.TILT)
"""causes that must have been gone for a while; the estimate's too, for policy"""


class Place(NamedTuple):
    """A state of the core, of those who ask, and of the judge who has followed it there."""

    state: SafetyState
    inputs: SafetyInputs
    now_ns: int
    judge: CommandJudge


def _ask(name: str) -> Callable[[dict[str, Any]], None]:
    def event(told: dict[str, Any]) -> None:
        told[name] = dataclasses.replace(told[name], request=told[f'{name} asked'] + 1)

    return event


def _say(name: str, **changes: Any) -> Callable[[dict[str, Any]], None]:
    def event(told: dict[str, Any]) -> None:
        told[name] = dataclasses.replace(told[name], **changes)

    return event


def _set(name: str, value: Any) -> Callable[[dict[str, Any]], None]:
    def event(told: dict[str, Any]) -> None:
        told[name] = value

    return event


EVENTS: dict[str, Callable[[dict[str, Any]], None]] = {
    'nothing': lambda told: None,
    'policy asks': _ask('policy'),
    'reset asks': _ask('reset'),
    'policy gives back': _say('policy', request=0),
    'reset gives back': _say('reset', request=0),
    'policy talks nonsense': _say('policy', position=np.full(2, np.nan)),
    'sensors lie': _say('sample', joint_position=np.full(2, np.inf)),
    'falls': _say('sample', orientation=FALLEN),
    'lost': _say('estimate', healthy=False),
    'battery empty': _say('health', battery_charge=0.0),
    'operator stops': _set('operator_stop', True),
    'operator resumes': _set('operator_resume', True),
    'late': _set('late', True),
    'fails': _set('sample', 'not a sample'),
}


class Explorer:
    """Tries each event in each state."""

    def __init__(self, robot: RobotModel, config: SafetyConfig) -> None:
        self.core = SafetyCore(robot, config)
        self.robot = robot
        self.found: list[str] = []
        self.steps = 0
        nothing = np.zeros(2)
        sample = SensorSample(
            0, robot.stance, nothing, nothing, LEVEL, np.zeros(3), np.zeros(3), np.zeros(1)
        )
        estimate = Estimate(
            0, np.zeros(3), LEVEL, np.zeros(3), np.zeros(3), np.eye(3), np.eye(3),
            np.ones(1, np.bool_), True,
        )  # fmt: skip
        self.well: dict[str, Any] = {
            'sample': sample,
            'estimate': estimate,
            'health': Health(0, 24.0, 0.9, np.full(2, 30.0)),
        }
        self.targets = {
            name: JointTarget(0, source, 0, robot.stance, robot.kp, robot.kd)
            for name, source in (('policy', Authority.POLICY), ('reset', Authority.RESET))
        }
        judge = CommandJudge(robot, dataclasses.asdict(config))
        self.root = Place(self.core.initial(1), SafetyInputs(), START_NS, judge)

    def after(self, place: Place, event: str) -> Place:
        """Returns where one event leads."""
        self.steps += 1
        before = place.inputs
        told: dict[str, Any] = {
            **self.well,
            'policy': self.targets['policy'] if before.policy is None else before.policy,
            'reset': self.targets['reset'] if before.reset is None else before.reset,
            'operator_stop': False,
            'operator_resume': False,
            'late': False,
        }
        told['policy'] = dataclasses.replace(told['policy'], position=self.robot.stance)
        course = place.state.course
        for name, spent in zip(('policy', 'reset'), course.spent[1:], strict=True):
            told[f'{name} asked'] = max(told[name].request, spent or 0)
        EVENTS[event](told)
        for name in ('policy asked', 'reset asked'):
            del told[name]
        now_ns = place.now_ns + (LATE_NS if told.pop('late') else PERIOD_NS)
        names = ('sample', 'estimate', 'health', 'policy', 'reset')
        for name in names:
            if dataclasses.is_dataclass(told[name]):
                told[name] = dataclasses.replace(told[name], time_ns=now_ns)
        heard = ('sample', 'estimate', 'policy', 'reset', 'battery', 'warmth')
        inputs = SafetyInputs(**told, **{f'{name}_received_ns': now_ns for name in heard})
        command, state = self.core.step(place.state, inputs, now_ns)
        judge = copy.copy(place.judge)
        witness = Witness(state.watch.sample, resumed=inputs.operator_resume)
        for wrong in judge.check(command, now_ns, witness):
            self.found.append(f'{place.state.command.mode.name}, {event}: {wrong}')
        self._leave(place.state.command.mode, event, command.mode)
        return Place(state, inputs, now_ns, judge)

    def _leave(self, before: Mode, event: str, mode: Mode) -> None:
        if event in ('operator stops', 'fails') and mode is not Mode.LATCHED_STOP:
            self.found.append(f'{before.name}: {event}, and no stop')
        if before is Mode.LATCHED_STOP and mode is not before and event != 'operator resumes':
            self.found.append(f'LATCHED_STOP left by {event}')

    def explore(self, depth: int) -> list[dict[str, tuple[Place, int]]]:
        """Returns for each depth the states there, by key, and how many sequences lead to each."""
        levels = [{key(self.root): (self.root, 1)}]
        tried: dict[str, list[tuple[str, Place]]] = {}
        for _ in range(depth):
            level: dict[str, tuple[Place, int]] = {}
            for name, (place, ways) in levels[-1].items():
                if name not in tried:
                    leads = (self.after(place, event) for event in EVENTS)
                    tried[name] = [(key(lead), lead) for lead in leads]
                for there, lead in tried[name]:
                    first, sum_of_ways = level.get(there, (lead, 0))
                    level[there] = (first, sum_of_ways + ways)
            levels.append(level)
        self.states = len(tried)
        return levels


def key(place: Place) -> str:
    """Returns what tells a state from those that behave otherwise."""
    state, now = place.state, place.now_ns
    watch, course = state.watch, state.course

    def ago(time_ns: int | None, wait: str) -> int | None:
        """How long ago, as far as `wait` can tell: a step beyond it, all is alike."""
        longest = round(WAITS[wait] * 1e9) + PERIOD_NS
        return longest if time_ns is None else min(now - time_ns, longest)

    def standing(name: str, spent: int | None) -> str:
        target = getattr(place.inputs, name)
        if course.authority.name.lower() == name:
            return 'drives'
        if spent is None:
            return 'unheard'
        return 'fresh' if target.request > spent else 'spent'

    stopped = course.mode is Mode.SOFT_STOP
    parts = (
        course.mode, course.authority, course.holding, course.resume_held,
        stopped and ago(course.since_ns, 'clear_time_s'),
        stopped and bool(course.cause & BODY),
        ago(course.rearmed_ns, 'rearm_interval_s'), len(course.odd_trips),
        standing('policy', course.spent[1]), standing('reset', course.spent[2]),
        watch.sample is None or bool(watch.sample.orientation[0]),
        ago(watch.received_ns, 'sample_age_max_s'), watch.bad, watch.tilted > 0, watch.empty,
        ago(watch.body_bad_ns, 'clear_time_s'), ago(watch.drive_bad_ns, 'clear_time_s'),
        ago(watch.odd_since_ns, 'latch_after_s'), bool(state.command.kp.any()),
    )  # fmt: skip
    return repr(parts)


def ways(level: dict[str, tuple[Place, int]]) -> Counter[Mode]:
    """Returns how many sequences of events end in each mode."""
    count: Counter[Mode] = Counter()
    for place, number in level.values():
        count[place.state.command.mode] += number
    return count
