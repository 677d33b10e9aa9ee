"""Parameters of safety at random, anywhere that their declarations allow, ends included."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np

from quad_learner.robot.model import RobotModel
from quad_learner.safety.config import SafetyConfig, check_box

AT_AN_END = 0.3
"""share of the numbers drawn that lie on a bound of their range, where mistakes are"""


def drawn(rng: np.random.Generator, robot: RobotModel, shipped: SafetyConfig) -> SafetyConfig:
    """Returns parameters that go together and fit the robot.

    Args:
        rng: draws; first how many are changed, so that robots that hardly ever drive are few.
        robot: whose joints must have room in their stance.
        shipped: what is not changed.
    """
    share = rng.random()
    while True:
        fields = [field for field in dataclasses.fields(shipped) if rng.random() < share]
        changes = {field.name: _value(field, rng) for field in fields}
        try:
            config = dataclasses.replace(shipped, **changes)
            check_box(robot, config)
        except ValueError:  # refused, as it would be at the start of a process
            continue
        return config


def _value(field: dataclasses.Field[Any], rng: np.random.Generator) -> Any:
    if field.type == 'bool':
        return bool(rng.random() < 0.5)
    ends = (field.metadata['minimum'], field.metadata['maximum'])
    if rng.random() < AT_AN_END:
        return ends[rng.integers(2)]
    if field.type == 'int':
        return int(rng.integers(ends[0], ends[1] + 1))
    return float(rng.uniform(*ends))
