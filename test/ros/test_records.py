from __future__ import annotations

import array
from typing import Any

import numpy as np
import pytest
from rclpy.serialization import deserialize_message, serialize_message
from std_msgs.msg import Float32MultiArray, Float64MultiArray

from quad_learner.ros.messages import MessageError
from quad_learner.ros.records import Record, RecordError

BLOCKS = {'time': 1, 'angles': 3}


@pytest.fixture
def record() -> Record:
    return Record(BLOCKS)


def test_a_record_comes_back_as_it_was_packed(record: Record) -> None:
    block = record.unpack(record.pack(time=2.0**53 - 1, angles=[0.1, -0.2, 1e-300]))
    assert block['time'].tolist() == [2.0**53 - 1]
    assert block['angles'].tolist() == [0.1, -0.2, 1e-300]


def test_a_record_explains_itself_on_the_wire(record: Record) -> None:
    message = record.pack(time=1.0, angles=np.zeros(3))
    assert isinstance(message, Float64MultiArray)
    assert [(dim.label, dim.size) for dim in message.layout.dim] == [('time', 1), ('angles', 3)]


def test_a_record_in_single_precision_says_so() -> None:
    record = Record(BLOCKS, Float32MultiArray)
    message = record.pack(time=1.0, angles=[0.1, 0.2, 0.3])
    assert isinstance(message, Float32MultiArray)
    assert record.unpack(message)['angles'].dtype == np.float32


@pytest.mark.parametrize(
    'other, words',
    [
        ({'time': 1, 'angles': 4}, '5 numbers in 2 blocks came, expected 4 in the blocks time'),
        ({'time': 4}, '4 numbers in 1 blocks came'),
        ({'angles': 3, 'time': 1}, "block 'angles' of 3 came, expected 'time' of 1"),
        ({'time': 2, 'angles': 2}, "block 'time' of 2 came, expected 'time' of 1"),
        ({'time': 1, 'speeds': 3}, "block 'speeds' of 3 came, expected 'angles' of 3"),
    ],
)
def test_a_record_of_another_kind_is_refused(
    record: Record, other: dict[str, int], words: str
) -> None:
    values: dict[str, Any] = {name: np.zeros(size) for name, size in other.items()}
    with pytest.raises(RecordError, match=words):
        record.unpack(Record(other).pack(**values))


def test_an_empty_or_torn_message_is_refused(record: Record) -> None:
    with pytest.raises(RecordError, match='a record of 0 numbers'):
        record.unpack(Float64MultiArray())
    torn = record.pack(time=1.0, angles=np.zeros(3))
    torn.data = array.array('d', [1.0, 2.0])
    with pytest.raises(RecordError, match='a record of 2 numbers'):
        record.unpack(torn)


@pytest.mark.parametrize('kind', [Float64MultiArray, Float32MultiArray])
def test_the_bytes_of_a_record_say_what_the_message_says(kind: type[Any]) -> None:
    record = Record(BLOCKS, kind)
    values = {'time': float('inf'), 'angles': [float('nan'), -0.0, 1e-30]}
    data, message = record.pack_bytes(**values), record.pack(**values)
    assert repr(deserialize_message(data, kind)) == repr(message)
    assert len(data) == len(serialize_message(message))
    for heard in (record.unpack(data), record.unpack(bytes(serialize_message(message)))):
        for name, block in record.unpack(message).items():
            assert heard[name].tobytes() == block.tobytes()
            assert heard[name].dtype == block.dtype


def test_the_bytes_of_another_record_are_refused_as_the_message_is(record: Record) -> None:
    other = Record({'time': 1, 'speeds': 3}).pack_bytes(time=1.0, speeds=np.zeros(3))
    with pytest.raises(RecordError, match="block 'speeds' of 3 came, expected 'angles' of 3"):
        record.unpack(other)


def test_torn_bytes_are_refused(record: Record) -> None:
    with pytest.raises(MessageError, match='bytes that are no Float64MultiArray'):
        record.unpack(record.pack_bytes(time=1.0, angles=np.zeros(3))[:-1])
