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


def test_a_checked_record_ends_with_the_checksum_of_its_numbers() -> None:
    """The CRC-32 of ISO-HDLC, bit by bit, of the numbers as little-endian doubles."""
    message = Record(BLOCKS, checked=True).pack(time=7.0, angles=[0.1, -0.2, 1e-300])
    register = 0xFFFFFFFF
    for byte in np.array([7.0, 0.1, -0.2, 1e-300], '<f8').tobytes():
        register ^= byte
        for _ in range(8):
            register = register >> 1 ^ (0xEDB88320 if register & 1 else 0)
    assert message.layout.dim[-1].label == 'crc32'
    assert message.data[-1] == float(register ^ 0xFFFFFFFF)


def test_each_bit_that_is_turned_in_a_checked_record_is_found() -> None:
    record = Record(BLOCKS, checked=True, robot_id='left')
    right = record.pack_bytes(time=7.0, angles=[0.1, -0.2, 1e-300])
    assert set(record.unpack(right)) == {*BLOCKS, 'crc32'}
    for place in range(4, len(right)):
        for bit in range(8):
            turned = bytearray(right)
            turned[place] ^= 1 << bit
            try:
                found = record.unpack(bytes(turned))
            except (RecordError, MessageError):
                continue
            # Bytes between two fields mean nothing to anybody.
            assert found['time'].tolist() == [7.0]
            assert found['angles'].tolist() == [0.1, -0.2, 1e-300]


def test_numbers_that_were_changed_are_refused_in_each_way_of_reading() -> None:
    record = Record(BLOCKS, checked=True)
    message = record.pack(time=7.0, angles=[0.1, -0.2, 0.3])
    message.data[2] = -0.21
    data = bytes(serialize_message(message))
    for read in (record.unpack, lambda data: record.unpack_all([data])):
        with pytest.raises(RecordError, match='changed on its way'):
            read(data)
    with pytest.raises(RecordError, match='changed on its way'):
        record.unpack(message)


def test_several_checked_records_are_read_as_columns() -> None:
    record = Record(BLOCKS, checked=True)
    told = [record.pack_bytes(time=t, angles=[t, 0.0, 0.0]) for t in (1.0, 2.0)]
    assert record.unpack_all(told)['time'].tolist() == [[1.0], [2.0]]
