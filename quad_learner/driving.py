"""Driving the learned policies of a run: `quad-learner drive`. No torch is needed or imported."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from quad_learner import bringup
from quad_learner.configuration import ConfigurationError, read_values
from quad_learner.drive.terminal import STANDARD_INPUT, keys_at_once
from quad_learner.exclusive import claim
from quad_learner.experience.run_directory import RunDirectory, open_run
from quad_learner.graph import LOCKSTEP, REAL_TIME
from quad_learner.learn import node_environment
from quad_learner.parameter_check import check_all
from quad_learner.precedence import may_run_first
from quad_learner.rehearsal import admit
from quad_learner.supervisor import Interrupt, Supervisor


@dataclass(frozen=True)
class DriveOptions:
    """What the command line asked for."""

    run: Path
    backend: str = 'sim'
    lockstep: bool = False
    """the simulated world waits for each command"""
    keyboard: bool = False
    """the keys of this terminal steer"""
    unrehearsed: bool = False
    """a person takes it on that a policy has not walked in simulation"""
    params_file: Path | None = None
    namespace: str = ''
    log_level: str = 'info'


@dataclass(frozen=True)
class Prepared:
    """All that is there before the first process starts."""

    run: RunDirectory
    logs: Path
    specs: tuple[bringup.NodeSpec, ...]
    files: dict[str, Path]
    told: tuple[str, ...]
    """what the simulation said of each policy; nothing where it is the robot"""


def prepare(options: DriveOptions) -> Prepared:
    """Checks everything that was asked for, then writes the parameter files.

    Raises:
        ConfigurationError: something asked for cannot be, or a policy must not drive a robot.
        RunDirectoryError: there is no such run, or it has no policy.
    """
    run = open_run(options.run)
    bringup.check_namespace(options.namespace)
    if options.lockstep and options.backend != 'sim':
        raise ConfigurationError('a robot waits for nobody: lockstep is for the backend sim alone')
    run.require_any_policy()
    shared: dict[str, Any] = {
        'robot': read_values(run.parameters / 'policy.yaml')['robot'],
        'gear': LOCKSTEP if options.lockstep else REAL_TIME,
        'run_directory': str(run.path),
        'elapsed_s': 0.0,
        'noise_scale': 0.0,
    }
    specs = bringup.drive_nodes(options.backend)
    # A run that was learned in simulation may be driven on the robot: its body is another's.
    but_not = (
        {'keyboard'}
        if bringup.backend_of(run.parameters) == options.backend
        else {'keyboard', 'robot'}
    )
    if options.keyboard:
        specs = (*specs, bringup.keyboard_node())
    values = bringup.parameters(
        specs, shared, options.params_file, run.parameters, but_not, may_run_first
    )
    check_all(values)
    told = () if options.backend == 'sim' else admit(run, options.unrehearsed)
    folder = run.path / 'drive'
    (folder / 'logs').mkdir(parents=True, exist_ok=True)
    files = bringup.write_parameters(values, folder)
    return Prepared(run, folder / 'logs', specs, files, told)


def drive(options: DriveOptions) -> int:
    """Runs the graph until Ctrl-C; returns the exit code for the terminal.

    Raises:
        ConfigurationError: something asked for cannot be.
        RunDirectoryError: there is no such run, or it has no policy.
    """
    environment = node_environment()
    # The terminal is given back as it was even where the keyboard node cannot do it any more.
    terminal = keys_at_once(STANDARD_INPUT) if options.keyboard else nullcontext()
    with terminal, claim('run', environment['ROS_DOMAIN_ID'], options.namespace):
        ready = prepare(options)
        sys.stdout.write(''.join(f'{line}\n' for line in ready.told))
        sys.stdout.flush()
        reason = _supervise(ready, environment, options)
    if reason:
        raise ConfigurationError(f'{reason}; see {ready.logs}')
    return 0


def _supervise(
    ready: Prepared, environment: Mapping[str, str], options: DriveOptions
) -> str | None:
    """Runs the nodes until a signal, or until one ends; returns why it ended."""
    supervisor = Supervisor(environment, ready.logs)
    interrupted = Interrupt()
    reason: str | None = None
    names = ['-r', f'__ns:=/{options.namespace.strip("/")}'] if options.namespace else []
    try:
        for spec in ready.specs:
            arguments = ['--params-file', str(ready.files[spec.name])]
            supervisor.start(spec, [*arguments, '--log-level', options.log_level, *names])
        while reason is None and not interrupted:
            reason = supervisor.watch()
    finally:
        supervisor.stop()
        interrupted.release()
    return reason
