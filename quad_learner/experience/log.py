"""The durable log of steps: append-only MCAP segments that any ROS tool opens as a bag.

A record is handed to the operating system before `append` returns, so it outlives the process; it
is on the disk within `SYNC_PERIOD_NS` or `SYNC_RECORDS`, whichever comes first, so a power cut
costs no more than that. Nothing is ever overwritten: each opening starts the next segment,
`experience.mcap`, `experience_1.mcap`, `experience_2.mcap`, …, and `reader.ExperienceReader` reads
them as one. Behind each message stands a metadata record named `checksum` with the CRC-32 of all
bytes of the segment since the previous one (or the start), by which the reader finds damage: MCAP
itself guards whole chunks alone, and a chunk would hold steps back.
"""

from __future__ import annotations

import contextlib
import os
import re
import zlib
from collections.abc import Callable
from pathlib import Path

from mcap.well_known import MessageEncoding, Profile, SchemaEncoding
from mcap.writer import IndexType, Writer

from quad_learner.experience.durable import sync_directory

TOPIC = 'experience'
"""The topic whose messages are logged, and its channel in the file."""
SCHEMA_NAME = 'std_msgs/msg/Float32MultiArray'
SCHEMA = '\n'.join(
    (
        'MultiArrayLayout layout',
        'float32[] data',
        '=' * 80,
        'MSG: std_msgs/MultiArrayLayout',
        'MultiArrayDimension[] dim',
        'uint32 data_offset',
        '=' * 80,
        'MSG: std_msgs/MultiArrayDimension',
        'string label',
        'uint32 size',
        'uint32 stride',
    )
)
"""Definition of the logged message and of all that it contains, in the `ros2msg` encoding."""
SEQUENCE_MAX = (1 << 32) - 1
"""The largest number that MCAP has room for: three years at 40 Hz."""
SYNC_RECORDS = 50
"""Records after which the disk is awaited: about a second of robot time at 40 to 50 Hz."""
SYNC_PERIOD_NS = 1_000_000_000
"""Time after which the disk is awaited [ns]: what a power cut may cost."""
CHECKSUM = 'checksum'
CHECKSUM_KEY = 'crc32'
"""Name of the metadata record behind each message, and its key for the CRC-32."""
CHECKSUM_DIGITS = 8
"""of a CRC-32, hexadecimal"""


class LogUnavailableError(OSError):
    """The log cannot be written now (disk full, read-only, failing): pause learning and try again.

    The log ends with its last whole record and takes further ones once the cause is gone.
    """


def segments(path: Path) -> tuple[Path, ...]:
    """Returns the existing segments of the log at `path`, oldest first.

    Args:
        path: the first segment's path, such as `runs/latest/experience.mcap`.
    """
    return tuple(segment for _, segment in _numbered(path))


class ExperienceLog:
    """Writes serialized messages to the next free segment, from `open()` to `close()`."""

    def __init__(self, path: Path, clock: Callable[[], int]) -> None:
        """Stores where to write; touches no file.

        Args:
            path: the first segment's path; its folder must exist when `open` is called.
            clock: steady time [ns]; decides when to await the disk.
        """
        self._path = path
        self._clock = clock
        self._file: _SegmentFile | None = None
        self._writer: Writer | None = None
        self._channel = 0
        self._unsynced = 0
        self._synced_ns = 0

    @property
    def segment(self) -> Path | None:
        """The segment being written, None while closed."""
        return self._file.path if self._file else None

    def open(self) -> None:
        """Starts the next free segment.

        Raises:
            LogUnavailableError: the folder is missing, full or cannot be written to.
        """
        file = _SegmentFile.create(self._path)
        writer = Writer(
            file,  # type: ignore[arg-type]  # it needs write, tell and flush alone
            index_types=IndexType.NONE,
            use_chunking=False,
        )
        try:
            writer.start(profile=Profile.ROS2)
            schema = writer.register_schema(SCHEMA_NAME, SchemaEncoding.ROS2, SCHEMA.encode())
            self._channel = writer.register_channel(TOPIC, MessageEncoding.CDR, schema)
            writer.flush()
            file.sync()
            file.sync_name()
        except OSError:
            file.discard()
            raise
        self._file, self._writer = file, writer
        self._unsynced, self._synced_ns = 0, self._clock()

    def append(self, sequence: int, data: bytes, time_ns: int) -> None:
        """Logs one record; when this returns, it outlives the process.

        Args:
            sequence: number of the step, 1, 2, 3, … over the whole run, up to SEQUENCE_MAX.
            data: the serialized message (CDR with its encapsulation header), stored as it is.
            time_ns: stamp of the step [ns], at least 0.

        Raises:
            LogUnavailableError: disk full, read-only or failing. The same call may be repeated: a
                record that did get in is not read back twice.
            RuntimeError: the log is not open.
        """
        file, writer = self._opened()
        writer.add_message(self._channel, time_ns, data, publish_time=time_ns, sequence=sequence)
        writer.add_metadata(CHECKSUM, {CHECKSUM_KEY: f'{file.checksum:0{CHECKSUM_DIGITS}x}'})
        file.checksum = 0
        self._unsynced += 1
        late = self._clock() - self._synced_ns >= SYNC_PERIOD_NS
        if late or self._unsynced >= SYNC_RECORDS:
            self._sync(file)

    def sync(self) -> None:
        """Returns once every record so far is on the disk.

        Raises:
            LogUnavailableError: as for `append`.
            RuntimeError: the log is not open.
        """
        file, _ = self._opened()
        if self._unsynced:
            self._sync(file)

    def close(self) -> None:
        """Finishes the segment. A log that is not open stays as it is.

        Raises:
            LogUnavailableError: the end could not be written; the log is closed, and every record
                that `append` accepted is in it all the same.
        """
        if self._file is None or self._writer is None:
            return
        file, writer = self._file, self._writer
        self._file = self._writer = None
        try:
            writer.finish()
            file.sync()
        finally:
            file.close()

    def _opened(self) -> tuple[_SegmentFile, Writer]:
        if self._file is None or self._writer is None:
            raise RuntimeError(f'experience log {self._path} is not open; call open() first')
        return self._file, self._writer

    def _sync(self, file: _SegmentFile) -> None:
        file.sync()
        self._unsynced, self._synced_ns = 0, self._clock()


class _SegmentFile:
    """An unbuffered file where each write is whole or not there at all."""

    def __init__(self, path: Path, descriptor: int) -> None:
        self.path = path
        self.checksum = 0
        """CRC-32 of the bytes since it was last set to 0"""
        self._descriptor = descriptor
        self._size = 0

    @classmethod
    def create(cls, first: Path) -> _SegmentFile:
        """Returns a new file: the one after the last segment of the log that starts at `first`."""
        path = first
        try:
            numbers = [number for number, _ in _numbered(first)]
            number = numbers[-1] + 1 if numbers else 0
            path = first.with_stem(f'{first.stem}_{number}') if number else first
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        except OSError as error:
            raise _unavailable(path, error) from error
        return cls(path, descriptor)

    def write(self, data: bytes) -> int:
        """Writes all of `data`, or leaves the file as it was and raises LogUnavailableError."""
        done = 0
        try:
            while done < len(data):
                done += os.pwrite(self._descriptor, data[done:], self._size + done)
        except OSError as error:
            # A disk that refuses this too leaves a torn tail, which the next write goes over.
            with contextlib.suppress(OSError):
                os.ftruncate(self._descriptor, self._size)
            raise _unavailable(self.path, error) from error
        self._size += done
        self.checksum = zlib.crc32(data, self.checksum)
        return done

    def tell(self) -> int:
        """Returns the bytes written so far."""
        return self._size

    def flush(self) -> None:
        """Does nothing: no byte is held back."""

    def sync(self) -> None:
        """Awaits the disk."""
        try:
            os.fdatasync(self._descriptor)
        except OSError as error:
            raise _unavailable(self.path, error) from error

    def sync_name(self) -> None:
        """Awaits the disk for the file's name."""
        try:
            sync_directory(self.path.parent)
        except OSError as error:
            raise _unavailable(self.path, error) from error

    def close(self) -> None:
        """Closes the file."""
        os.close(self._descriptor)

    def discard(self) -> None:
        """Closes and removes the file, if the disk lets it: it holds no record."""
        with contextlib.suppress(OSError):
            self.close()
            self.path.unlink()


def _numbered(path: Path) -> list[tuple[int, Path]]:
    pattern = re.compile(rf'{re.escape(path.stem)}(?:_([1-9]\d*))?{re.escape(path.suffix)}')
    found = []
    for candidate in path.parent.iterdir() if path.parent.is_dir() else ():
        match = pattern.fullmatch(candidate.name)
        if match:
            found.append((int(match.group(1) or 0), candidate))
    return sorted(found)


def _unavailable(path: Path, error: OSError) -> LogUnavailableError:
    return LogUnavailableError(
        error.errno,
        f'experience log cannot be written ({error.strerror}); nothing logged so far is lost, '
        'and learning may go on once the folder can be written to (free some space?)',
        str(path),
    )
