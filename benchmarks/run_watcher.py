"""What is seen of a run from outside, by its topics alone."""

from __future__ import annotations

from typing import Any

from rclpy.node import Node

from quad_learner.reset.state import State
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns

ENDLESS_MIN = 1e5
"""[min] of robot time: more than whoever watches a run waits for, even in lockstep"""


class Watcher(Node):
    """Sees what a stranger sees: steps, modes, diagnostics."""

    def __init__(self) -> None:
        super().__init__('watcher')
        self.steps = self._judged = self._unsafe = 0
        self.robot_time_s = 0.0
        self._before: list[tuple[float, int, int]] = []
        """of robots that were: time [s], judged, unsafe"""
        self.mode = self.reasons = ''
        self.stopped: list[tuple[int, str]] = []
        """when each stop was heard, by the steady clock [ns], and its reasons"""
        self.rests = False
        """reset, which drives, says that it waits until motors are cool and the battery charged"""
        topics.EXPERIENCE.subscribe(self, self._on_step, raw=True)
        topics.RESET_STATE.subscribe(self, self._on_reset)
        topics.SAFETY_STATE.subscribe(self, self._on_safety)
        topics.DIAGNOSTICS.subscribe(self, self._on_diagnostics)
        services = (topics.SAFETY_STOP, topics.SAFETY_RESUME)
        self._callers = {
            service: self.create_client(service.type, service.name) for service in services
        }

    def _on_step(self, _: bytes) -> None:
        self.steps += 1

    def _on_reset(self, message: Any) -> None:
        self.rests = message.message == State.REST.name

    def _on_safety(self, message: Any) -> None:
        mode = message.message.split()[0]
        values = {pair.key: pair.value for pair in message.values}
        if mode != self.mode and mode.endswith('STOP'):
            self.stopped.append((steady_ns(), values['reasons']))
        self.mode, self.reasons = mode, values['reasons']

    def _on_diagnostics(self, message: Any) -> None:
        for status in message.status:
            if status.name.endswith('/robot'):
                values = {pair.key: pair.value for pair in status.values}
                time_s = float(values['robot_time_s'])
                if time_s < self.robot_time_s:  # another robot begins its own time
                    self._before.append((self.robot_time_s, self._judged, self._unsafe))
                self.robot_time_s = time_s
                self._judged = int(values['judged_commands'])
                self._unsafe = int(values['unsafe_commands'])

    def robot_times_s(self) -> list[float]:
        """Returns how long each robot has been there by its own time."""
        return [*(time_s for time_s, _, _ in self._before), self.robot_time_s]

    def totals(self) -> tuple[int, int]:
        """Returns how many commands of all robots were judged and found unsafe."""
        robots = [*self._before, (self.robot_time_s, self._judged, self._unsafe)]
        return sum(each[1] for each in robots), sum(each[2] for each in robots)

    def ask(self, service: topics.Service) -> None:
        """Calls a service, and does not wait for the answer."""
        caller = self._callers[service]
        if caller.service_is_ready():
            caller.call_async(service.type.Request())
