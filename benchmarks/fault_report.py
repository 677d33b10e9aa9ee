"""What the trials of `process_faults` found, row by row, and what of it is wrong."""

from __future__ import annotations

import argparse
import itertools
import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fault_verdict import State
from pauses import NS_PER_MS, Pause, near, told
from quad_learner.safety.modes import Mode

BOUND_MS = {'policy': 80.0, 'estimator': 80.0, 'safety': 60.0, 'robot': 100.0}
"""[ms] 99 % must be below; the robot's is no goal: tight ages, and three periods of safety's"""
ORDERS = math.factorial(len(BOUND_MS))
"""in which all four can be struck"""
BEFORE_MS = 50.0
"""[ms] before a signal from which on commands are told"""
LOOK_S = 0.4
"""[s] after a signal in which a pause of the machine may be why a trial was slow"""
SILENT_MS = 30.0
"""[ms] between two commands that are told as a silence: more than two periods"""


@dataclass
class Findings:
    """Filled by the trials, one after the other."""

    complaints: list[str] = field(default_factory=list)
    """what the robot must not have done"""
    latencies: dict[tuple[str, str, State], list[float]] = field(
        default_factory=lambda: defaultdict(list)
    )
    """from signal to safe [ms], infinite: never; by name of the signal, process and state"""
    recovered: dict[str, int] = field(default_factory=lambda: defaultdict(int))
    """orders of all four after which it walked again, by name of the signal"""
    tick_late_ms: list[float] = field(default_factory=list)
    """by how much each tick of the robot was late while nothing was wrong [ms]"""
    slow: list[tuple[int, str]] = field(default_factory=list)
    """of each trial that took longer than its bound, when its signal was sent [ns] and what was
    heard"""


def shares(values: Sequence[float]) -> dict[str, float]:
    """Returns median, 99 % and largest of `values` [ms]."""
    points = {'p50_ms': 50.0, 'p99_ms': 99.0, 'max_ms': 100.0}
    return {
        name: float(np.percentile(values, point, method='higher'))
        for name, point in points.items()
    }


def heard(commands: Sequence[tuple[int, Mode]], sent_ns: int) -> str:
    """Returns in words when which commands were heard around a signal.

    Args:
        commands: when each came [ns], and its mode; in order.
        sent_ns: when the signal was sent, by the same clock [ns].
    """
    stretches: list[tuple[float, float, Mode]] = []
    for time_ns, mode in commands:
        after_ms = (time_ns - sent_ns) / NS_PER_MS
        if after_ms < -BEFORE_MS:
            continue
        began, last, of = stretches[-1] if stretches else (after_ms, after_ms, mode)
        if stretches and of is mode and after_ms - last <= SILENT_MS:
            stretches[-1] = began, after_ms, mode
        else:
            stretches.append((after_ms, after_ms, mode))
    words = [f'{mode.name} {began:+.1f} to {last:+.1f}' for began, last, mode in stretches]
    return ', '.join(words) or 'nothing'


def table(found: Findings, options: argparse.Namespace) -> list[dict[str, Any]]:
    """Returns a row for each signal, process and state, and one for all states together."""
    rows = []
    for name, process in itertools.product(options.signals, options.processes):
        each = {state: found.latencies[name, process, State(state)] for state in options.states}
        every = {**each, 'all': list(itertools.chain.from_iterable(each.values()))}
        for state, values in every.items():
            expected = options.trials * (len(options.states) if state == 'all' else 1)
            row = {'signal': name, 'process': process, 'state': state, 'n': len(values)}
            row |= {'expected': expected, 'bound_ms': BOUND_MS[process]}
            if values:
                row |= shares(values)
            rows.append(row)
    return rows


def verdict(found: Findings, rows: list[dict[str, Any]], options: argparse.Namespace) -> list[str]:
    """Returns what is wrong."""
    wrong = [f'{words} ({found.complaints.count(words)} times)' for words in set(found.complaints)]
    for row in rows:
        of = f'{row["signal"]} {row["process"]} {row["state"]}'
        if row['n'] != row['expected']:
            wrong.append(f'{of}: {row["n"]} of {row["expected"]} executed')
        if row['state'] == 'all' and row['n'] and not row['p99_ms'] <= row['bound_ms']:
            wrong.append(f'{of}: 99 % within {row["p99_ms"]:.1f} ms, not {row["bound_ms"]:.0f}')
    orders = ORDERS * options.orders
    wrong += [
        f'{name} in every order: {found.recovered[name]} of {orders}'
        for name in options.signals
        if found.recovered[name] != orders
    ]
    return wrong


def tell(
    found: Findings,
    rows: list[dict[str, Any]],
    options: argparse.Namespace,
    pauses: Sequence[Pause],
) -> None:
    """Prints the rows, what may explain slow trials, and how often all four came back."""
    for row in rows:
        figures = '  '.join(
            f'{row[key]:6.1f}' for key in ('p50_ms', 'p99_ms', 'max_ms') if key in row
        )
        print(
            f'{row["signal"]} {row["process"]:9s} {row["state"]:10s} {row["n"]:4d} of '
            f'{row["expected"]:4d}  p50, p99, max {figures}  bound {row["bound_ms"]:.0f} ms'
        )
    for sent_ns, words in found.slow:
        print(f'{words}; {told(near(pauses, sent_ns, 0.0, LOOK_S))}')
    for name in options.signals:
        orders = f'{found.recovered[name]} of {ORDERS * options.orders}'
        print(f'{name} of all four, every order: {orders}')
