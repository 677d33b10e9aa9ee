"""What each part of a checkpoint may be: a hash that fits says nothing of what it is the hash of.

Looked at before a learner is touched, and without one: whether a part is missing, or of another
size, is for `checkpoint` to say.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from quad_learner.experience.log import SEQUENCE_MAX
from quad_learner.learning.incumbent import NEVER_GIVEN
from quad_learner.learning.multiplier import LOG_TEMPERATURE_BOUND

COUNT_MAX = 1 << 53
"""beyond it a number in JSON may not be whole: a count of ours needs a million years for that"""
TOLD = 60
"""characters of a wrong number that are repeated"""

NUMPY_GENERATOR, TORCH_GENERATOR = 'numpy_generator', 'torch_generator'
_NEVER_NEGATIVE = ('scale', 'settled', 'square', 'step', 'running_variance')
"""begin the last part of the names of tensors that are lengths, counts or sums of squares"""


class _Rule(NamedTuple):
    """What a number must be, in words and as a test."""

    words: str
    fits: Callable[[Any], bool]


def _whole(low: int, high: int) -> _Rule:
    def fits(value: Any) -> bool:
        return type(value) is int and low <= value <= high

    return _Rule(f'a whole number within {low} … {high}', fits)


def _real(low: float, high: float) -> _Rule:
    def fits(value: Any) -> bool:
        return _is_real(value) and math.isfinite(value) and low <= value <= high

    return _Rule(f'a finite number within {low:g} … {high:g}', fits)


def _is_real(value: Any) -> bool:
    return type(value) is float


def _generates(state: Any) -> bool:
    """Tells whether numpy's generator takes up `state`; an even increment repeats itself."""
    generator = np.random.default_rng(0).bit_generator
    try:
        generator.state = state
        return bool(generator.state == state and state['state']['inc'] % 2 == 1)
    except (KeyError, OverflowError, TypeError, ValueError):
        return False


_COUNT = _whole(0, COUNT_MAX)
_FLAG = _Rule('true or false', lambda value: type(value) is bool)
_FLAGS = _Rule(
    'a list of true and false',
    lambda value: type(value) is list and all(type(each) is bool for each in value),
)
_FINITE, _POSITIVE = _real(-math.inf, math.inf), _real(0.0, math.inf)
_SHARE = _Rule('above 0 and at most 1', lambda value: _is_real(value) and 0.0 < value <= 1.0)
_ANY = _Rule('a number', _is_real)
_SUM = _Rule('a number below ∞', lambda value: _is_real(value) and value < math.inf)


def _given(name: str) -> dict[str, _Rule]:
    return {
        f'{name}.version': _whole(NEVER_GIVEN, COUNT_MAX),
        f'{name}.in_trial': _FLAG,
        f'{name}.box': _SHARE,
    }


def _mean(name: str) -> dict[str, _Rule]:
    return {f'{name}.count': _real(0.0, float(COUNT_MAX)), f'{name}.value': _FINITE}


RULES: Mapping[str, _Rule] = MappingProxyType(
    {
        **dict.fromkeys(('updates', 'skipped', 'steps', 'observed'), _COUNT),
        'last_sequence': _whole(0, SEQUENCE_MAX),
        'owed': _real(0.0, float(COUNT_MAX)),
        # Of an update that was skipped, for instance because they are not finite.
        **dict.fromkeys((f'actor_losses.{n}' for n in ('loss', 'entropy', 'constraint')), _ANY),
        'incumbent.known': _FLAG,
        'incumbent.drives': _FLAG,
        'incumbent.falls': _FLAGS,
        'incumbent.box': _SHARE,
        # A step that was refused counts as −∞.
        'incumbent.margin': _SUM,
        **dict.fromkeys(
            (
                f'incumbent.{name}'
                for name in (
                    *('rolled_back', 'refused', 'waits_until', 'falls_then'),
                    *('trial_left', 'steps'),
                )
            ),
            _COUNT,
        ),
        **_given('incumbent.given'),
        **_given('incumbent.before'),
        NUMPY_GENERATOR: _Rule('the state of a PCG64', _generates),
        **_mean('mean_reward'),
        **_mean('mean_constraint'),
        **_mean('mean_recent_constraint'),
        'dual_multiplier.value': _POSITIVE,
        'dual_multiplier.integral': _POSITIVE,
        'dual_multiplier.missing': _FINITE,
        'dual_temperature.log': _real(-LOG_TEMPERATURE_BOUND, LOG_TEMPERATURE_BOUND),
        'dual_box.value': _SHARE,
        'last_good.bad': _COUNT,
        'last_good.rollbacks': _COUNT,
    }
)
"""of each number that a learner goes on from, by its name; of groups, the names with a dot"""


def objection(tensors: Mapping[str, Tensor], numbers: Mapping[str, Any]) -> str:
    """Returns why no learner may go on from these parts; empty if one may.

    Args:
        tensors: by name.
        numbers: by name, groups of them as mappings.
    """
    for name, value in _singly(numbers):
        rule = RULES.get(name)
        if rule is None:
            return f'{name} is nothing that a learner has'
        if not rule.fits(value):
            return f'{name} is {repr(value)[:TOLD]}, but must be {rule.words}'
    for name, tensor in tensors.items():
        problem = _problem_of(name, tensor)
        if problem:
            return f'{name} {problem}'
    return ''


def _singly(numbers: Mapping[str, Any], group: str = '') -> Iterator[tuple[str, Any]]:
    for name, value in numbers.items():
        if isinstance(value, dict) and value and name != NUMPY_GENERATOR:
            yield from _singly(value, f'{group}{name}.')
        else:
            yield f'{group}{name}', value


def _problem_of(name: str, tensor: Tensor) -> str:
    if name == TORCH_GENERATOR:
        try:
            torch.Generator().set_state(tensor)
        except (RuntimeError, TypeError) as error:
            return f'is not the state of a generator ({error})'
        return ''
    if not torch.isfinite(tensor).all():
        return 'holds a number that is not finite'
    if name.rpartition('.')[2].startswith(_NEVER_NEGATIVE) and (tensor < 0).any():
        return 'holds a number below 0'
    return ''
