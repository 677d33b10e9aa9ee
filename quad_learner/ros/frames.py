"""Frames: the bytes of one kind of message, in which only a few parts ever change.

Turning an object into bytes and back is most of what saying and hearing a message costs. Where
all but the stamp and the numbers stays the same, the bytes themselves are put together and taken
apart. Whatever is not exactly of the frame goes the long way, by an object, and is judged there.
"""

from __future__ import annotations

import struct
import sys
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.signals import NANOSECONDS
from quad_learner.ros.topics import CDR_HEADER_BYTES

Array = NDArray[np.float64]
Bytes = NDArray[np.uint8]

WHOLE_BYTES, DOUBLE_BYTES = 4, 8
_STAMP = struct.Struct('=iI')
"""seconds and nanoseconds as they lie in a header"""


class Layout:
    """The bytes of a message (CDR) as they are laid out, one field after the other.

    Each field begins at a multiple of its size. The bytes left out before it are zeros here, and
    anything in a message that was made the long way.
    """

    def __init__(self) -> None:
        self.data = bytearray((0, sys.byteorder == 'little', 0, 0))
        self.places: list[slice] = []
        """where the parts lie that change"""

    def whole(self, number: int) -> Layout:
        """Adds a whole number of four bytes, or the length of a sequence."""
        return self._add(struct.pack('=I', number), WHOLE_BYTES)

    def text(self, text: str) -> Layout:
        """Adds a string."""
        data = text.encode() + b'\0'
        return self.whole(len(data))._add(data, 1)

    def zeros(self, doubles: int) -> Layout:
        """Adds numbers that are always zero."""
        return self._add(bytes(DOUBLE_BYTES * doubles), DOUBLE_BYTES)

    def part(self, count: int, size: int = DOUBLE_BYTES) -> Layout:
        """Adds a part that changes: `count` numbers of `size` bytes."""
        self._add(bytes(size * count), size)
        self.places.append(slice(len(self.data) - size * count, len(self.data)))
        return self

    def header(self, frame_id: str) -> Layout:
        """Adds a header, whose stamp is the first part."""
        return self.part(2, WHOLE_BYTES).text(frame_id)

    def _add(self, data: bytes, size: int) -> Layout:
        gap = bytes((CDR_HEADER_BYTES - len(self.data)) % size)
        self.data += gap + data
        return self


class Frame:
    """One kind of message: bytes that stay, and between them the parts that change."""

    def __init__(self, layout: Layout) -> None:
        data = bytes(layout.data)
        self._size = len(data)
        self._places = tuple(layout.places)
        edges = [0, *(edge for place in self._places for edge in (place.start, place.stop))]
        fixed = [slice(*ends) for ends in zip(edges[::2], [*edges[1::2], self._size], strict=True)]
        self._pieces = [piece for place in fixed for piece in (data[place], b'')][:-1]
        self._fixed = tuple((place, data[place]) for place in fixed if data[place])

    def write(self, *parts: bytes) -> bytes:
        """Returns the message with `parts` in it.

        Raises:
            ValueError: there are more or fewer parts than in the layout, or of another length.
        """
        pieces = self._pieces.copy()
        pieces[1::2] = parts
        data = b''.join(pieces)
        if len(data) != self._size:
            raise ValueError(f'a message of {len(data)} bytes, expected {self._size}')
        return data

    def read(self, data: bytes) -> list[bytes] | None:
        """Returns the parts of the message `data`, or None where it is not of this frame."""
        if len(data) != self._size:
            return None
        for place, fixed in self._fixed:
            if data[place] != fixed:
                return None
        return [data[place] for place in self._places]

    def read_all(self, messages: Sequence[bytes]) -> list[Bytes] | None:
        """Returns the parts of all messages, (messages, bytes of a part), None if `read` would."""
        if any(len(data) != self._size for data in messages):
            return None
        rows = np.frombuffer(b''.join(messages), np.uint8).reshape(-1, self._size)
        for place, fixed in self._fixed:
            if (rows[:, place] != np.frombuffer(fixed, np.uint8)).any():
                return None
        return [np.ascontiguousarray(rows[:, place]) for place in self._places]


def stamp_part(time_ns: int) -> bytes:
    """Returns `time_ns` [ns] as it lies in a header."""
    return _STAMP.pack(time_ns // NANOSECONDS, time_ns % NANOSECONDS)


def stamp_in(part: bytes) -> int:
    """Returns the stamp [ns] in a part."""
    seconds, nanoseconds = _STAMP.unpack(part)
    return int(seconds) * NANOSECONDS + int(nanoseconds)


def numbers_part(numbers: Array) -> bytes:
    """Returns `numbers` as they lie in a message."""
    return np.asarray(numbers, np.float64).tobytes()


def numbers_in(part: bytes) -> Array:
    """Returns the numbers in a part; they cannot be written to."""
    return np.frombuffer(part)
