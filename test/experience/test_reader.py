from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from quad_learner.experience.log import ExperienceLog
from quad_learner.experience.reader import ExperienceReader, ReadReport

WriteLog = Callable[..., ExperienceLog]

FUZZED = 100_000


def read(path: Path) -> tuple[list[int], ReadReport]:
    """Returns the sequences read and the report."""
    reader = ExperienceReader(path)
    return [record.sequence for record in reader.records()], reader.report


def test_records_come_back_as_they_were_logged(
    log_path: Path, write_log: WriteLog, payload: Callable[[int], bytes]
) -> None:
    write_log(range(1, 131))
    records = list(ExperienceReader(log_path).records())
    assert [record.sequence for record in records] == list(range(1, 131))
    assert all(record.data == payload(record.sequence) for record in records)
    assert all(record.time_ns == record.sequence * 25_000_000 for record in records)


def test_segments_read_as_one_log_and_repeated_steps_once(
    log_path: Path, write_log: WriteLog
) -> None:
    write_log(range(1, 61))
    write_log(range(55, 101))
    sequences, report = read(log_path)
    assert sequences == list(range(1, 101))
    assert (report.segments, report.records, report.duplicates) == (2, 100, 6)
    assert (report.last_sequence, report.gaps) == (100, [])


def test_missing_steps_are_told_until_they_turn_up(log_path: Path, write_log: WriteLog) -> None:
    write_log([2, 3, 10])
    assert read(log_path)[1].gaps == [(1, 1), (4, 9)]
    write_log([6, 1, 4])
    sequences, report = read(log_path)
    assert sequences == [2, 3, 10, 6, 1, 4]
    assert report.gaps == [(5, 5), (7, 9)]


def test_a_log_cut_at_any_byte_gives_its_whole_records(
    log_path: Path, write_log: WriteLog
) -> None:
    count = 8
    write_log(range(1, count + 1))
    whole = log_path.read_bytes()
    met = set()
    start = whole.find(b'cdr') + len(b'cdr')  # from the end of the channel on
    for length in range(start, len(whole), 11):
        log_path.write_bytes(whole[:length])
        sequences, report = read(log_path)
        assert sequences == list(range(1, len(sequences) + 1))
        assert report.damage == []
        met.add(len(sequences))
    assert met == set(range(count + 1))


def test_no_flipped_bit_passes_for_experience(
    log_path: Path, write_log: WriteLog, payload: Callable[[int], bytes]
) -> None:
    write_log(range(1, 21))
    whole = log_path.read_bytes()
    random = np.random.default_rng(5)
    for _ in range(200):
        flipped = bytearray(whole)
        flipped[random.integers(len(whole))] ^= 1 << int(random.integers(8))
        log_path.write_bytes(flipped)
        reader = ExperienceReader(log_path)
        records = list(reader.records())
        assert all(record.data == payload(record.sequence) for record in records)
        assert all(record.time_ns == record.sequence * 25_000_000 for record in records)
        assert len(records) == 20 or reader.report.damage or reader.report.unclosed


def test_a_changed_byte_costs_its_record_alone_and_is_told(
    log_path: Path, write_log: WriteLog, payload: Callable[[int], bytes]
) -> None:
    write_log(range(1, 151))
    whole = log_path.read_bytes()
    log_path.write_bytes(whole.replace(payload(75), payload(76), 1))
    sequences, report = read(log_path)
    assert sequences == [*range(1, 75), *range(76, 151)]
    assert report.gaps == [(75, 75)]
    [damage] = report.damage
    assert 'does not fit its checksum; left out' in damage


def test_a_segment_that_is_being_written_can_be_read(log_path: Path, write_log: WriteLog) -> None:
    log = write_log(range(1, 71), close=False)
    sequences, report = read(log_path)
    assert sequences == list(range(1, 71))
    assert report.unclosed == [log_path]
    log.close()


@pytest.mark.parametrize(
    'content', [b'no bag at all', bytes(100), b'\x89MCAP0\r\n' + b'\xff' * 90]
)
def test_a_foreign_file_is_told_and_the_other_segments_are_read(
    log_path: Path, write_log: WriteLog, content: bytes
) -> None:
    write_log([1, 2])
    write_log([3, 4])
    log_path.write_bytes(content)
    sequences, report = read(log_path)
    assert sequences == [3, 4]
    assert len(report.damage) + len(report.unclosed) == 1
    assert report.gaps == [(1, 2)]


def test_an_empty_segment_holds_nothing(log_path: Path) -> None:
    log_path.touch()
    sequences, report = read(log_path)
    assert (sequences, report.unclosed) == ([], [log_path])


def test_a_log_that_is_not_there_is_named(log_path: Path) -> None:
    with pytest.raises(
        FileNotFoundError, match=r'experience\.mcap does not exist; give the folder'
    ):
        next(ExperienceReader(log_path).records())


def _hostile(whole: bytes, random: np.random.Generator) -> bytes:
    """Returns noise, noise that begins as a bag does, or a log of which a part is changed."""
    kind = random.integers(4)
    noise = random.bytes(int(random.integers(1, 120)))
    if kind == 0:
        return noise
    if kind == 1:
        return whole[:8] + noise
    at = int(random.integers(8, len(whole)))
    if kind == 2:
        return whole[:at] + noise + whole[at + len(noise) :]
    length = int(random.integers(1 << 62)) >> int(random.integers(62))
    return whole[:at] + length.to_bytes(8, 'little') + whole[at + 8 :]


@pytest.mark.slow
@pytest.mark.apart
def test_whatever_a_file_holds_only_genuine_steps_are_read_and_nothing_is_raised(
    log_path: Path, write_log: WriteLog, payload: Callable[[int], bytes]
) -> None:
    write_log(range(1, 4))
    whole, random, tried, met = log_path.read_bytes(), np.random.default_rng(0), 0, set()
    descriptor = os.open(log_path, os.O_WRONLY)
    for _ in range(FUZZED):
        content = _hostile(whole, random)
        os.pwrite(descriptor, content, 0)
        os.ftruncate(descriptor, len(content))
        reader = ExperienceReader(log_path)
        records = list(reader.records())
        assert all(record.data == payload(record.sequence) for record in records)
        assert len(records) == 3 or reader.report.damage or reader.report.unclosed
        tried, met = tried + 1, met | {len(records)}
    os.close(descriptor)
    assert (tried, met) == (FUZZED, {0, 1, 2, 3})


def test_a_length_beyond_what_a_step_can_have_takes_no_memory(
    log_path: Path, write_log: WriteLog
) -> None:
    write_log([1, 2])
    whole = log_path.read_bytes()
    first = b'\x05' + (22 + 204).to_bytes(8, 'little')  # a message's header and the payload
    at = whole.index(first)
    log_path.write_bytes(whole[: at + 1] + (1 << 40).to_bytes(8, 'little') + whole[at + 9 :])
    os.truncate(log_path, 1 << 41)  # a hole: all those bytes could be read
    sequences, report = read(log_path)
    assert sequences == []
    assert f'a record of {1 << 40} bytes' in report.damage[0]
