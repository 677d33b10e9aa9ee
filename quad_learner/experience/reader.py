"""Reads the log of steps back: all segments as one, each step once, damage named and left out.

A segment whose writer was killed ends without its closing records, perhaps within a record: what
is whole is read. A record whose checksum does not fit is left out and told.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mcap.exceptions import EndOfFile, McapError
from mcap.records import Channel, DataEnd, McapRecord, Message, Metadata
from mcap.stream_reader import StreamReader
from mcap.writer import MCAP0_MAGIC

from quad_learner.experience.log import CHECKSUM, CHECKSUM_KEY, TOPIC, segments

RECORD_LIMIT_BYTES = 1 << 24
"""Longest record believed [bytes], a thousand times a step: longer is a damaged length."""


@dataclass(frozen=True)
class Record:
    """One logged step, as it was received."""

    sequence: int
    time_ns: int
    """stamp of the step [ns]"""
    data: bytes
    """the serialized std_msgs/Float32MultiArray (CDR)"""


@dataclass
class ReadReport:
    """What reading met. Complete once the iteration has ended."""

    segments: int = 0
    records: int = 0
    """steps handed out"""
    duplicates: int = 0
    """steps met again and skipped"""
    last_sequence: int = 0
    """highest sequence handed out, 0 for none"""
    gaps: list[tuple[int, int]] = field(default_factory=list)
    """sequences that are missing before `last_sequence`: first and last of each stretch"""
    unclosed: list[Path] = field(default_factory=list)
    """segments whose writer did not close them: it was killed, or it is writing still"""
    damage: list[str] = field(default_factory=list)
    """each place where bytes were found changed, in words"""


class ExperienceReader:
    """Reads a log. `report` says what `records` met."""

    def __init__(self, path: Path) -> None:
        """Stores where to read; touches no file.

        Args:
            path: the first segment's path, such as `runs/latest/experience.mcap`.
        """
        self._path = path
        self.report = ReadReport()

    def records(self) -> Iterator[Record]:
        """Yields each step once, in the order logged, and renews `report` as it goes.

        Raises:
            FileNotFoundError: the log has no segment.
            OSError: a segment cannot be read.
        """
        found = segments(self._path)
        if not found:
            raise FileNotFoundError(
                f'experience log {self._path} does not exist; give the folder of a run that has '
                'collected experience'
            )
        self.report = ReadReport()
        for segment in found:
            self.report.segments += 1
            for message in _SegmentReader(segment, self.report).messages():
                if _is_new(message.sequence, self.report):
                    self.report.records += 1
                    yield Record(message.sequence, message.log_time, message.data)


class _SegmentReader:
    """Reads one segment and notes in the report what is wrong with it."""

    def __init__(self, path: Path, report: ReadReport) -> None:
        self._path = path
        self._report = report
        self._channels: set[int] = set()
        self._message: Message | None = None
        """the last one met, until its checksum is"""
        self._closed = False

    def messages(self) -> Iterator[Message]:
        """Yields the messages of the topic that are whole and as they were written."""
        with self._path.open('rb') as file:
            source = _CheckedFile(file)
            for record, checksum in self._records(source):
                if isinstance(record, Metadata) and record.name == CHECKSUM:
                    source.checksum = 0
                    yield from self._judged(record, checksum, source.position)
                else:
                    self._note(record)

    def _records(self, source: _CheckedFile) -> Iterator[tuple[McapRecord, int]]:
        """Yields each record with the checksum of all bytes since the last reset before it."""
        records = StreamReader(
            source,  # type: ignore[arg-type]  # it needs read alone
            emit_chunks=True,
            record_size_limit=RECORD_LIMIT_BYTES,
        ).records
        while not self._closed:
            checksum = source.checksum
            try:
                record = next(records, None)
            except (McapError, ValueError, struct.error) as error:
                self._ended(source, error)
                return
            if record is None:
                self._report.damage.append(f'{self._path}: the record that ends it is missing')
                return
            yield record, checksum

    def _note(self, record: McapRecord) -> None:
        if isinstance(record, Channel) and record.topic == TOPIC:
            self._channels.add(record.id)
        elif isinstance(record, Message) and record.channel_id in self._channels:
            self._message = record
        elif isinstance(record, DataEnd):
            self._closed = True
            if self._message:
                self._report.damage.append(f'{self._path}: the last record has no checksum')

    def _judged(self, record: Metadata, checksum: int, position: int) -> list[Message]:
        """Returns the message that `record` vouches for, none when it is not as it was written."""
        message, self._message = self._message, None
        if record.metadata.get(CHECKSUM_KEY) == f'{checksum:08x}':
            return [message] if message else []
        self._report.damage.append(
            f'{self._path}: the record before byte {position} does not fit its checksum; left out'
        )
        return []

    def _ended(self, source: _CheckedFile, error: Exception) -> None:
        """Notes why the segment cannot be read on: cut short, as a kill does, or damaged."""
        cut_short = isinstance(error, EndOfFile) or source.at_end()
        if cut_short and not source.ends_with(MCAP0_MAGIC):
            self._report.unclosed.append(self._path)
            return
        self._report.damage.append(
            f'{self._path}: cannot be read on from byte {source.position} '
            f'({str(error) or type(error).__name__}); the rest of the segment is left out'
        )


class _CheckedFile:
    """A file being read, with the CRC-32 of what was read."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self.checksum = 0
        """of the bytes read since it was last set to 0"""
        self.position = 0
        """bytes read so far"""

    def read(self, size: int) -> bytes:
        """Returns the next `size` bytes, fewer at the end."""
        data = self._file.read(size)
        self.checksum = zlib.crc32(data, self.checksum)
        self.position += len(data)
        return data

    def at_end(self) -> bool:
        """Returns whether no byte is left to read."""
        return not self._file.read(1)

    def ends_with(self, ending: bytes) -> bool:
        """Returns whether the file's last bytes are `ending` behind something else."""
        size = self._file.seek(0, os.SEEK_END)
        self._file.seek(max(size - len(ending), 0))
        return size > len(ending) and self._file.read() == ending


def _is_new(sequence: int, report: ReadReport) -> bool:
    """Returns whether this step has not been met, and keeps the account of gaps and duplicates."""
    if sequence > report.last_sequence:
        if sequence > report.last_sequence + 1:
            report.gaps.append((report.last_sequence + 1, sequence - 1))
        report.last_sequence = sequence
        return True
    for index, (first, last) in enumerate(report.gaps):
        if first <= sequence <= last:
            halves = ((first, sequence - 1), (sequence + 1, last))
            report.gaps[index : index + 1] = [half for half in halves if half[0] <= half[1]]
            return True
    report.duplicates += 1
    return False
