"""Does it keep going, hour after hour, whatever befalls it?

A learning run, in lockstep or in real time, on this machine alone and in a ROS domain of its own,
with a fault drawn by the seed every --every seconds:

    kill …        a process gets SIGKILL; robot and safety end the run, which is then resumed
    freeze …      a process stands still for a while (in lockstep the robot's also stops the clock)
    freeze all    every process stands still: the machine slept
    rogue         a second publisher of commands, which says things that are no commands
    flood …       one publisher sends nonsense on a topic as fast as it can
    disk          the learner's files can grow no further, as on a full disk
    operator      an operator stops the robot; the stop latches, and is resumed
    sensors …     NaN, a stuck or flipped joint, a dead inertial unit, lost samples

    make soak MINUTES=240
    python benchmarks/soak.py --minutes 5 --every 15

Nobody is killed in the first half, so that what each process takes can be judged. Each fault must
be over within a time, with the policy driving again; where the stop latches it must say why, and
is resumed by hand, which is counted. A robot that rests until its battery is charged goes on by
itself: that is counted too. It ends with 1 if the judge found a command unsafe, a fault was not
recovered from, less was done than planned, or a process that was watched for long enough takes
1 MiB an hour more, or more files or threads. One JSON line comes last.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import rclpy
import yaml
from rclpy.experimental.events_executor import EventsExecutor
from rclpy.node import Node
from rclpy.task import Future

from process_growth import Growth, by_minute, leaks
from quad_learner.learn import LearnOptions, Preparation, node_environment, prepare
from quad_learner.process_size import Size, size
from quad_learner.ros import topics
from quad_learner.supervisor import Supervisor
from run_watcher import ENDLESS_MIN, Watcher
from soak_plan import ENDING, FLOODED, NAMES, SENSOR_EVERY_S, plan, sensor_faults

DOMAIN = '96'
"""of ROS, for this benchmark alone"""
LASTS_S = 2.0
"""[s] that whatever is not a kill lasts"""
STARTED_S = 600.0
"""[s] in which the policy must drive at first: kernels may have to be compiled"""
RECOVERED_S = 120.0
"""[s] after a fault in which the policy must drive again: a learner restores itself in 20 s, a
robot that fell gets up in 10 s, and the machine may be busy"""
STEPS_AGAIN = 20
"""steps of the policy after a fault that count as going on"""
LOOK_S = 5.0
"""[s] between looks at memory, files and threads"""
TOLD = 10
"""unsafe commands that are told in words; all are counted"""
SPIN_S = 0.05
"""[s] most between two looks at the processes"""
SMALL = {'critic_width': 32, 'actor_width': 32, 'batch_size': 32, 'warmup_steps': 100}
SMALL |= {'updates_per_step': 0.25, 'eager_updates': 0.0, 'critic_kind': 'crossq'}
"""parameters of a learner for a look at the processes alone, or a machine that does much else"""


class Soak:
    """One run, and what befalls it."""

    def __init__(self, folder: Path, options: argparse.Namespace) -> None:
        self._folder = folder
        self._options = options
        self._random = np.random.default_rng(options.seed)
        self.sizes: dict[tuple[str, int], list[Size]] = defaultdict(list)
        self.done: Counter[str] = Counter()
        self.latched: Counter[str] = Counter()
        self.rested: Counter[str] = Counter()
        self.wrong: list[str] = []
        self._looked_s = -LOOK_S
        self.reason: str | None = None
        self.watcher = Watcher()
        self._executor = EventsExecutor()
        self._executor.add_node(self.watcher)
        self._supervisor = self._start(resume=False)

    def _start(self, resume: bool) -> Supervisor:
        run = self._folder / 'run'
        params = self._folder / 'soak.yaml'
        robot = {'faults': sensor_faults(self._options.minutes, self._options.seed)}
        small = {'/**': {'ros__parameters': SMALL}} if self._options.small else {}
        params.write_text(yaml.safe_dump(small | {'/robot': {'ros__parameters': robot}}))
        ready: Preparation = prepare(
            LearnOptions(
                minutes=ENDLESS_MIN,
                seed=self._options.seed,
                run_directory=None if resume else run,
                resume=run if resume else None,
                params_file=params,
                real_time_factor=float(self._options.real_time),
            )
        )
        supervisor = Supervisor(node_environment(), ready.run.logs)
        for spec in ready.specs:
            if self._options.even:
                spec = replace(spec, niceness=0)
            supervisor.start(spec, ['--params-file', str(ready.files[spec.name])])
        self.reason = None
        return supervisor

    def strike(self, name: str) -> None:
        """Does what `name` says, and waits until it is over."""
        kind, _, part = name.partition(' ')
        before = self.watcher.steps
        FAULTS[kind](self, part)
        self.done[name] += 1
        self.go_on(name, before)

    def go_on(self, after: str, before: int, within_s: float = RECOVERED_S) -> None:
        """Waits until the policy drives again; a stop that latched is resumed, if it says why.

        Or until reset drives, and says anew that the robot rests.
        """
        until_s = time.monotonic() + within_s
        since, counted = self.watcher.steps, -1
        self.watcher.rests = False
        while time.monotonic() < until_s and self.reason is None:
            self.listen(SPIN_S)
            if self.watcher.steps >= since + STEPS_AGAIN:
                return
            if self.watcher.rests and self.watcher.mode == 'ACTIVE':
                self.rested[after] += 1
                return
            if self.watcher.mode == 'LATCHED_STOP':
                if counted != len(self.watcher.stopped):  # asked more than once, it is one stop
                    counted = len(self.watcher.stopped)
                    self.latched[self.watcher.reasons] += 1
                    if self.watcher.reasons in ('', 'NONE'):
                        self.wrong.append(f'{after}: latched, and did not say why')
                self.watcher.ask(topics.SAFETY_RESUME)
                self.listen(1.0)
        self.wrong.append(
            f'{after}: not recovered within {within_s:.0f} s, {self.watcher.mode} '
            f'{self.watcher.reasons}, {self.watcher.steps - before} steps, {self.reason or ""}'
        )

    def listen(self, seconds: float) -> None:
        """Lets time pass: looks after the processes, and at what they take."""
        until_s = time.monotonic() + seconds
        while time.monotonic() < until_s:
            self._executor.spin_until_future_complete(Future(), timeout_sec=SPIN_S)
            if self.reason is None:
                self.reason = self._supervisor.watch()
            now_s = time.monotonic()
            if now_s - self._looked_s >= LOOK_S:
                self._looked_s = now_s
                for name, pid in self._supervisor.pids().items():
                    found = size(pid, now_s)
                    if found is not None:
                        self.sizes[name, pid].append(found)

    def kill(self, process: str) -> None:
        """Kills; a run that is over without the process must say so, and is resumed."""
        os.kill(self._supervisor.pids()[process], signal.SIGKILL)
        self.listen(LASTS_S)
        if process not in ENDING:
            return
        if self.reason is None or process not in self.reason:
            self.wrong.append(f'kill {process}: the run did not end for it, but {self.reason}')
        self._supervisor.stop()
        self._supervisor = self._start(resume=True)

    def freeze(self, process: str) -> None:
        """Stops one process or all for a while."""
        pids = self._supervisor.pids()
        struck = list(pids.values()) if process == 'all' else [pids[process]]
        for pid in struck:
            os.kill(pid, signal.SIGSTOP)
        self.listen(LASTS_S)
        for pid in struck:
            os.kill(pid, signal.SIGCONT)

    def flood(self, name: str) -> None:
        """Sends nonsense as fast as it can, as a second publisher."""
        topic = next(each for each in FLOODED if each.name.replace('/', '.') == name)
        stranger = Node('stranger')
        publisher = topic.publisher(stranger)
        message = topic.type()
        if hasattr(message, 'data'):
            message.data = self._random.normal(size=100).tolist()
        until_s = time.monotonic() + LASTS_S
        while time.monotonic() < until_s:
            for _ in range(100):
                publisher.publish(message)
            self._executor.spin_until_future_complete(Future(), timeout_sec=0.0)
        stranger.destroy_node()

    def rogue(self, _: str) -> None:
        """Is there as a second publisher of commands, and says little."""
        stranger = Node('stranger')
        publisher = topics.JOINT_COMMAND.publisher(stranger)
        for _ in range(10):
            publisher.publish(topics.JOINT_COMMAND.type())
            self.listen(LASTS_S / 10.0)
        stranger.destroy_node()

    def disk(self, _: str) -> None:
        """Lets no file of the learner grow for a while."""
        pid = self._supervisor.pids()['learner']
        _, most = resource.prlimit(pid, resource.RLIMIT_FSIZE)
        before = resource.prlimit(pid, resource.RLIMIT_FSIZE, (0, most))
        self.listen(LASTS_S)
        resource.prlimit(pid, resource.RLIMIT_FSIZE, before)

    def operator(self, _: str) -> None:
        """Stops as an operator does."""
        self.watcher.ask(topics.SAFETY_STOP)
        self.listen(LASTS_S)

    def stop(self) -> list[str]:
        """Ends the run; returns the names of processes that had to be killed."""
        return self._supervisor.stop()


FAULTS: dict[str, Callable[[Soak, str], None]] = {
    'kill': Soak.kill,
    'freeze': Soak.freeze,
    'flood': Soak.flood,
    'rogue': Soak.rogue,
    'disk': Soak.disk,
    'operator': Soak.operator,
}


def soak(folder: Path, options: argparse.Namespace) -> tuple[Soak, Sequence[str]]:
    """Returns the soak, over, and what was planned for it."""
    planned = plan(options.minutes, options.every, options.seed, options.only)
    story = Soak(folder, options)
    try:
        story.go_on('start', 0, STARTED_S)
        due_s = time.monotonic()
        for name in planned:
            if story.reason is not None:
                break
            due_s = max(due_s + options.every, time.monotonic())
            story.listen(due_s - time.monotonic())
            print(
                f'{time.strftime("%H:%M:%S", time.gmtime(story.watcher.robot_time_s))} {name}',
                flush=True,
            )
            story.strike(name)
    except KeyboardInterrupt:
        story.wrong.append('broken off')
    finally:
        killed = story.stop()
    said = (folder / 'run' / 'logs' / 'robot.log').read_text().splitlines()
    story.wrong += [line for line in said if 'unsafe command' in line][:TOLD]
    if killed:
        story.wrong.append(f'had to be killed at the end: {", ".join(killed)}')
    return story, planned


def sensors_struck(story: Soak) -> int:
    """Returns how many sensor faults have passed."""
    return sum(int(time_s // SENSOR_EVERY_S) for time_s in story.watcher.robot_times_s())


def stops(story: Soak) -> Counter[str]:
    """Returns how often each reason stopped the robot."""
    return Counter(reasons for _, reasons in story.watcher.stopped)


def tell(story: Soak, planned: Sequence[str], grown: Mapping[str, Growth]) -> None:
    """Prints what befell the run, what stopped it, and how its processes grew."""
    expected = Counter(planned)
    for name in NAMES:
        print(f'{name:22s} {story.done[name]:4d} of {expected[name]:4d}')
    print(f'sensor faults, each {SENSOR_EVERY_S:.0f} s of robot time: {sensors_struck(story)}')
    print(f'the robot rested after {story.rested.total()} of them')
    for reasons, count in stops(story).most_common():
        print(f'stopped {count:4d} times for {reasons}')
    for name, grew in grown.items():
        print(
            f'{name:10s} {grew.resident_mib:6.0f} MiB, {grew.mib_per_hour:+8.2f} MiB/h, '
            f'{grew.files:+.0f} files, {grew.threads:+.0f} threads in {grew.watched_s:.0f} s'
        )


def main() -> None:
    """Prints tables and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('--minutes', type=float, default=60.0, help='of faults, by the wall clock')
    parser.add_argument('--every', type=float, default=60.0, help='seconds from fault to fault')
    parser.add_argument('--real-time', action='store_true', help='not in lockstep')
    parser.add_argument('--only', nargs='+', choices=NAMES, default=NAMES, metavar='FAULT')
    parser.add_argument('--small', action='store_true', help='small networks that learn little')
    parser.add_argument('--even', action='store_true', help='the learner gives way to nobody')
    parser.add_argument('--seed', type=int, default=0)
    options = parser.parse_args()
    os.environ |= node_environment({**os.environ, 'ROS_DOMAIN_ID': DOMAIN})
    rclpy.init()
    with tempfile.TemporaryDirectory() as folder:
        story, planned = soak(Path(folder), options)
    rclpy.try_shutdown()
    grown, leaking = leaks(story.sizes)
    wrong = story.wrong + leaking
    if sum(story.done.values()) != len(planned):
        wrong.append(f'{sum(story.done.values())} of {len(planned)} faults executed')
    judged, unsafe = story.watcher.totals()
    if unsafe or not judged:
        wrong.append(f'{unsafe} unsafe of {judged} judged commands')
    tell(story, planned, grown)
    print(*wrong, sep='\n')
    print('FAILED' if wrong else 'recovered from everything')
    result = {'benchmark': 'soak', **vars(options), 'executed': sum(story.done.values())}
    result |= {'expected': len(planned), 'latched': dict(story.latched), 'wrong': wrong}
    result |= {'steps': story.watcher.steps, 'sensors': sensors_struck(story), 'judged': judged}
    result |= {'unsafe': unsafe, 'stops': dict(stops(story))}
    result |= {'rested': dict(story.rested), 'mib_by_minute': by_minute(story.sizes)}
    print(json.dumps(result | {'grew': {name: g._asdict() for name, g in grown.items()}}))
    sys.exit(1 if wrong else 0)


if __name__ == '__main__':
    main()
