"""A process that controls a robot does not wait for the disk to bring back its own pages."""

from __future__ import annotations

import os
import resource
import subprocess
import sys
from pathlib import Path

import pytest

from quad_learner import memory_lock

PROGRAM = """
import ctypes, mmap, os, sys
from quad_learner.memory_lock import lock_memory
PAGES, PAGE_OUT = 64, 21
with open(sys.argv[1], 'rb') as file:
    held = mmap.mmap(file.fileno(), PAGES * mmap.PAGESIZE, mmap.MAP_PRIVATE)
if sys.argv[2] == 'lock':
    print(lock_memory())
else:
    print(False)
address = ctypes.c_void_p(ctypes.addressof(ctypes.c_char.from_buffer(held)))
there = lambda: sum(byte & 1 for byte in found)
system, found = ctypes.CDLL(None), (ctypes.c_ubyte * PAGES)()
size = ctypes.c_size_t(PAGES * mmap.PAGESIZE)
sum(held[:: mmap.PAGESIZE])
system.mincore(address, size, found)
print(there())
system.madvise(address, size, PAGE_OUT)
system.mincore(address, size, found)
print(there())
"""
"""maps a file, looks at its pages, and has them cleared out as a machine short of memory does"""
PAGES = 64


def pages_left(path: Path, how: str) -> list[str]:
    with path.open('wb') as file:
        file.write(bytes(range(256)) * 16 * PAGES)
        file.flush()
        os.fsync(file.fileno())
    done = subprocess.run(
        [sys.executable, '-c', PROGRAM, str(path), how], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@pytest.mark.skipif(not memory_lock.may_lock_memory(), reason='not allowed on this machine')
def test_what_is_locked_is_not_cleared_out(tmp_path: Path) -> None:
    before, after = pages_left(tmp_path / 'free', 'free')[1:]
    if before == after:
        pytest.skip('this system clears nothing out on demand')
    assert (int(before), int(after)) == (PAGES, 0)
    assert pages_left(tmp_path / 'locked', 'lock') == ['True', str(PAGES), str(PAGES)]


def test_a_bound_that_might_be_reached_later_locks_nothing(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(resource, 'getrlimit', lambda _: (8 << 20, 8 << 20))
    monkeypatch.setattr(memory_lock, '_STATUS', tmp_path / 'status')
    for held, may in (('0', False), ('ffffffffffffbfff', False), ('4000', True)):
        (tmp_path / 'status').write_text(f'Name:\tpython\nCapEff:\t{held}\n')
        assert memory_lock.may_lock_memory() is may
    (tmp_path / 'status').write_text('CapEff:\t0\n')
    assert not memory_lock.lock_memory()
    monkeypatch.setattr(resource, 'getrlimit', lambda _: (resource.RLIM_INFINITY,) * 2)
    assert memory_lock.may_lock_memory()


def test_the_code_of_a_process_is_what_it_has_mapped_to_run(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / 'maps').write_text(
        '55d0c0000000-55d0c0002000 r--p 00000000 fe:00 12 /usr/bin/python3\n'
        '55d0c0002000-55d0c0005000 r-xp 00002000 fe:00 12 /usr/bin/python3\n'
        '7f0000000000-7f0000001000 r-xp 00000000 fe:00 13 /opt/a folder/lib.so (deleted)\n'
        '7f1000000000-7f1000021000 rw-p 00000000 00:00 0 \n'
        '7ffd00000000-7ffd00002000 r-xp 00000000 00:00 0  [vdso]\n'
    )
    monkeypatch.setattr(memory_lock, '_MAPS', tmp_path / 'maps')
    assert list(memory_lock._code()) == [(0x55D0C0002000, 0x3000), (0x7F0000000000, 0x1000)]
