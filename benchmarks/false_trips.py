"""Is a robot that walks ever stopped for nothing?

A run with a learned policy goes on, the real graph in real time or in lockstep, on a copy of its
folder and in a ROS domain of its own. Every stop by safety is counted. What is none of safety's
mistakes is a fall (TILT), a battery or motors at their end, and an operator; every other stop is a
false trip. Beside it sleepers of the highest priority (pauses.py) notice when the machine itself
stood still: a robot whose processes were not run for longer than its ages allow must be stopped,
so each false trip is told with what they noticed, and those without such a pause are counted
apart. In lockstep the world waits: there no pause excuses a stop.

    python benchmarks/false_trips.py runs/latest --minutes 120
    python benchmarks/false_trips.py runs/latest --minutes 120 --lockstep

It ends with 1 if there was a false trip while the machine ran, a command was unsafe, or the run
did not last, or stood still for good. One JSON line comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import rclpy
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.task import Future

from pauses import Pause, Sleepers, near, told
from quad_learner.experience.run_directory import open_run
from quad_learner.learn import LOCKSTEP_FACTOR, LearnOptions, node_environment, prepare
from quad_learner.supervisor import Supervisor
from run_watcher import ENDLESS_MIN, Watcher

DOMAIN = '95'
"""of ROS, for this benchmark alone"""
SECONDS_A_MINUTE = 60.0
SPIN_S = 0.05
"""[s] most between two looks at the processes"""
TOLD_EVERY_S = 600.0
"""[s] between two lines that say how far it is"""
STARTED_S = 120.0
"""[s] in which the policy must drive at first"""
MEANT = frozenset({'TILT', 'LOW_BATTERY', 'OVER_TEMPERATURE', 'OPERATOR'})
"""reasons of which one suffices: the robot fell, had to rest, or was stopped by a person"""
BEFORE_S, AFTER_S = 0.5, 0.1
"""[s] before and after a stop in which a pause may be its cause: the oldest age that counts is a
tenth of a second, what is heard of it here may be later"""
EXCUSES_MS = 20.0
"""[ms] least pause that can make safety stop: the tightest age is 62 ms (config/run_first.yaml),
and what a driver said is up to 40 ms old at a step when nothing is late"""


@dataclass
class Findings:
    """What befell the run."""

    lasted_s: float = 0.0
    """from the policy's first step on, by the wall clock"""
    steps: int = 0
    judged: int = 0
    unsafe: int = 0
    stopped: list[tuple[int, str]] = field(default_factory=list)
    """when each stop was heard [ns], and its reasons"""
    over: str | None = None
    """why the run ended by itself"""


def false_trips(stopped: Sequence[tuple[int, str]]) -> list[tuple[int, str]]:
    """Returns the stops that nothing called for."""
    return [(at, reasons) for at, reasons in stopped if not MEANT & set(reasons.split('|'))]


def excuses(pauses: Sequence[Pause], lockstep: bool) -> list[Pause]:
    """Returns the pauses that safety must answer with a stop: long ones, and none in lockstep."""
    return [pause for pause in pauses if pause.lasted_ms >= EXCUSES_MS and not lockstep]


def walk(run: Path, minutes: float, lockstep: bool) -> Findings:
    """Lets the run go on for so long by the wall clock; returns what befell it."""
    factor = LOCKSTEP_FACTOR if lockstep else 1.0
    ready = prepare(LearnOptions(minutes=ENDLESS_MIN, resume=run, real_time_factor=factor))
    supervisor = Supervisor(node_environment(), ready.run.logs)
    watcher, found = Watcher(), Findings()
    executor = EventsExecutor()
    executor.add_node(watcher)
    for spec in ready.specs:
        supervisor.start(spec, ['--params-file', str(ready.files[spec.name])])
    began_s = told_s = time.monotonic()
    walks_s: float | None = None
    try:
        while found.over is None:
            executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
            found.over = supervisor.watch()
            now_s = time.monotonic()
            if now_s - told_s >= TOLD_EVERY_S:
                told_s = now_s
                passed = (now_s - began_s) / SECONDS_A_MINUTE
                stops = len(watcher.stopped)
                print(f'{passed:.0f} min: {watcher.steps} steps, {stops} stops', flush=True)
            if walks_s is None and watcher.steps:
                walks_s = now_s
                watcher.stopped.clear()  # before somebody drives safety says that it waits
            if walks_s is not None and now_s - walks_s >= minutes * SECONDS_A_MINUTE:
                break
            found.over = found.over or _hopeless(watcher, walks_s, now_s - began_s)
    except KeyboardInterrupt:
        found.over = 'broken off'
    finally:
        found.lasted_s = 0.0 if walks_s is None else time.monotonic() - walks_s
        supervisor.stop()
    found.judged, found.unsafe = watcher.totals()
    found.steps, found.stopped = watcher.steps, list(watcher.stopped)
    return found


def _hopeless(watcher: Watcher, walks_s: float | None, waited_s: float) -> str | None:
    if walks_s is None:
        return f'nobody walked within {STARTED_S:.0f} s' if waited_s > STARTED_S else None
    return f'stopped for good: {watcher.reasons}' if watcher.mode == 'LATCHED_STOP' else None


def verdict(found: Findings, unexplained: int) -> list[str]:
    """Returns what is wrong."""
    wrong = [] if found.over is None else [f'the run ended: {found.over}']
    if unexplained:
        wrong.append(f'{unexplained} false trips while the machine ran')
    if found.unsafe or not found.judged:
        wrong.append(f'{found.unsafe} unsafe of {found.judged} judged commands')
    return wrong


def tell(found: Findings, pauses: Sequence[Pause]) -> int:
    """Prints every stop; returns how many are false without one of `pauses` to excuse them."""
    unexplained = 0
    false = set(false_trips(found.stopped))
    for at_ns, reasons in found.stopped:
        around = near(pauses, at_ns, BEFORE_S, AFTER_S)
        what = told(around) if (at_ns, reasons) in false else 'called for'
        unexplained += (at_ns, reasons) in false and not around
        print(f'stopped for {reasons}: {what}')
    print(
        f'{found.steps} steps in {found.lasted_s / SECONDS_A_MINUTE:.1f} min, '
        f'{len(found.stopped)} stops, {len(false)} false, {unexplained} of these while the '
        f'machine ran; {found.unsafe} unsafe of {found.judged} commands'
    )
    return unexplained


def main() -> None:
    """Prints every stop and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path, help='a run with a learned policy; it stays as it is')
    parser.add_argument('--minutes', type=float, default=120.0, help='by the wall clock')
    parser.add_argument('--lockstep', action='store_true', help='as fast as the machine allows')
    options = parser.parse_args()
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': DOMAIN})
    source = open_run(options.run).path
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder, Sleepers() as sleepers:
        copy = Path(folder) / 'run'
        shutil.copytree(source, copy)
        found = walk(copy, options.minutes, options.lockstep)
    rclpy.try_shutdown()
    if not sleepers.first:
        print('no right to a real-time priority: a busy processor looks like a machine at rest')
    unexplained = tell(found, excuses(sleepers.pauses, options.lockstep))
    wrong = verdict(found, unexplained)
    print(*wrong, sep='\n', end='\n' if wrong else '')
    print('FAILED' if wrong else 'never stopped for nothing while the machine ran')
    result = {'benchmark': 'false_trips', **vars(options), 'run': str(options.run)}
    result |= {'lasted_s': found.lasted_s, 'steps': found.steps, 'judged': found.judged}
    result |= {'unsafe': found.unsafe, 'stops': len(found.stopped), 'unexplained': unexplained}
    result |= {
        'false': len(false_trips(found.stopped)),
        'pauses': len(sleepers.pauses),
        'wrong': wrong,
    }
    print(json.dumps(result))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
