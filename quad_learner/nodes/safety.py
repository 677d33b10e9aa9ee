"""The safety node: the only publisher of `joint_command`.

All judgement is in `safety.core.step`; this node brings it the newest of everything and the time.
Real time: it answers each sample, and at once the first target of a driver after it; when samples
stop it goes on by a steady timer, for a stop is something that is sent. Lockstep: it answers each
stamp once, after all that belongs to the stamp is here, or after its patience with whoever is
missing is over.
"""

from __future__ import annotations

import secrets
import sys
from functools import partial
from typing import Any

from rclpy.duration import Duration

from quad_learner.robot.signals import (
    NANOSECONDS,
    Estimate,
    JointTarget,
    SensorSample,
)
from quad_learner.ros import topics
from quad_learner.ros.clock import LONG_AGO_NS, steady_ns
from quad_learner.ros.diagnostics import ERROR, OK, WARN, StateReport
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.health import HealthListener, Told
from quad_learner.ros.messages import MessageError
from quad_learner.ros.packed import Records
from quad_learner.ros.process import run
from quad_learner.ros.robot_state import lets_go
from quad_learner.ros.samples import SampleAssembler
from quad_learner.ros.wire import EstimateWire
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.evidence import evidence
from quad_learner.safety.modes import Authority, Mode, Reason, is_trip
from quad_learner.safety.monitors import nanoseconds
from quad_learner.safety.state import SafetyInputs

PATIENCE_S = 2.0
"""[s] of wall time that lockstep waits for a part that spoke before and now does not"""
START_PATIENCE_S = 60.0
"""[s] the same while a part has never spoken: processes are still starting"""
WATCH_S = 0.25
"""[s] between looks at the patience in lockstep"""
LAST_WORD = Duration(seconds=0.5)
"""that the last stop has to reach who listens: the robot, or somebody who may be busy or gone"""
EPOCH_BITS = 32
"""an epoch is drawn at each start, so that an old command cannot pass for a new one"""
RESUME_APART_NS = NANOSECONDS // 2
"""[ns] from one resume that is looked at to the next: a person's pace"""
LEVELS = {
    Mode.INIT: WARN,
    Mode.STANDBY: OK,
    Mode.ACTIVE: OK,
    Mode.SOFT_STOP: ERROR,
    Mode.LATCHED_STOP: ERROR,
}
"""how bad a mode is, for `/diagnostics`"""
STOPS = (Mode.SOFT_STOP, Mode.LATCHED_STOP)


class SafetyNode(GraphNode):
    """Passes on only what `SafetyCore` allows."""

    controls = True

    def __init__(self, **options: Any) -> None:
        super().__init__('safety', SafetyConfig, **options)
        self.keep_to_this_machine()
        self._config: SafetyConfig = self.configs[0]
        self._core = SafetyCore(self.robot, self._config)
        self._state = self._core.initial(epoch=secrets.randbits(EPOCH_BITS))
        self._records = Records(self.robot)
        self._odometry = EstimateWire(self.robot)
        self._sample: SensorSample | None = None
        self._estimates: dict[int, Estimate] = {}
        self._newest: dict[str, Any] = {}
        self._received: dict[str, int] = {}
        self._heard: dict[str, int] = {}
        self._given_up: set[str] = set()
        parts = {'estimate': 'estimator', 'policy': 'policy', 'reset': 'reset'}
        self._lives = {part: self.lifeline(node) for part, node in parts.items()}
        self._stop = self._resume = False
        self._resumed_ns = LONG_AGO_NS
        self._let_go = False
        self._answered = -1
        self._answered_to: dict[str, int | None] = {}
        self._last_step_ns = steady_ns()
        self._waiting_since_ns = steady_ns()
        self._last_message: bytes | None = None
        self._closing = False
        self._evidence = ''
        """what was measured when the stop began that lasts"""
        self._trips = 0
        self._changed = 0
        self._wire()

    def _wire(self) -> None:
        self._commands = topics.JOINT_COMMAND.publisher(self)
        self._says = StateReport(self, topics.SAFETY_STATE, self.graph.robot_id)
        newest = topics.NEWEST_ONLY
        self._samples = SampleAssembler(self, self.robot, self._on_sample, depth=newest)
        topics.ODOM.subscribe(self, self._on_odometry, raw=True, depth=newest)
        for source, topic in (('policy', topics.POLICY_TARGET), ('reset', topics.RESET_TARGET)):
            topic.subscribe(self, partial(self._on_target, source), raw=True, depth=newest)
        if not self.graph.lockstep:
            topics.ROBOT_STATE.subscribe(self, self._on_robot)
        self._health = HealthListener(self, self.robot, self._records)
        topics.SAFETY_STOP.serve(self, self._operator_stop)
        topics.SAFETY_RESUME.serve(self, self._operator_resume)
        watch = WATCH_S if self.graph.lockstep else 1.0 / self.robot.command_hz
        self.every(watch, self._watch)
        self.every(1.0, self._tell)

    def _now_ns(self) -> int:
        if not self.graph.lockstep:
            return steady_ns()
        return 0 if self._sample is None else self._sample.time_ns

    def _on_sample(self, sample: SensorSample) -> None:
        if self._sample is not None and sample.time_ns <= self._sample.time_ns:
            # A world that waits has lost the answer. One that does not is given none twice.
            if self.graph.lockstep and self._last_message is not None:
                self._commands.publish(self._last_message)
            if self.graph.lockstep or not self._begins_anew(sample):
                return
        self._sample = sample
        self._received['sample'] = self._now_ns()
        self._waiting_since_ns = steady_ns()
        if self.graph.lockstep:
            self._answer_if_complete()
        else:
            self._mourn()
            self._step()

    def _begins_anew(self, sample: SensorSample) -> bool:
        """Tells stamps that fell back after silence, which the core is to see, from late ones."""
        last = self._sample
        silent_ns = self._now_ns() - self._received['sample']
        fell_back = last is not None and sample.time_ns < last.time_ns
        return fell_back and silent_ns > nanoseconds(self._config.sample_age_max_s)

    def _refuse_ahead(self, time_ns: int) -> None:
        """Refuses a stamp that no sample can have had: it would make all that come after it old.

        Raises:
            MessageError: it is ahead of the newest sample by more than a target may be old.
        """
        if not self._may_be(time_ns):
            raise MessageError(f'{time_ns} ns is ahead of every sample')

    def _may_be(self, time_ns: int) -> bool:
        longest_ns = nanoseconds(self._config.target_age_max_s)
        return self._sample is None or time_ns - self._sample.time_ns <= longest_ns

    def _on_odometry(self, data: bytes) -> None:
        try:
            estimate = self._odometry.odometry_from(data)
            self._refuse_ahead(estimate.time_ns)
        except MessageError as error:
            self.diagnostics.values['refused'] = f'odom: {error}'
            return
        self._hear('odom')
        if not self.graph.lockstep:
            self._newest['estimate'] = estimate
            self._received['estimate'] = steady_ns()
        elif self.ticks.is_decision(estimate.time_ns):
            self._estimates[self.ticks.index(estimate.time_ns)] = estimate
            self._answer_if_complete()

    def _on_target(self, source: str, data: bytes) -> None:
        try:
            target = self._records.target_from(data)
            self._refuse_ahead(target.time_ns)
        except MessageError as error:
            self.diagnostics.values['refused'] = f'{source}: {error}'
            return
        self._hear(source)
        held: JointTarget | None = self._newest.get(source)
        if held is not None and held.time_ns >= target.time_ns and self._may_be(held.time_ns):
            return
        self._newest[source] = target
        self._received[source] = target.time_ns if self.graph.lockstep else steady_ns()
        if self.graph.lockstep:
            self._answer_if_complete()
        elif target.request > 0 and self._may_answer(source):
            self._step()

    def _on_robot(self, message: Any) -> None:
        self._let_go = lets_go(message)
        if self._let_go and self._state.command.mode is Mode.ACTIVE:
            self._step()

    def _may_answer(self, source: str) -> bool:
        """Tells whether a driver is answered at once: one time for each sample, whoever floods."""
        stamp = None if self._sample is None else self._sample.time_ns
        first = self._answered_to.get(source, -1) != stamp
        self._answered_to[source] = stamp
        return first

    def _answer_if_complete(self) -> None:
        """Lockstep: steps when all that belongs to the current stamp is here."""
        sample = self._sample
        if sample is None or self.ticks.index(sample.time_ns) <= self._answered:
            return
        if self.ticks.is_decision(sample.time_ns) and self._missing(sample):
            return
        self._take_estimate(sample)
        self._answered = self.ticks.index(sample.time_ns)
        self._step()

    def _missing(self, sample: SensorSample) -> list[str]:
        """Returns the parts whose answer to this decision is still awaited."""
        index = self.ticks.index(sample.time_ns)
        here = {'odom': index in self._estimates}
        for source in ('policy', 'reset'):
            target: JointTarget | None = self._newest.get(source)
            here[source] = target is not None and self.ticks.index(target.time_ns) == index
        return [part for part, is_here in here.items() if not is_here and self._may_wait(part)]

    def _may_wait(self, part: str) -> bool:
        """Tells whether `part` is still waited for; one given up is not, until it speaks again."""
        heard = self._heard.get(part)
        patience = START_PATIENCE_S if heard is None else PATIENCE_S
        since = max(self._waiting_since_ns, heard or 0)
        if steady_ns() - since >= patience * NANOSECONDS:
            self._given_up.add(part)
        return part not in self._given_up

    def _hear(self, part: str) -> None:
        self._heard[part] = steady_ns()
        self._given_up.discard(part)

    def _take_estimate(self, sample: SensorSample) -> None:
        index = self.ticks.index(sample.time_ns)
        estimate = self._estimates.get(index)
        if estimate is not None:
            self._newest['estimate'] = estimate
            self._received['estimate'] = estimate.time_ns
        self._estimates = {i: e for i, e in self._estimates.items() if i > index}

    def _watch(self) -> None:
        if self.graph.lockstep:
            self._answer_if_complete()
            return
        period = NANOSECONDS // self.robot.command_hz
        if steady_ns() - self._last_step_ns > 2 * period:
            self._mourn()
            self._step()

    def _mourn(self) -> None:
        """Makes stale at once what a process said that has died; its request stays in sight.

        Once a period is enough: the world waits for the answer to a target, and who sent it lives.
        """
        for part, lifeline in self._lives.items():
            if lifeline.is_cut():
                self._received[part] = LONG_AGO_NS

    def _told_of_health(self) -> Told:
        return self._health.told(self._now_ns() if self.graph.lockstep else None)

    def _step(self) -> None:
        newest, received = self._newest, self._received
        told = self._told_of_health()
        inputs = SafetyInputs(
            sample=self._sample,
            sample_received_ns=received.get('sample', 0),
            estimate=newest.get('estimate'),
            estimate_received_ns=received.get('estimate', 0),
            policy=newest.get('policy'),
            policy_received_ns=received.get('policy', 0),
            reset=newest.get('reset'),
            reset_received_ns=received.get('reset', 0),
            health=told.health,
            battery_received_ns=told.battery_ns,
            warmth_received_ns=told.warmth_ns,
            let_go=self._let_go,
            operator_stop=self._stop,
            operator_resume=self._resume,
        )
        self._stop = self._resume = False
        before = self._state.command
        command, self._state = self._core.step(self._state, inputs, self._now_ns())
        self._last_step_ns = steady_ns()
        self._last_message = self._records.command_to(command)
        self._commands.publish(self._last_message)
        self.diagnostics.count('commands')
        if (before.mode, before.authority) != (command.mode, command.authority):
            self._note(before.mode, command.mode, command.reasons)

    def _note(self, before: Mode, mode: Mode, reasons: Reason) -> None:
        # The stop at the end of a run is no trip.
        self._trips += is_trip(mode, reasons) and not self._closing
        if mode not in STOPS:
            self._evidence = ''
        elif before not in STOPS:
            told = self._told_of_health()
            health = told.not_before(self._now_ns() - nanoseconds(self._config.health_age_max_s))
            self._evidence = evidence(reasons, self._sample, health, self.robot)
        self._changed += 1
        self._tell()

    def _tell(self) -> None:
        command = self._state.command
        driver = command.authority.name
        summary = (
            f'{command.mode.name} {driver if driver != Authority.NOBODY.name else ""}'.strip()
        )
        reasons = _words(command.reasons)
        level = LEVELS[command.mode]
        values = {
            'reasons': reasons,
            'evidence': self._evidence,
            'trips': self._trips,
            'robot_time_s': command.time_ns / NANOSECONDS,
        }
        if self._says.publish(level, summary, values) and level == ERROR:
            why = f'{reasons} ({self._evidence})' if self._evidence else reasons
            self.get_logger().warning(f'{summary}: {why}')

    def _operator_stop(self) -> tuple[bool, str]:
        command = self._state.command
        # Who asks again and again is stopped already, and makes no steps.
        if command.mode is not Mode.LATCHED_STOP or Reason.OPERATOR not in command.reasons:
            self._stop = True
            self._step()
        return True, 'stopped; the service safety/resume lets the robot be driven again'

    def _operator_resume(self) -> tuple[bool, str]:
        now_ns = steady_ns()
        if now_ns - self._resumed_ns < RESUME_APART_NS:
            return (
                False,
                'asked too soon after the last time: wait for a second, then resume again',
            )
        self._resumed_ns = now_ns
        self._resume = True
        self._step()
        command = self._state.command
        if command.mode is Mode.LATCHED_STOP:
            return False, f'still stopped: {_words(command.reasons)}; mend that, then resume again'
        return True, 'resumed: the next fresh request may drive'

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        values = self.diagnostics.values
        values['trips'] = self._trips
        values['dropped'] = self._samples.dropped
        values['refused_health'] = self._health.problem
        command = self._state.command
        values['reasons'] = _words(command.reasons)
        if command.mode is Mode.INIT:
            return WARN, 'waiting for sensors'
        return LEVELS[command.mode], f'{command.mode.name} {command.authority.name}'

    def close(self) -> None:
        """Sends a stop, and waits until it has come, before the middleware goes."""
        self._closing = self._stop = True
        self._step()
        self._commands.wait_for_all_acked(LAST_WORD)


def _words(reasons: Reason) -> str:
    return '|'.join(reason.name or '' for reason in Reason if reason & reasons) or 'NONE'


def main() -> None:
    """Runs the node."""
    sys.exit(run(SafetyNode))


if __name__ == '__main__':
    main()
