"""Does a robot that is driven by its learned policies walk a square and come home?

A driver who sees only the robot's own estimate gives the commands: towards the next corner ahead,
and at a corner a turn until the next one lies ahead. They go in twenty times a second as
`cmd_vel`, or as a game controller's sticks with its button held, and what follows is the drive
node's own: steering, choice of the policy, going over from one to the other, safety. Scored is the
true place.

    quad-learner learn --tasks forward,backward,left,right --minutes 8
    python benchmarks/square.py runs/latest --laps 5 --picture square.png

Prints a line a lap, by turns with either means, and one line of JSON.
"""

from __future__ import annotations

import argparse
import json
import math
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from quad_learner import configuration
from quad_learner.drive.config import DriveConfig
from quad_learner.drive.learned import learned
from quad_learner.drive.pilot import Pilot
from quad_learner.drive.selector import Selector
from quad_learner.drive.steering import Steering
from quad_learner.evaluation import configs_of_run
from quad_learner.experience.run_directory import RunDirectory, open_run
from quad_learner.reset.standing import Standing
from quad_learner.resources import config_directory
from quad_learner.robot.model import load
from quad_learner.robot.signals import NANOSECONDS
from quad_learner.simulation.in_process import InProcessGraph
from quad_learner.task.course import place_of
from quad_learner.task.walk import WalkTask
from quad_learner.task.workspace import Place

SIDE_M = 2.0
"""[m] of the square"""
NEAR_M = 0.15
"""[m] so near is at a corner; what walks 0.8 m/s needs about as much to turn away"""
AHEAD_RAD = 0.15
"""[rad] so far to the side still is ahead; a turn of 1.4 rad/s overshoots by about as much"""
ASTRAY_RAD = 0.5
"""[rad] so far to the side, and it turns again"""
COMMANDS_HZ = 20
LAP_S = 120.0
"""[s] in which a lap must be done"""
MEANS = ('cmd_vel', 'joy')


@dataclass
class Driver:
    """Knows the corners and which is next, by the robot's own estimate."""

    corners: list[tuple[float, float]]
    turns: bool = True

    def command(self, place: Place) -> tuple[float, float] | None:
        """Returns shares of a full command, ahead and turn to the left; None: it is home."""
        while self.corners and math.dist(self.corners[0], place[:2]) < NEAR_M:
            self.corners.pop(0)
        if not self.corners:
            return None
        x, y = self.corners[0]
        side = math.remainder(math.atan2(y - place.y, x - place.x) - place.yaw, 2.0 * math.pi)
        self.turns = abs(side) > (AHEAD_RAD if self.turns else ASTRAY_RAD)
        return (0.0, math.copysign(1.0, side)) if self.turns else (1.0, 0.0)


def square_from(place: Place) -> list[tuple[float, float]]:
    """Returns the corners of a square to the left of who stands at `place`; the last is there."""
    corners, x, y, yaw = [], place.x, place.y, place.yaw
    for _ in range(4):
        x, y = x + SIDE_M * math.cos(yaw), y + SIDE_M * math.sin(yaw)
        corners.append((x, y))
        yaw += 0.5 * math.pi
    return corners


class Lap:
    """One square, driven by commands of one kind, in a world of its own."""

    def __init__(self, run: RunDirectory, seed: int, means: str) -> None:
        """Args:
        run: whose policies drive.
        seed: of the world.
        means: one of MEANS.
        """
        configs = configs_of_run(run, seed=seed, workspace_m=[0.0, 0.0])
        self._drive = configuration.read(DriveConfig, config_directory() / 'drive.yaml')
        self._robot = load(configs.graph.robot)
        self._graph = InProcessGraph(self._robot, configs.parts, configs.graph)
        self._largest = np.array(configs.task.command_max)
        self._steering = Steering(self._drive, self._largest)
        calm = replace(configs.policy, noise_scale=0.0)
        choosers = learned(
            run, self._robot, (configs.task, calm), configs.graph.generator('drive')
        )
        self._pilot = Pilot(
            self._robot,
            WalkTask(self._robot, configs.task),
            choosers,
            Selector(tuple(choosers), self._drive, self._largest),
            self._drive,
            Standing(self._robot, configs.reset).has_stood,
        )
        self._stands = Standing(self._robot, configs.reset).has_stood
        self._give = self._by_joy if means == 'joy' else self._by_twist
        self.track: list[tuple[float, float]] = []
        """where the robot truly was, each decision [m]"""

    def _by_twist(self, ahead: float, turn: float, now_ns: int) -> None:
        largest = self._largest
        self._steering.twist(ahead * largest[0], 0.0, turn * largest[2], now_ns)

    def _by_joy(self, ahead: float, turn: float, now_ns: int) -> None:
        config = self._drive
        axes, buttons = [0.0] * (1 + max(config.joy_axes)), [0] * (1 + config.joy_enable)
        axes[config.joy_axes[0]], axes[config.joy_axes[2]] = ahead, turn
        buttons[config.joy_enable] = 1
        self._steering.joy(axes, buttons, now_ns)

    def walk(self) -> dict[str, Any]:
        """Drives the square; returns what came of it."""
        graph, pilot = self._graph, self._pilot
        graph.connect()
        driver: Driver | None = None
        began_ns, next_ns, home = 0, 0, False
        while not home and graph.sim.time_ns - began_ns < LAP_S * NANOSECONDS:
            while not graph.sense():
                graph.move(None)
            now_ns = graph.sample.time_ns
            if driver is None and graph.command is not None and self._stands(graph.sample):
                driver, began_ns = Driver(square_from(place_of(graph.estimate))), now_ns
            if driver is not None:
                self.track.append(tuple(graph.sim.truth().position[:2].tolist()))
                if now_ns >= next_ns:
                    next_ns = now_ns + NANOSECONDS // COMMANDS_HZ
                    command = driver.command(place_of(graph.estimate))
                    home = command is None
                    self._give(*(command or (0.0, 0.0)), now_ns)
            wanted = self._steering.wanted(now_ns)
            seen = graph.sample, graph.estimate, graph.command
            graph.move(pilot.decide(*seen, wanted, graph.tired))
        lap_s = (graph.sim.time_ns - began_ns) / NANOSECONDS
        graph.close()
        return {
            'home': home,
            'home_m': round(math.dist(self.track[0], self.track[-1]), 3),
            'way_m': round(sum(map(math.dist, self.track, self.track[1:])), 2),
            'lap_s': round(lap_s, 1),
            'stops': len(graph.trips),
        }


def draw(tracks: dict[str, list[tuple[float, float]]], picture: Path) -> None:
    """Writes the true ways as a picture."""
    import matplotlib as mpl

    mpl.use('Agg')
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(5.0, 5.0))
    corners = [(0.0, 0.0), *square_from(Place(0.0, 0.0, 0.0))]
    axes.plot(*np.array(corners).T, color='0.7', linestyle='--', label='asked')
    for name, track in tracks.items():
        x, y = np.array(track).T
        axes.plot(x, y, linewidth=1.0, label=name)
        axes.plot(x[:1], y[:1], 'ko')
    axes.set(xlabel='x [m]', ylabel='y [m]', aspect='equal')
    axes.legend(loc='upper left', bbox_to_anchor=(1.0, 1.0), fontsize='small')
    figure.savefig(picture, dpi=100, bbox_inches='tight')


def main() -> None:
    """Prints a line a lap and one line of JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument('run', type=Path, help='whose policies drive')
    parser.add_argument('--laps', type=int, default=5, help='with each means')
    parser.add_argument('--seed', type=int, default=0, help='of the first lap of each means')
    parser.add_argument('--picture', type=Path, help='PNG of the true ways')
    options = parser.parse_args()
    run = open_run(options.run)
    results, tracks = [], {}
    for number in range(options.laps):
        for means in MEANS:
            lap = Lap(run, options.seed + number, means)
            results.append({'means': means, 'seed': options.seed + number, **lap.walk()})
            tracks[f'{means}, seed {options.seed + number}'] = lap.track
            print('  '.join(f'{key} {value}' for key, value in results[-1].items()), flush=True)
    if options.picture:
        draw(tracks, options.picture)
    print(json.dumps({'benchmark': 'square', 'side_m': SIDE_M, 'laps': results}))


if __name__ == '__main__':
    main()
