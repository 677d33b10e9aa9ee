"""What the policy sees: one frame a decision, the newest first, earlier ones behind it.

Each part of a frame has a name and a slice; nothing else knows an index.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, SensorSample
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import Kind

Array = NDArray[np.float64]
Vector = NDArray[np.float32]

BOUND = 10.0
"""No observed number is larger: a glitch must not dominate a network's input."""


@dataclass(frozen=True)
class FrameLayout:
    """Where each part of a frame lies."""

    joint_position: slice
    """from the stance, in action boxes"""
    joint_velocity: slice
    """scaled"""
    action: slice
    """executed in the step before"""
    contact: slice
    """1 on the ground, −1 in the air"""
    lean: slice
    """roll, pitch [rad]"""
    angular_velocity: slice
    """scaled, body frame"""
    velocity: slice
    """scaled, body frame"""
    heading: slice
    """from the episode's heading [rad]"""
    phase: slice
    """sine and cosine of the rhythm"""
    command: slice
    """velocity to follow, scaled; empty where no task follows one"""
    task: slice
    """1 for the episode's task, 0 for the others, in the order of `tasks`; empty where each task
    has a learner of its own"""
    size: int


def layout(robot: RobotModel, commanded: bool = False, tasks: int = 0) -> FrameLayout:
    """Returns where the parts of a frame of `robot` lie.

    Args:
        robot: gives the number of joints and feet.
        commanded: whether there is a velocity to follow.
        tasks: how many are told apart.
    """
    joints, feet = len(robot.joints), len(robot.feet)
    sizes = {
        'joint_position': joints,
        'joint_velocity': joints,
        'action': joints,
        'contact': feet,
        'lean': 2,
        'angular_velocity': 3,
        'velocity': 3,
        'heading': 1,
        'phase': 2,
        'command': 3 if commanded else 0,
        'task': tasks,
    }
    parts, end = {}, 0
    for name, size in sizes.items():
        parts[name] = slice(end, end + size)
        end += size
    return FrameLayout(**parts, size=end)


def seen_columns(place: FrameLayout, config: TaskConfig) -> NDArray[np.intp]:
    """Returns which numbers of a frame are observed, (observed,), rising."""
    parts = (getattr(place, name) for name in (*config.observed, 'command', 'task'))
    return np.sort(np.concatenate([np.arange(part.start, part.stop) for part in parts]))


def layout_of(robot: RobotModel, config: TaskConfig) -> FrameLayout:
    """Returns where the parts of a frame lie with these tasks."""
    return layout(robot, config.commanded, len(config.tasks) if config.sees_task else 0)


@dataclass(frozen=True)
class Attitude:
    """The parts of the body's attitude that the task looks at."""

    roll: float
    pitch: float
    heading: float
    """yaw relative to the episode's first yaw, −π … π; 0 in a task that keeps no heading [rad]"""
    yaw: float
    """in the world [rad]"""


class Observer:
    """Builds the observation. `begin` at an episode's start forgets the frames of the last one."""

    def __init__(self, robot: RobotModel, config: TaskConfig) -> None:
        self._robot = robot
        self._kept = 1 + config.history
        self.layout = layout_of(robot, config)
        self._seen = seen_columns(self.layout, config)
        self.size = self._seen.size * self._kept
        self._middle = np.zeros(self.layout.size)
        self._scale = np.ones(self.layout.size)
        self._set_scale('joint_position', robot.stance, 1.0 / robot.action_box)
        self._set_scale('joint_velocity', 0.0, config.joint_velocity_scale)
        self._set_scale('angular_velocity', 0.0, config.angular_velocity_scale)
        self._set_scale('velocity', 0.0, config.velocity_scale)
        self._commanded = config.commanded
        self._tasks = config.tasks if config.sees_task else ()
        if config.commanded:
            planar, turning = config.velocity_scale, config.angular_velocity_scale
            self._set_scale('command', 0.0, np.array((planar, planar, turning)))
        if robot.has_foot_force:
            # From 1 and 0 to 1 and −1.
            self._set_scale('contact', 0.5, 2.0)
        self._frames: deque[Vector] = deque(maxlen=self._kept)

    def _set_scale(self, part: str, middle: Array | float, scale: Array | float) -> None:
        place = getattr(self.layout, part)
        self._middle[place], self._scale[place] = middle, scale

    def begin(self) -> None:
        """Forgets earlier frames: the first frame of the episode stands in for its own past."""
        self._frames.clear()

    def observe(
        self,
        sample: SensorSample,
        estimate: Estimate,
        attitude: Attitude,
        action: Array,
        phase: Array,
        command: Array,
        kind: Kind,
    ) -> Vector:
        """Returns the observation, (size,), after adding the frame of this instant.

        Args:
            sample: of this instant; only joints and feet are read.
            estimate: of this instant.
            attitude: of this instant, relative to the episode's heading.
            action: executed in the step that just ended, −1 … 1, (joints,).
            phase: sine and cosine of the rhythm, (2,).
            command: velocity to follow: ahead, to the left [m/s], yaw rate [rad/s], (3,).
            kind: the episode's task.
        """
        robot, place = self._robot, self.layout
        frame = np.zeros(place.size)
        frame[place.joint_position] = sample.joint_position
        frame[place.joint_velocity] = sample.joint_velocity
        frame[place.action] = action
        if robot.has_foot_force:
            frame[place.contact] = sample.foot_force > robot.foot_force_threshold
        frame[place.lean] = attitude.roll, attitude.pitch
        frame[place.angular_velocity] = estimate.angular_velocity
        frame[place.velocity] = estimate.velocity_body
        frame[place.heading] = attitude.heading
        frame[place.phase] = phase
        if self._commanded:
            frame[place.command] = command
        if self._tasks:
            frame[place.task] = [name == kind.name for name in self._tasks]
        scaled = _bounded((frame - self._middle) * self._scale)
        self._frames.appendleft(scaled[self._seen])
        while len(self._frames) < self._kept:
            self._frames.append(self._frames[0])
        return np.concatenate(list(self._frames))


def _bounded(frame: Array) -> Vector:
    if math.isnan(frame.dot(frame)):
        frame = np.nan_to_num(frame)
    return np.minimum(np.maximum(frame, -BOUND), BOUND).astype(np.float32)
