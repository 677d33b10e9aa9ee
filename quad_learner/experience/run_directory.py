"""Where a run keeps its results: the one place that names them. No earlier run is overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from quad_learner.experience.durable import sync_directory, write_atomically

LATEST = 'latest'
"""Name of the link to the run that was started last."""
FORMAT = 1
"""Raised when the folder's contents change so that older code would misread them."""
SUFFIXES_TRIED = 1000
"""Runs of one stamp before giving up: as good as none, for a stamp is a second."""


class RunDirectoryError(ValueError):
    """A run folder that cannot be made or used; the message says which, why and the way out."""


@dataclass(frozen=True)
class RunDirectory:
    """The names of everything in a run's folder, made by `create`, `create_at` or `open_run`."""

    path: Path

    @property
    def summary(self) -> Path:
        """The figures of the run (JSON)."""
        return self.path / 'summary.json'

    @property
    def metrics(self) -> Path:
        """One row an episode (CSV)."""
        return self.path / 'metrics.csv'

    @property
    def experience(self) -> Path:
        """First segment of the log of steps (MCAP)."""
        return self.path / 'experience.mcap'

    @property
    def checkpoint(self) -> Path:
        """Folder of the checkpoints of the learner of walking forward."""
        return self.checkpoint_of('')

    def checkpoint_of(self, suffix: str) -> Path:
        """Folder of the checkpoints of the learner of the task with that `suffix`."""
        return self.path / f'checkpoint{suffix}'

    @property
    def policy(self) -> Path:
        """The learned policy of walking forward (ONNX)."""
        return self.policy_of('')

    def policy_of(self, suffix: str) -> Path:
        """The learned policy of the task with that `suffix` (ONNX)."""
        return self.path / f'policy{suffix}.onnx'

    def rehearsal_of(self, suffix: str) -> Path:
        """What the simulation said of the policy at the task with that `suffix` (JSON)."""
        return self.path / f'rehearsal{suffix}.json'

    @property
    def parameters(self) -> Path:
        """Folder of the parameter files as they were used."""
        return self.path / 'parameters'

    @property
    def versions(self) -> Path:
        """Versions of all that made the run (JSON); also tells a run's folder from any other."""
        return self.path / 'versions.json'

    @property
    def report(self) -> Path:
        """The report with the curves (HTML, self-contained)."""
        return self.path / 'report.html'

    @property
    def gait(self) -> Path:
        """Moving picture of the learned gait (GIF)."""
        return self.path / 'gait.gif'

    @property
    def evaluation(self) -> Path:
        """What the last evaluation of the policy found (JSON)."""
        return self.path / 'evaluation.json'

    @property
    def footfalls(self) -> Path:
        """Picture of the foot contacts in that evaluation (PNG)."""
        return self.path / 'footfalls.png'

    @property
    def logs(self) -> Path:
        """Folder of what the processes said."""
        return self.path / 'logs'

    def require_checkpoint(self) -> None:
        """Lets pass a run that can be resumed.

        Raises:
            RunDirectoryError: the run has no checkpoint.
        """
        if not any(self.path.glob('checkpoint*/*')):
            raise RunDirectoryError(
                f'{self.path} has no checkpoint, so it cannot be resumed: '
                'it ended before the learner saved one; start a new run'
            )

    def require_policy(self, suffix: str = '') -> Path:
        """Returns the policy, of the task with that `suffix`, that can be evaluated or exported.

        Raises:
            RunDirectoryError: the run has no policy.
        """
        policy = self.policy_of(suffix)
        if not policy.is_file():
            others = ', '.join(sorted(other.name for other in self.path.glob('policy*.onnx')))
            if others:
                raise RunDirectoryError(
                    f'{self.path} has no {policy.name}, but {others}: name the task with --task'
                )
            raise RunDirectoryError(
                f'{self.path} has no {policy.name}: it ended before the first policy was made; '
                'resume it, or give another run'
            )
        return policy

    def require_any_policy(self) -> None:
        """Refuses a run that has no policy of any task.

        Raises:
            RunDirectoryError: the run has no policy.
        """
        if not any(self.path.glob('policy*.onnx')):
            self.require_policy()

    def require_metrics(self) -> Path:
        """Returns the metrics of a run that can be reported on.

        Raises:
            RunDirectoryError: the run has no metrics.
        """
        if not self.metrics.is_file():
            raise RunDirectoryError(
                f'{self.path} has no metrics.csv: no episode was finished; '
                'resume the run, or give another'
            )
        return self.metrics


def create(runs: Path, stamp: str, versions: Mapping[str, str]) -> RunDirectory:
    """Makes `runs/<stamp>`, or with the next free suffix, and points `runs/latest` at it.

    Args:
        runs: folder of all runs; made if missing.
        stamp: name of the run, such as the date and time of its start.
        versions: what made the run, for `versions.json`.

    Raises:
        RunDirectoryError: folder or link cannot be made, or `latest` is something else.
    """
    _make_folder(runs, exist_ok=True)
    latest = runs / LATEST
    if latest.exists() and not latest.is_symlink():
        raise RunDirectoryError(
            f'{latest} is no link, but that name is kept for the link to the newest run; '
            'move it away, or choose another folder for the runs'
        )
    run = RunDirectory(_free_folder(runs, stamp))
    _fill(run, versions)
    _point(latest, run.path.name)
    return run


def create_at(path: Path, versions: Mapping[str, str]) -> RunDirectory:
    """Makes the run folder `path` that the user named; an empty folder there will do.

    Args:
        path: the folder; its parents are made too.
        versions: what made the run, for `versions.json`.

    Raises:
        RunDirectoryError: something is there already, or it cannot be made.
    """
    if path.is_dir() and any(path.iterdir()):
        raise RunDirectoryError(
            f'run folder {path} is not empty, and no earlier run is overwritten; '
            'choose a new folder, or resume the run that is there'
        )
    _make_folder(path, exist_ok=True)
    run = RunDirectory(path)
    _fill(run, versions)
    return run


def open_run(path: Path) -> RunDirectory:
    """Returns the existing run at `path`, links followed.

    Args:
        path: the run's folder, such as `runs/latest`.

    Raises:
        RunDirectoryError: nothing is there, or something that is no run, or one of a newer format.
    """
    run = RunDirectory(path.resolve())
    if not run.path.is_dir():
        raise RunDirectoryError(_missing(path))
    try:
        found = json.loads(run.versions.read_text())['format']
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise RunDirectoryError(
            f'{path} is not the folder of a run: its {run.versions.name} is missing or foreign '
            f'({error}); give a folder that quad-learner learn has made'
        ) from error
    if found != FORMAT:
        raise RunDirectoryError(
            f'{path} is a run of format {found!r}, this version reads format {FORMAT}; '
            'use the version of quad_learner that made it'
        )
    return run


def _missing(path: Path) -> str:
    folder = path.parent
    names = sorted(run.parent.name for run in folder.glob('*/versions.json'))
    known = f'{folder} holds {", ".join(names)}' if names else f'{folder} holds no run'
    return f'run folder {path} does not exist; {known}'


def _free_folder(runs: Path, stamp: str) -> Path:
    for number in range(SUFFIXES_TRIED):
        path = runs / (f'{stamp}_{number}' if number else stamp)
        try:
            path.mkdir()
        except FileExistsError:
            continue
        except OSError as error:
            raise RunDirectoryError(_cannot_make(path, error)) from error
        return path
    raise RunDirectoryError(
        f'{runs / stamp} and {SUFFIXES_TRIED - 1} more of that name are taken; clear {runs}'
    )


def _make_folder(path: Path, exist_ok: bool) -> None:
    try:
        path.mkdir(parents=True, exist_ok=exist_ok)
    except OSError as error:
        raise RunDirectoryError(_cannot_make(path, error)) from error


def _cannot_make(path: Path, error: OSError) -> str:
    return (
        f'folder {path} cannot be made ({error.strerror}); '
        'move away what is in its place, or choose another folder for the runs'
    )


def _fill(run: RunDirectory, versions: Mapping[str, str]) -> None:
    try:
        for folder in (run.checkpoint, run.parameters, run.logs):
            folder.mkdir()
        content = {'format': FORMAT, 'versions': dict(versions)}
        write_atomically(run.versions, json.dumps(content, indent=2) + '\n')
        sync_directory(run.path.parent)
    except OSError as error:
        raise RunDirectoryError(_cannot_make(run.path, error)) from error


def _point(link: Path, target: str) -> None:
    """Makes `link` point at its neighbour `target`, in one step."""
    beside = link.with_name(f'.{link.name}.{os.getpid()}')
    try:
        beside.unlink(missing_ok=True)  # left by one of the same number that was killed here
        beside.symlink_to(target)
        beside.replace(link)
    except OSError as error:
        raise RunDirectoryError(
            f'{link}, the link to the newest run, cannot be made ({error.strerror}); name the '
            'folder of the run with --run-dir (run_dir:=), which needs no link, or choose another '
            'folder for the runs'
        ) from error
