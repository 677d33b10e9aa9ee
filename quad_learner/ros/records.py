"""Packed records: named blocks of numbers in one MultiArray, for what standard messages lack.

`layout.dim` names each block in order with its size, so that a record explains itself on the wire
(`ros2 topic echo joint_command`) and a reader refuses a record of other blocks than it expects.
"""

from __future__ import annotations

import array
import zlib
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from std_msgs.msg import (
    Float32MultiArray,
    Float64MultiArray,
    MultiArrayDimension,
    MultiArrayLayout,
)

from quad_learner.ros.frames import Frame, Layout
from quad_learner.ros.messages import message_of
from quad_learner.ros.neighbours import named

Numbers = NDArray[Any]
CHECKSUM = 'crc32'
"""a checked record ends with this block: the CRC-32 of its other numbers as little-endian bytes"""


class RecordError(ValueError):
    """A record whose blocks are not the expected ones."""


class Record:
    """One kind of record: its blocks and how they are packed."""

    def __init__(
        self,
        blocks: Mapping[str, int],
        message: type[Any] = Float64MultiArray,
        robot_id: str = '',
        checked: bool = False,
    ) -> None:
        """Args:
        blocks: size of each block, in order.
        message: Float64MultiArray or Float32MultiArray.
        robot_id: whose record it is; on the wire the first block bears it.
        checked: one more block holds a checksum, and a record that it does not fit is refused; of
            Float64MultiArray alone, for 32 bits are not exact in a float32.
        """
        self._blocks = dict(blocks) | ({CHECKSUM: 1} if checked else {})
        self._checked = checked
        first, *others = self._blocks
        self._labels = (named(robot_id, first), *others)
        self._message = message
        self._code, self._dtype = {
            Float64MultiArray: ('d', np.float64),
            Float32MultiArray: ('f', np.float32),
        }[message]
        ends = np.cumsum(list(self._blocks.values()))
        self._slices = {
            name: slice(int(end) - size, int(end))
            for (name, size), end in zip(self._blocks.items(), ends, strict=True)
        }
        self._given = {name: place for name, place in self._slices.items() if name in blocks}
        self._size = int(ends[-1])
        self._layout = MultiArrayLayout(
            dim=[
                MultiArrayDimension(label=label, size=size, stride=size)
                for label, size in zip(self._labels, self._blocks.values(), strict=True)
            ]
        )

    @cached_property
    def _frame(self) -> Frame:
        layout = Layout().whole(len(self._blocks))
        for label, size in zip(self._labels, self._blocks.values(), strict=True):
            layout.text(label).whole(size).whole(size)
        return Frame(
            layout.whole(0).whole(self._size).part(self._size, np.dtype(self._dtype).itemsize)
        )

    def pack(self, **values: Any) -> Any:
        """Returns the message with `values`, one entry a block."""
        return self._message_of(self._flat(values))

    def pack_bytes(self, **values: Any) -> bytes:
        """Returns the bytes of the message that `pack` makes."""
        return self._frame.write(self._flat(values))

    def _flat(self, values: Mapping[str, Any]) -> bytes:
        flat = np.empty(self._size, self._dtype)
        for name, place in self._given.items():
            flat[place] = values[name]
        if self._checked:
            flat[-1] = _checksum(flat[:-1])
        return flat.tobytes()

    def _message_of(self, flat: bytes) -> Any:
        return self._message(layout=self._layout, data=array.array(self._code, flat))

    def unpack(self, message: Any) -> dict[str, Numbers]:
        """Returns each block of `message` as an array.

        Args:
            message: an object, or the bytes of one.

        Raises:
            RecordError: the message holds other blocks than this kind of record.
            MessageError: the bytes are no message.
        """
        if isinstance(message, bytes):
            return self._unpack_bytes(message)
        flat = np.frombuffer(message.data, self._dtype)
        dims = message.layout.dim
        if flat.size != self._size or len(dims) != len(self._blocks):
            raise RecordError(
                f'a record of {flat.size} numbers in {len(dims)} blocks came, '
                f'expected {self._size} in the blocks {", ".join(self._blocks)}'
            )
        for dim, label, size in zip(dims, self._labels, self._blocks.values(), strict=True):
            if dim.label != label or dim.size != size:
                raise RecordError(
                    f'block {dim.label!r} of {dim.size} came, expected {label!r} of {size}'
                )
        return self._right(flat)

    def _unpack_bytes(self, data: bytes) -> dict[str, Numbers]:
        parts = self._frame.read(data)
        if parts is not None:
            return self._right(np.frombuffer(parts[0], self._dtype))
        return self.unpack(message_of(data, self._message))

    def unpack_all(self, messages: Sequence[bytes]) -> dict[str, Numbers]:
        """Returns each block of all `messages`, at least one, as an array with a row for each.

        Raises:
            RecordError: as for `unpack`, of any of them.
            MessageError: as for `unpack`, of any of them.
        """
        parts = None if self._checked else self._frame.read_all(messages)
        if parts is not None:
            return self._blocks_of(parts[0].view(self._dtype))
        found = [self.unpack(data) for data in messages]
        return {name: np.stack([blocks[name] for blocks in found]) for name in self._blocks}

    def _right(self, flat: Numbers) -> dict[str, Numbers]:
        if self._checked and flat[-1] != _checksum(flat[:-1]):
            raise RecordError('a record was changed on its way: its checksum is of other numbers')
        return self._blocks_of(flat)

    def _blocks_of(self, flat: Numbers) -> dict[str, Numbers]:
        return {name: flat[..., place] for name, place in self._slices.items()}


def _checksum(numbers: Numbers) -> int:
    return zlib.crc32(numbers.astype('<f8', copy=False).data)
