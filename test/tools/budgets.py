"""How much is tried at random: reads test/budgets.yaml, and checks that as much was done."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import yaml

TIER = 'QUAD_LEARNER_BUDGET'
"""environment variable that names the part of the file: `test`, or `fuzz`"""
FILE = Path(__file__).resolve().parent.parent / 'budgets.yaml'


class Budget(NamedTuple):
    """What one run has to do."""

    fuzz_steps: int
    hypothesis_examples: int


def budget() -> Budget:
    """Returns the budget of this run."""
    return Budget(**yaml.safe_load(FILE.read_text())[os.environ.get(TIER, 'test')])
