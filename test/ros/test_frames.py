from __future__ import annotations

import pytest

from quad_learner.ros.frames import Frame, Layout, numbers_in, numbers_part, stamp_in, stamp_part

NOTHING = stamp_part(0)


@pytest.fixture
def frame() -> Frame:
    return Frame(Layout().header('kitchen').whole(2).part(2).zeros(1).part(1, 4))


@pytest.mark.parametrize('time_ns', [0, 1, 999_999_999, 1_000_000_000, 2**60])
def test_a_stamp_comes_back_to_the_nanosecond(time_ns: int) -> None:
    assert stamp_in(stamp_part(time_ns)) == time_ns


def test_parts_come_back_as_they_were_written(frame: Frame) -> None:
    parts = [stamp_part(5), numbers_part((0.1, float('-inf'))), b'four']
    assert frame.read(frame.write(*parts)) == parts


def test_numbers_that_were_read_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match='read-only'):
        numbers_in(numbers_part((1.0, 2.0)))[0] = 3.0


def test_a_field_begins_at_a_multiple_of_its_size_after_the_head(frame: Frame) -> None:
    # 4 of head, 8 of stamp, 4 + 8 of text, 4 of number: 24 after the head, where a double may be.
    data = frame.write(NOTHING, numbers_part((1.0, 2.0)), b'four')
    assert data.index(numbers_part((1.0, 2.0))) == 28
    assert len(data) == 28 + 16 + 8 + 4


@pytest.mark.parametrize(
    'parts',
    [
        (NOTHING, numbers_part((1.0,)), b'four'),
        (NOTHING, numbers_part((1.0, 2.0, 3.0)), b'four'),
    ],
)
def test_a_part_of_another_length_is_not_written(frame: Frame, parts: tuple[bytes, ...]) -> None:
    with pytest.raises(ValueError, match='expected 56'):
        frame.write(*parts)


def test_more_or_fewer_parts_are_not_written(frame: Frame) -> None:
    with pytest.raises(ValueError, match='size'):
        frame.write(NOTHING, numbers_part((1.0, 2.0)))


def test_what_is_longer_or_shorter_or_says_something_else_is_not_of_the_frame(
    frame: Frame,
) -> None:
    data = frame.write(NOTHING, numbers_part((1.0, 2.0)), b'four')
    changing = {*range(4, 12), *range(28, 44), *range(52, 56)}
    assert frame.read(data + b'\0') is None
    assert frame.read(data[:-1]) is None
    assert frame.read(b'') is None
    for index in range(len(data)):
        other = bytearray(data)
        other[index] ^= 1
        assert (frame.read(bytes(other)) is not None) == (index in changing), index
