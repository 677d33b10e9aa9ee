"""Takes a defence away: replaces named parts of the product, in a process that ends thereafter.

A part is named by its path, `package.module.Class.name`. A function or method is replaced by one
that always answers what is given; anything else by the value itself. A value `=name` means that
the function `name` of this file makes the replacement out of the original.
"""

from __future__ import annotations

import contextlib
import dataclasses
import importlib
import pickle  # noqa: TID251  # what nobody else may use, one removal does
import shutil
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from rclpy.task import Future

from quad_learner.restarts import Meaning
from quad_learner.robot.sink import Verdict
from quad_learner.safety.limits import Allowed
from quad_learner.safety.modes import Reason

Part = Callable[..., Any]


class RemovalError(Exception):
    """There is no such part: a defect of the table."""


def remove(parts: Mapping[str, Any]) -> None:
    """Replaces each part of `parts`, for good in this process.

    Raises:
        RemovalError: a path leads nowhere.
    """
    for path, value in parts.items():
        owner, name = find(path)
        setattr(owner, name, _instead(getattr(owner, name), value))


def find(path: str) -> tuple[Any, str]:
    """Returns the owner of a part, and the part's name there.

    Raises:
        RemovalError: the path leads nowhere.
    """
    *way, name = path.split('.')
    for length in range(len(way), 0, -1):
        try:
            owner = importlib.import_module('.'.join(way[:length]))
        except ModuleNotFoundError:
            continue
        try:
            for step in way[length:]:
                owner = getattr(owner, step)
            getattr(owner, name)
        except AttributeError as error:
            raise RemovalError(f'{path}: {error}') from None
        return owner, name
    raise RemovalError(f'{path}: no such module')


def _instead(part: Any, value: Any) -> Any:
    if isinstance(value, str) and value.startswith('='):
        return globals()[value[1:]](part)
    return (lambda *_, **__: value) if callable(part) else value


def no_reason(_: Part) -> Part:
    """Finds nothing wrong."""
    return lambda *_, **__: Reason.NONE


def accepted(_: Part) -> Part:
    """Trusts every command."""
    return lambda *_, **__: Verdict.ACCEPTED


def never_expires(_: Part) -> Part:
    """Follows the last command for ever."""
    return lambda sink, now_ns: sink._command


def any_reach(_: Part) -> Part:
    """Lets a target go anywhere at once."""
    return lambda limits, sent, moved, reach: (
        np.full_like(sent, -np.inf),
        np.full_like(sent, np.inf),
    )


def as_wanted(_: Part) -> Part:
    """Allows all that is wanted."""
    return lambda limits, wanted, *_: Allowed(*wanted, Reason.NONE)


def course_as_it_was(_: Part) -> Part:
    """Changes no course."""
    return lambda course, *_: course


def timeless(look: Part) -> Part:
    """Looks as if no time had passed since the last step."""
    return lambda monitors, state, inputs, now_ns: look(
        monitors, state._replace(now_ns=now_ns), inputs, now_ns
    )


def as_told(_: Part) -> Part:
    """Takes each sample for as young as it came."""
    return lambda monitors, watch, sample, received_ns: received_ns - sample.time_ns


def unshaken(_: Part) -> Part:
    """Counts no swing."""
    return lambda core, state, *_: state.shaken


def uncaught(_: Part) -> Part:
    """Lets an error of the step end the process."""
    return lambda core, state, inputs, now_ns: core._step(state, inputs, now_ns)


def by_wall_clock(_: Part) -> Part:
    """Goes by the clock that people set."""
    return lambda: time.time_ns()


def no_errors(_: Part) -> Part:
    """Finds no fault in what it is given, and returns nothing."""
    return lambda *_, **__: None


def by_place(_: Part) -> Part:
    """Takes numbers in the order they come in, whatever their names."""
    return lambda reader, message, field: np.array(getattr(message, field), dtype=np.float64)


def deletes_first(write: Part) -> Part:
    """Drops every generation before the new one is written."""

    def written(directory: Path, content: Any, blob: bytes) -> Any:
        shutil.rmtree(directory, ignore_errors=True)
        return write(directory, content, blob)

    return written


def unhashed(_: Part) -> Part:
    """Reads a blob and believes it."""
    return lambda path, blobs: (path / 'state.safetensors').read_bytes()


def unpickles(read: Part) -> Part:
    """Takes each file of a checkpoint for a pickle first."""

    def unpickled(directory: Path) -> Any:
        for path in sorted(directory.rglob('*')):
            if path.is_file():
                with contextlib.suppress(Exception):
                    pickle.loads(path.read_bytes())
        return read(directory)

    return unpickled


def ahead_of_the_log(_: Part) -> Part:
    """Saves checkpoints whatever the log holds."""
    return lambda training: [trainee.save() for trainee in training._trainees.values()]


def all_fit(_: Part) -> Any:
    """Learns from whatever comes."""
    return staticmethod(lambda steps: np.ones(len(steps), np.bool_))


def keeps_the_asked(transition: Part) -> Part:
    """Stores the action that was asked for as the one that was executed."""
    return lambda driver, outcome, over: dataclasses.replace(
        transition(driver, outcome, over), action=driver._choice.action
    )


def takes_any(_: Part) -> Part:
    """Lets any model drive."""
    return lambda chooser, policy: setattr(chooser, '_policy', policy)


def unchecked(_: Part) -> Part:
    """Takes parameters as they are given, and hears of no others."""

    def built(config: Any, values: Mapping[str, Any], source: str) -> Any:
        names = {field.name for field in dataclasses.fields(config) if field.name in values}
        return config(**{name: values[name] for name in names}) if names else None

    return built


def endless(look: Part) -> Part:
    """Does not hear that the time is over."""
    return lambda driver, sample, estimate, command, finish, *more: look(
        driver, sample, estimate, command, False, *more
    )


def as_one(told: Part) -> Part:
    """Takes news of battery or warmth for news of both."""

    def taken(listener: Any, time_ns: int | None = None) -> Any:
        known = told(listener, time_ns)
        newest = max(known.battery_ns, known.warmth_ns)
        return known._replace(battery_ns=newest, warmth_ns=newest)

    return taken


def watch_as_it_was(_: Part) -> Part:
    """Takes nothing in."""
    return lambda monitors, watch, *_: watch


def blind(look: Part) -> Part:
    """Sees what there is, and finds nothing wrong with it."""

    def looked(*inputs: Any) -> Any:
        watch, sight = look(*inputs)
        return watch, sight._replace(body=Reason.NONE, drive=Reason.NONE)

    return looked


def hears_all(_: Part) -> Part:
    """Hands on what any robot says."""
    return lambda neighbours, topic, kind, raw, callback: callback


def starts_all_again(_: Part) -> Part:
    """Lets whatever died live again."""
    return lambda *_, **__: Meaning.AGAIN


def never_again(_: Part) -> Part:
    """Lets nothing live again."""
    return lambda *_, **__: Meaning.BROKEN


def until_a_future(_: Part) -> Part:
    """Lets the executor wait for what never comes."""
    return lambda executor, longest_s: executor.spin_until_future_complete(
        Future(), timeout_sec=longest_s
    )
