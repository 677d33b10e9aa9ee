"""One step of experience: what was seen, what was done, what came of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.safety.modes import Reason

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Transition:
    """One policy step. `terminated` and `truncated` are two: only the first ends the future."""

    sequence: int
    """1, 2, 3, … without gaps over the whole run, restarts included"""
    episode: int
    """1, 2, 3, … over the whole run"""
    task: int
    """number of the episode's task (`task.kinds`)"""
    step: int
    """0, 1, 2, … within the episode"""
    time_ns: int
    """stamp of `observation` [ns]"""
    policy_version: int
    """of the model that chose the action; 0: none yet, the action was exploration alone"""
    observation: Vector
    """(observations,)"""
    asked: Vector
    """what the policy asked for, −1 … 1, (actions,)"""
    action: Vector
    """what safety let through, in the same units: this is what is learned from, (actions,)"""
    reward: float
    constraint: float
    """upright margin f_s of the next state [rad]; negative when the robot leans too far"""
    next_observation: Vector
    """(observations,)"""
    terminated: bool
    """the robot fell: no future to value"""
    truncated: bool
    """the episode was cut (time, workspace, operator, a trip that is no fall): bootstrap"""
    reasons: Reason
    """what safety changed, or why it stopped the robot; NONE when `action` is what was asked"""
