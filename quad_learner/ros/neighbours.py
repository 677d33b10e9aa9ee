"""Other robots in the same domain: what they say is dropped before anybody looks at it.

A message bears the `robot_id` of its graph before a slash: in the frame of its header
(`left/imu_link`), in the label of a record's first block (`left/time_ns`), in the hardware of a
state (`left/quad_learner`). Where a graph has none, nothing is put there. Plain numbers
(`learner/<metric>`, `/clock`) and services have no place for it.
"""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any

from diagnostic_msgs.msg import DiagnosticStatus
from nav_msgs.msg import Odometry
from sensor_msgs.msg import BatteryState, Imu, JointState
from std_msgs.msg import Float32MultiArray, Float64MultiArray, UInt8MultiArray

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros.clock import steady_ns
from quad_learner.ros.topics import CDR_HEADER_BYTES

HEADED = (JointState, Imu, Odometry, BatteryState)
RECORDS = (Float64MultiArray, Float32MultiArray, UInt8MultiArray)
ROOM = 4
"""messages that wait at least for who has a name, where the newest would do: those of three other
robots that come in the same instant must not push out the own one"""
NOTED_NS = 2 * NANOSECONDS
"""[ns] another robot counts as there for so long after its last word: two diagnostics"""
NAMES_MAX = 32
"""names of other robots that are kept and told: whoever makes up names may make up thousands"""
LETTERS_MAX = 64
"""letters of a name that are kept"""
_HEADED_AT, _RECORD_AT = 12, 8
"""where the length of the text lies in the bytes (CDR): after the stamp, or the count of blocks"""
_LENGTH = {True: struct.Struct('<I'), False: struct.Struct('>I')}
"""of a text, by whether the bytes are little-endian"""

NOT_YET = b'\xff' * 8
"""a length that no text has"""


def named(robot_id: str, text: str) -> str:
    """Returns `text` as the graph of `robot_id` says it; '' says it as it is."""
    return f'{robot_id}/{text}' if robot_id else text


def bears(kind: type[Any]) -> bool:
    """Returns whether messages of the type `kind` bear a robot's name."""
    return kind in HEADED or kind in RECORDS or kind is DiagnosticStatus


def robot_of(message: Any) -> str:
    """Returns the robot whose graph a message is from; '' where it bears no name.

    Args:
        message: an object of a type that `bears` a name.
    """
    if isinstance(message, HEADED):
        return _before_slash(message.header.frame_id)
    if isinstance(message, DiagnosticStatus):
        return _before_slash(message.hardware_id)
    blocks = message.layout.dim
    return _before_slash(blocks[0].label) if blocks else ''


def robot_in(data: bytes, kind: type[Any]) -> str:
    """Returns what `robot_of` does, from the bytes of a message with a header or of a record.

    Whoever reads the message judges bytes that are too short, or no message of this type.
    """
    text = _name_in(data, kind)[_LENGTH[True].size : -1]
    return _before_slash(text.decode(errors='replace')) if b'/' in text else ''


def _name_in(data: bytes, kind: type[Any]) -> bytes:
    """Returns the text that bears the name, with its length before it, as it lies in the bytes."""
    place = _place(kind)
    begin = place + _LENGTH[True].size
    if len(data) < begin or (kind in RECORDS and not any(data[CDR_HEADER_BYTES:place])):
        return b''
    size: int = _LENGTH[bool(data[1] & 1)].unpack_from(data, place)[0]
    return data[place : begin + size]


def _place(kind: type[Any]) -> int:
    return _HEADED_AT if kind in HEADED else _RECORD_AT


def _before_slash(text: str) -> str:
    return text.partition('/')[0] if '/' in text else ''


class Neighbours:
    """Drops what other robots say, and remembers whom it heard."""

    def __init__(self, robot_id: str, met: Callable[[str], None]) -> None:
        """Stores.

        Args:
            robot_id: whose word counts.
            met: called once for each other robot, with its name, which may be '', and for
                NAMES_MAX at most.
        """
        self._own = robot_id
        self._met = met
        self._heard: dict[str, int] = {}
        """when each other robot spoke last [ns]"""
        self._speaks_on: dict[str, set[str]] = {}
        """who was heard on each topic"""
        self._told = 0
        self.dropped = 0
        """messages of others so far"""
        self.unnamed = 0
        """of these, messages of robots beyond the names that are kept"""
        self.room = ROOM if robot_id else 0
        """messages of a topic that must be able to wait"""

    def only_ours(
        self, topic: str, kind: type[Any], raw: bool, callback: Callable[[Any], None]
    ) -> Callable[[Any], None]:
        """Returns a callback that hands on to `callback` what bears the own name.

        Args:
            topic: that is listened to.
            kind: type of its messages.
            raw: they come as bytes.
            callback: hears them.
        """
        if not bears(kind):
            return callback

        def hear(message: Any) -> None:
            """Looks at the name of a message that comes as an object."""
            robot = robot_of(message)
            if robot == self._own:
                callback(message)
            else:
                self._drop(topic, robot)

        return self._only_our_bytes(topic, kind, callback) if raw else hear

    def _only_our_bytes(
        self, topic: str, kind: type[Any], callback: Callable[[bytes], None]
    ) -> Callable[[bytes], None]:
        place, ours = _place(kind), NOT_YET

        def hear(data: bytes) -> None:
            """Looks at the bytes in the name's place; reads the name only where they differ."""
            nonlocal ours
            # Each of them has the same text there: to see that takes a tenth of reading it.
            if data.startswith(ours, place):
                callback(data)
                return
            robot = robot_in(data, kind)
            if robot == self._own:
                ours = _name_in(data, kind) or NOT_YET
                callback(data)
            else:
                self._drop(topic, robot)

        return hear

    def _drop(self, topic: str, robot: str) -> None:
        self.dropped += 1
        robot, now_ns = robot[:LETTERS_MAX], steady_ns()
        if robot not in self._heard and not self._takes_up(robot, now_ns):
            self.unnamed += 1
            return
        self._heard[robot] = now_ns
        self._speaks_on.setdefault(topic, set()).add(robot)

    def _takes_up(self, robot: str, now_ns: int) -> bool:
        """Tells of a new robot; returns False where there are too many to keep its name."""
        if len(self._heard) >= NAMES_MAX:
            since = now_ns - NOTED_NS
            self._heard = {name: last for name, last in self._heard.items() if last >= since}
            for names in self._speaks_on.values():
                names.intersection_update(self._heard)
        if len(self._heard) >= NAMES_MAX:
            return False
        if self._told < NAMES_MAX:
            self._told += 1
            self._met(robot)
        return True

    def heard(self) -> list[str]:
        """Returns the names of the robots that spoke lately."""
        since = steady_ns() - NOTED_NS
        return sorted(robot for robot, last in self._heard.items() if last >= since)

    def known(self, topic: str) -> int:
        """Returns how many other robots were heard on `topic` since it was forgotten."""
        return len(self._speaks_on.get(topic, ()))

    def forget(self, topic: str) -> None:
        """Forgets whom it heard on `topic`: they are gone."""
        self._speaks_on.pop(topic, None)
