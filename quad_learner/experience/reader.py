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
from typing import IO, NamedTuple

import numpy as np
from mcap.opcode import Opcode
from mcap.writer import MCAP0_MAGIC

from quad_learner.experience.log import CHECKSUM, CHECKSUM_DIGITS, CHECKSUM_KEY, TOPIC, segments

RECORD_LIMIT_BYTES = 1 << 24
"""Longest record believed [bytes], a thousand times a step: longer is a damaged length."""

AT_ONCE = 256
"""records read at once: some hundred kilobytes, which stay in the processor's cache"""

_HEAD = struct.Struct('<BQ')
"""of every record: what it is, and how many bytes follow"""
_MESSAGE = struct.Struct('<HIQQ')
"""of a message: channel, sequence, time logged and time published [ns]; then the data"""
_CHANNEL = struct.Struct('<HHI')
"""of a channel: itself, its schema, length of its topic; then the topic and more"""
_DATA_END_BYTES = 4
"""of the record that ends a segment: a checksum, 0 where there is none"""
_LENGTH = struct.Struct('<I')
"""of a text or a list, ahead of it"""
_IMPOSSIBLE = {
    0: 'a hole, as a power cut leaves where a file had grown',
    Opcode.FOOTER: 'the record that ends it is missing',
}
"""kinds of records that cannot be met before the end, and what they mean"""


class Record(NamedTuple):
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
            for record in _SegmentReader(segment, self.report).records():
                if _is_new(record.sequence, self.report):
                    self.report.records += 1
                    yield record


class _DamagedError(Exception):
    """Bytes that no writer of ours has written; the message says what is wrong."""


class _SegmentReader:
    """Reads one segment and notes in the report what is wrong with it."""

    def __init__(self, path: Path, report: ReadReport) -> None:
        self._path = path
        self._report = report
        self._channels: set[int] = set()
        self._met: Record | None = None
        """the last message, until its checksum is met"""
        self._channel = 0
        """of that message"""

    def records(self) -> Iterator[Record]:
        """Yields the messages of the topic that are whole and as they were written."""
        with self._path.open('rb') as file:
            try:
                yield from self._vouched_for(file)
            except EOFError:
                self._ended(file, True, 'it ends too early')
            except _DamagedError as error:
                self._ended(file, not file.read(1), str(error))

    def _vouched_for(self, file: IO[bytes]) -> Iterator[Record]:
        magic = _exactly(file, len(MCAP0_MAGIC))
        if magic != MCAP0_MAGIC:
            raise _DamagedError('it does not begin as a bag does')
        checksum = zlib.crc32(magic)
        while True:
            head = _exactly(file, _HEAD.size)
            kind, size = _HEAD.unpack(head)
            if size > RECORD_LIMIT_BYTES:
                raise _DamagedError(f'a record of {size} bytes')
            content = _exactly(file, size)
            if kind == Opcode.METADATA and (self._met or content.startswith(_VOUCHER)):
                if content == b'%s%08x' % (_VOUCHER, checksum):
                    if self._met:
                        yield self._met
                        yield from _more_of_its_size(file, self._channel, len(self._met.data))
                else:
                    self._misfit(file.tell())
                self._met, checksum = None, 0
                continue
            checksum = zlib.crc32(content, zlib.crc32(head, checksum))
            if kind == Opcode.DATA_END:
                self._close(content)
                return
            self._note(kind, content)

    def _note(self, kind: int, content: bytes) -> None:
        if kind == Opcode.MESSAGE:
            if len(content) < _MESSAGE.size:
                raise _DamagedError(f'a message of {len(content)} bytes')
            channel, sequence, time_ns, _ = _MESSAGE.unpack_from(content)
            if channel in self._channels:
                self._channel = channel
                self._met = Record(sequence, time_ns, content[_MESSAGE.size :])
        elif kind == Opcode.CHANNEL:
            if len(content) < _CHANNEL.size:
                raise _DamagedError(f'a channel of {len(content)} bytes')
            channel, _, length = _CHANNEL.unpack_from(content)
            if content[_CHANNEL.size :][:length] == TOPIC.encode():
                self._channels.add(channel)
        elif kind in _IMPOSSIBLE:
            raise _DamagedError(_IMPOSSIBLE[kind])

    def _close(self, content: bytes) -> None:
        if len(content) != _DATA_END_BYTES:
            raise _DamagedError(f'an end of {len(content)} bytes')
        if self._met:
            self._report.damage.append(f'{self._path}: the last record has no checksum')

    def _misfit(self, position: int) -> None:
        self._report.damage.append(
            f'{self._path}: the record before byte {position} does not fit its checksum; left out'
        )

    def _ended(self, file: IO[bytes], cut_short: bool, problem: str) -> None:
        """Notes why the segment cannot be read on: cut short, as a kill does, or damaged."""
        position = file.tell()
        if cut_short and not _ends_with(file, MCAP0_MAGIC):
            self._report.unclosed.append(self._path)
            return
        self._report.damage.append(
            f'{self._path}: cannot be read on from byte {position} '
            f'({problem}); the rest of the segment is left out'
        )


def _texts(*texts: str) -> bytes:
    """Returns texts as they lie in a record, each behind its length."""
    return b''.join(_LENGTH.pack(len(text)) + text.encode() for text in texts)


def _voucher() -> bytes:
    """Returns how a checksum's record begins: its name, its only key, and the value's length."""
    key, value = _texts(CHECKSUM_KEY), _LENGTH.pack(CHECKSUM_DIGITS)
    return _texts(CHECKSUM) + _LENGTH.pack(len(key + value) + CHECKSUM_DIGITS) + key + value


_VOUCHER = _voucher()


def _more_of_its_size(file: IO[bytes], channel: int, size: int) -> Iterator[Record]:
    """Yields the messages that follow and are as long as the last one, as a robot's steps are.

    It stops before the first message that is otherwise, or that its checksum does not fit: that is
    for whoever reads record by record to judge.
    """
    message = _HEAD.pack(Opcode.MESSAGE, _MESSAGE.size + size) + struct.pack('<H', channel)
    voucher = _HEAD.pack(Opcode.METADATA, len(_VOUCHER) + CHECKSUM_DIGITS) + _VOUCHER
    begin = _HEAD.size + _MESSAGE.size
    end = begin + size
    pair = end + len(voucher) + CHECKSUM_DIGITS
    at, count = file.tell(), 1
    while True:
        block = file.read(count * pair)
        rows = np.frombuffer(block, np.uint8, len(block) // pair * pair).reshape(-1, pair)
        fits = (rows[:, : len(message)] == np.frombuffer(message, np.uint8)).all(1)
        fits &= (rows[:, end:-CHECKSUM_DIGITS] == np.frombuffer(voucher, np.uint8)).all(1)
        for row in range(len(rows) if fits.all() else int(fits.argmin())):
            start = row * pair
            checksum = zlib.crc32(memoryview(block)[start : start + end])
            if block[start + pair - CHECKSUM_DIGITS : start + pair] != b'%08x' % checksum:
                break
            _, sequence, time_ns, _ = _MESSAGE.unpack_from(block, start + _HEAD.size)
            at += pair
            yield Record(sequence, time_ns, block[start + begin : start + end])
        else:
            if len(rows) == count and fits.all():
                count = min(2 * count, AT_ONCE)
                continue
        file.seek(at)
        return


def _exactly(file: IO[bytes], size: int) -> bytes:
    """Returns the next `size` bytes.

    Raises:
        EOFError: there are fewer.
    """
    data = file.read(size)
    if len(data) < size:
        raise EOFError
    return data


def _ends_with(file: IO[bytes], ending: bytes) -> bool:
    """Returns whether the file's last bytes are `ending` behind something else."""
    size = file.seek(0, os.SEEK_END)
    file.seek(max(size - len(ending), 0))
    return size > len(ending) and file.read() == ending


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
