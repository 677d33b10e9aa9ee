"""The word `quad-learner find-get-up`: its options, and what it prints."""

from __future__ import annotations

import argparse
import dataclasses
import signal
import sys
import threading
import time
from pathlib import Path

from rich.console import Console

from quad_learner.configuration import ConfigurationError


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Adds the word to the commands of `quad-learner`."""
    find = commands.add_parser(
        'find-get-up',
        help='look for the motions by which a robot rolls off its side and its back',
        description='Tries motions on random falls in simulation, with safety in between, and '
        'prints the best as entries from_side and from_back of a robot file, with what old and '
        'new make of fresh falls. The same seed tries the same motions in the same order. '
        'Ctrl-C ends it with what it has, once more at once. Ends with 1 where it found none.',
    )
    find.add_argument('--robot', default='a1', help='name in config/robots or path of a YAML')
    find.add_argument('--terrain', default='flat', help='on which it falls (default flat)')
    find.add_argument('--minutes', type=float, default=20.0, help='by the clock (default 20)')
    find.add_argument('--seed', type=int, default=0, help='of falls and motions (default 0)')
    find.add_argument('--jobs', type=int, default=1, help='processes (default 1)')
    find.add_argument(
        '--afresh', action='store_true', help='do not begin with the motions of the file'
    )
    find.add_argument('--out', type=Path, help='write the robot file with what was found here')
    find.set_defaults(run=_run)


def _run(options: argparse.Namespace) -> int:
    # Imported when it is asked for: the simulator takes seconds to import.
    try:
        from quad_learner.get_up_search.command import Options, Quest
    except ImportError as error:
        raise ConfigurationError(
            f'motions are looked for in simulation, and {error.name or "a part of it"} cannot be '
            f'imported ({error}); quad-learner doctor says what to install'
        ) from error

    def tell(line: str) -> None:
        sys.stdout.write(line + '\n')
        sys.stdout.flush()

    enough = threading.Event()

    def end(*_: object) -> None:
        """Asks the search to end, and lets the next Ctrl-C break it off."""
        signal.signal(signal.SIGINT, signal.default_int_handler)
        enough.set()

    asked = {field.name: getattr(options, field.name) for field in dataclasses.fields(Options)}
    before = signal.signal(signal.SIGINT, end)
    try:
        result = Quest(Options(**asked), time.monotonic, tell, enough.is_set).run()
    finally:
        signal.signal(signal.SIGINT, before)
    Console().print(result.table)
    tell(result.text or 'nothing was found')
    return 0 if result.text else 1
