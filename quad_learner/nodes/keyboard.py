"""The keyboard node: keys held in its terminal become `cmd_vel`, which the drive node follows."""

from __future__ import annotations

import os
import sys
from typing import Any

import numpy as np
from geometry_msgs.msg import Twist

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.escapes import Escapes
from quad_learner.drive.keys import HELP, Keys
from quad_learner.drive.terminal import STANDARD_INPUT, keys_at_once, waiting
from quad_learner.ros import topics
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.diagnostics import OK, WARN
from quad_learner.ros.graph_node import GraphNode
from quad_learner.ros.process import run
from quad_learner.task.commander import REST
from quad_learner.task.config import TaskConfig

LOOK_S = 0.05
"""[s] between looks at the keys, and between commands while one is held"""


class KeyboardNode(GraphNode):
    """Reads keys and says what they ask for; says nothing while none is held."""

    def __init__(self, keys_from: int = STANDARD_INPUT, **options: Any) -> None:
        """Reads parameters.

        Args:
            keys_from: file descriptor of the terminal.
            options: for rclpy's Node.
        """
        super().__init__('keyboard', TaskConfig, DriveConfig, **options)
        task_config, drive_config = self.configs
        self._keys = Keys(drive_config, np.array(task_config.command_max))
        self._escapes = Escapes()
        self._keys_from: int | None = keys_from
        self._said = REST
        self._command = topics.CMD_VEL.publisher(self)
        self.every(LOOK_S, self._look)

    def _look(self) -> None:
        now = steady_ns()
        for key in self._escapes.keys(self._pressed(), now):
            self._keys.press(key, now)
        wanted = self._keys.wanted(now)
        if wanted.any() or self._said.any():
            self._say(wanted)

    def _pressed(self) -> str:
        if self._keys_from is None:
            return ''
        keys = waiting(self._keys_from)
        if keys is None:
            self._keys_from = None
            self.get_logger().warning('standard input has ended: no key will be heard')
        return keys or ''

    def _say(self, wanted: Any) -> None:
        message = Twist()
        message.linear.x, message.linear.y, message.angular.z = wanted.tolist()
        self._command.publish(message)
        if not np.array_equal(wanted, self._said):
            ahead, left, turn = wanted.tolist()
            words = f'ahead {ahead:.2f} m/s, left {left:.2f} m/s, turn {turn:.2f} rad/s'
            sys.stdout.write(f'{words}\n')
            sys.stdout.flush()
        self._said = wanted

    def report(self) -> tuple[bytes, str]:
        """Returns level and summary for `/diagnostics`."""
        self.diagnostics.values['share'] = self._keys.share
        if self._keys_from is None:
            return WARN, 'no keys: standard input has ended'
        return OK, 'keys held' if self._said.any() else 'no key held'


def main() -> None:
    """Runs the node."""
    if os.isatty(STANDARD_INPUT):
        sys.stdout.write(HELP + '\n')
        sys.stdout.flush()
    with keys_at_once(STANDARD_INPUT):
        code = run(KeyboardNode)
    sys.exit(code)


if __name__ == '__main__':
    main()
