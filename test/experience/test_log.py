from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory

from quad_learner.experience import log as log_module
from quad_learner.experience.log import ExperienceLog, LogUnavailableError, segments
from quad_learner.experience.reader import ExperienceReader

WRITER = """
import sys
from pathlib import Path
from quad_learner.experience.log import ExperienceLog
log = ExperienceLog(Path(sys.argv[1]), clock=lambda: 0)
log.open()
for sequence in range(1, 1_000_000):
    log.append(sequence, b'x' * 800, time_ns=sequence)
    print(sequence, flush=True)
"""


def float_array_as_cdr(values: list[float]) -> bytes:
    """Returns a Float32MultiArray without layout as CDR, laid out by hand from the standard."""
    little_endian = b'\x00\x01\x00\x00'
    no_dimensions, no_offset = (0).to_bytes(4, 'little'), (0).to_bytes(4, 'little')
    length = len(values).to_bytes(4, 'little')
    return little_endian + no_dimensions + no_offset + length + np.float32(values).tobytes()


def test_any_mcap_reader_opens_the_log_and_decodes_its_messages(log_path: Path) -> None:
    log = ExperienceLog(log_path, clock=lambda: 0)
    log.open()
    log.append(1, float_array_as_cdr([1.5, -2.0]), time_ns=25_000_000)
    log.close()

    with log_path.open('rb') as file:
        reader = make_reader(file, decoder_factories=[DecoderFactory()])
        [(schema, channel, message, decoded)] = reader.iter_decoded_messages()
        assert reader.get_header().profile == 'ros2'
        summary = reader.get_summary()
    assert schema is not None
    assert summary is not None
    assert summary.statistics is not None
    assert schema.name == 'std_msgs/msg/Float32MultiArray'
    assert (channel.topic, channel.message_encoding) == ('experience', 'cdr')
    assert (message.sequence, message.log_time) == (1, 25_000_000)
    assert list(decoded.data) == [1.5, -2.0]
    assert summary.statistics.message_count == 1


def test_each_opening_starts_the_next_segment_and_changes_no_earlier_one(
    log_path: Path, write_log: Callable[..., ExperienceLog]
) -> None:
    write_log([1])
    first = log_path.read_bytes()
    for sequence in range(2, 13):
        write_log([sequence])

    names = [segment.name for segment in segments(log_path)]
    assert names == ['experience.mcap', *(f'experience_{n}.mcap' for n in range(1, 12))]
    assert log_path.read_bytes() == first


def test_files_of_other_names_are_no_segments(log_path: Path) -> None:
    for name in ('experience_01.mcap', 'experience_x.mcap', 'experience.mcap.old', 'a.mcap'):
        (log_path.parent / name).touch()
    assert segments(log_path) == ()


def test_no_acknowledged_step_is_lost_when_the_process_is_killed(log_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, '-c', WRITER, str(log_path)], stdout=subprocess.PIPE, text=True
    ) as writer:
        assert writer.stdout is not None
        acknowledged = 0
        while acknowledged < 333:
            acknowledged = int(writer.stdout.readline())
        writer.send_signal(signal.SIGKILL)
        # A last line without its end was still being written: not yet acknowledged.
        rest = writer.stdout.read().rpartition('\n')[0].split()
    acknowledged = int(rest[-1]) if rest else acknowledged

    reader = ExperienceReader(log_path)
    sequences = [record.sequence for record in reader.records()]
    assert len(sequences) >= acknowledged
    assert sequences == list(range(1, len(sequences) + 1))
    assert reader.report.unclosed == [log_path]
    assert reader.report.damage == []


class Clock:
    """A steady clock that stands where it is put [ns]."""

    def __init__(self) -> None:
        self.now = 0

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def disk_waits(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Returns a list that grows by one at each wait for the disk."""
    waits: list[int] = []
    monkeypatch.setattr(os, 'fdatasync', waits.append)
    return waits


def test_the_disk_is_awaited_after_fifty_records(log_path: Path, disk_waits: list[int]) -> None:
    log = ExperienceLog(log_path, clock=Clock())
    log.open()
    disk_waits.clear()
    waits = []
    for sequence in range(1, 101):
        log.append(sequence, b'', 0)
        waits.append(len(disk_waits))
    assert waits == [0] * 49 + [1] * 50 + [2]
    log.close()


def test_the_disk_is_awaited_after_a_second(log_path: Path, disk_waits: list[int]) -> None:
    clock = Clock()
    log = ExperienceLog(log_path, clock=clock)
    log.open()
    disk_waits.clear()
    log.append(1, b'', 0)
    clock.now = 999_999_999
    log.append(2, b'', 0)
    assert len(disk_waits) == 0
    clock.now = 1_000_000_000
    log.append(3, b'', 0)
    assert len(disk_waits) == 1
    log.close()


class FullDisk:
    """Stands in for os.pwrite: room for some bytes more, then the disk is full."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.room = sys.maxsize
        self._write = os.pwrite
        monkeypatch.setattr(os, 'pwrite', self)

    def __call__(self, descriptor: int, data: bytes, offset: int) -> int:
        if self.room == 0:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        written = self._write(descriptor, data[: self.room], offset)
        self.room -= written
        return written


def test_a_full_disk_is_told_and_costs_no_step(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ExperienceLog(log_path, clock=lambda: 0)
    log.open()
    log.append(1, b'one' * 100, 0)
    disk = FullDisk(monkeypatch)
    disk.room = 40  # a part of a record, so that it is torn
    with pytest.raises(LogUnavailableError, match=r'No space left.*experience\.mcap'):
        log.append(2, b'two' * 100, 0)
    assert [record.data for record in ExperienceReader(log_path).records()] == [b'one' * 100]

    disk.room = sys.maxsize
    log.append(2, b'two' * 100, 0)
    log.append(3, b'three', 0)
    log.close()
    reader = ExperienceReader(log_path)
    assert [r.data for r in reader.records()] == [b'one' * 100, b'two' * 100, b'three']
    assert (reader.report.damage, reader.report.unclosed) == ([], [])


def test_a_failing_disk_is_told_and_the_step_may_be_sent_again(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ExperienceLog(log_path, clock=lambda: 0)
    log.open()
    for sequence in range(1, 50):
        log.append(sequence, b'x', 0)

    def fail(descriptor: int) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    with monkeypatch.context() as failing:
        failing.setattr(os, 'fdatasync', fail)
        with pytest.raises(LogUnavailableError, match='Input/output error'):
            log.append(50, b'x', 0)
    log.append(50, b'x', 0)
    log.close()
    reader = ExperienceReader(log_path)
    assert [record.sequence for record in reader.records()] == list(range(1, 51))
    assert (reader.report.duplicates, reader.report.damage) == (1, [])


def test_a_segment_that_cannot_be_started_leaves_no_file(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = FullDisk(monkeypatch)
    disk.room = 20
    with pytest.raises(LogUnavailableError):
        ExperienceLog(log_path, clock=lambda: 0).open()
    assert list(log_path.parent.iterdir()) == []


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    log = ExperienceLog(tmp_path / 'nowhere' / 'experience.mcap', clock=lambda: 0)
    with pytest.raises(LogUnavailableError, match=r'No such file.*nowhere'):
        log.open()


def test_a_log_that_is_not_open_says_so_and_may_be_closed(log_path: Path) -> None:
    log = ExperienceLog(log_path, clock=lambda: 0)
    with pytest.raises(RuntimeError, match=r'experience\.mcap is not open; call open'):
        log.append(1, b'', 0)
    log.close()
    assert log.segment is None


def test_close_with_no_space_keeps_every_step(
    log_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = ExperienceLog(log_path, clock=lambda: 0)
    log.open()
    log.append(1, b'one', 0)
    FullDisk(monkeypatch).room = 0
    with pytest.raises(LogUnavailableError):
        log.close()
    assert log.segment is None
    assert log_module.segments(log_path) == (log_path,)
    assert [record.data for record in ExperienceReader(log_path).records()] == [b'one']
