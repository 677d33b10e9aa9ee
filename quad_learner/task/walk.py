"""The tasks of walking as one object, shared by the policy node and the Gymnasium environment.

Life of an episode: `begin` once, then for each decision `target(action)` and, one policy period
later, `step(...)`, which says what came of it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import roll_pitch_yaw
from quad_learner.robot.signals import NANOSECONDS, Estimate, JointCommand, SensorSample
from quad_learner.safety.modes import NOT_TRIPS, Authority, Mode, Reason
from quad_learner.task.action import ActionMap, oscillator_of
from quad_learner.task.commander import REST
from quad_learner.task.config import TaskConfig
from quad_learner.task.constraint import upright_margin
from quad_learner.task.kinds import FORWARD, Kind
from quad_learner.task.observation import Attitude, Observer
from quad_learner.task.reward import Motion, displacement, reward

Array = NDArray[np.float64]
Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Outcome:
    """What came of one step."""

    observation: Vector
    """(observations,)"""
    action: Vector
    """what was executed, −1 … 1, (actions,)"""
    reward: float
    constraint: float
    """f_s [rad]"""
    terminated: bool
    """the robot fell"""
    truncated: bool
    """the episode was cut; the future still has value"""
    reasons: Reason


class WalkTask:
    """Walking and turning, one task an episode, by the robot's own senses alone."""

    def __init__(self, robot: RobotModel, config: TaskConfig) -> None:
        self._robot = robot
        self._config = config
        self._observer = Observer(robot, config)
        self._rhythm = oscillator_of(robot) if config.use_oscillator else None
        self._actions = ActionMap(robot, self._rhythm)
        self._steps = round(config.episode_s * robot.policy_hz)
        self._halt_steps = round(config.halt_s * robot.policy_hz)
        self._start_ns = 0
        self._decision_ns = 0
        self._heading = 0.0
        self._step = 0
        self._kind = FORWARD
        self._command = REST
        self._position = np.zeros(3)
        self._yaw = 0.0
        self._action = np.zeros(self._actions.size)
        self._action_change = np.zeros(self._actions.size)
        self._joint_velocity = np.zeros(self._actions.size)

    @property
    def observation_size(self) -> int:
        """Numbers in an observation."""
        return self._observer.size

    @property
    def action_size(self) -> int:
        """Numbers in an action."""
        return self._actions.size

    @property
    def halt_steps(self) -> int:
        """Policy periods in which a robot that walked comes to rest."""
        return self._halt_steps

    def begin(
        self,
        sample: SensorSample,
        estimate: Estimate,
        command: JointCommand,
        kind: Kind = FORWARD,
        wanted: Array = REST,
    ) -> Vector:
        """Returns the first observation of an episode; its heading is the body's heading now.

        Args:
            sample: sensed now.
            estimate: of now.
            command: safety's last command.
            kind: the task of the episode.
            wanted: velocity to follow from now on, (3,).
        """
        self._start_ns = self._decision_ns = sample.time_ns
        self._kind, self._command = kind, wanted
        self._heading = roll_pitch_yaw(estimate.orientation)[2]
        self._position, self._yaw = estimate.position, self._heading
        self._step = 0
        self._observer.begin()
        self._action = self._actions.action(command.position, 0.0)
        self._action_change = np.zeros_like(self._action)
        self._joint_velocity = sample.joint_velocity
        return self._observe(sample, estimate, self._attitude(estimate))

    def go_over(self, estimate: Estimate, kind: Kind) -> None:
        """Goes over to the task `kind`, along the body's heading now; the rhythm goes on."""
        self._kind = kind
        self._heading = roll_pitch_yaw(estimate.orientation)[2]

    def target(self, action: Array, time_ns: int) -> Array:
        """Returns the joint positions [rad], (joints,), that `action` asks for at `time_ns`."""
        self._decision_ns = time_ns
        return self._actions.target(action, self._since_start(time_ns))

    def on_the_spot(self, time_ns: int) -> Array:
        """Returns the joint positions [rad], (joints,), at `time_ns` of who goes nowhere: the
        rhythm alone, which goes on, or the stance where there is none."""
        return self._actions.target(np.zeros(self._actions.size), self._since_start(time_ns))

    def step(
        self,
        sample: SensorSample,
        estimate: Estimate,
        command: JointCommand,
        wanted: Array = REST,
        is_over: bool = False,
    ) -> Outcome:
        """Returns what came of the action whose `target` was given one policy period ago.

        Args:
            sample: sensed now.
            estimate: of now.
            command: safety's last command: what was really executed, and why.
            wanted: velocity to follow from now on, (3,).
            is_over: cut the episode here.
        """
        self._step += 1
        executed = self._actions.action(command.position, self._since_start(self._decision_ns))
        self._action_change = executed - self._action
        self._action = executed
        attitude = self._attitude(estimate)
        motion = self._motion(sample, estimate, attitude)
        self._joint_velocity = sample.joint_velocity
        self._position, self._yaw = estimate.position, attitude.yaw
        self._command = wanted
        driving = command.mode is Mode.ACTIVE and command.authority is Authority.POLICY
        terminated = not driving and self._fell(sample, command)
        cut = not driving or not estimate.healthy or is_over or self.complete
        return Outcome(
            observation=self._observe(sample, estimate, attitude),
            action=executed.astype(np.float32),
            reward=self._reward(motion, driving, terminated),
            constraint=upright_margin(attitude.roll, attitude.pitch, self._robot),
            terminated=terminated,
            truncated=cut and not terminated,
            reasons=command.reasons,
        )

    def _fell(self, sample: SensorSample, command: JointCommand) -> bool:
        """Tells whether a fall ended the drive; a violent one may trip another wire first."""
        tripped = bool(command.reasons & ~NOT_TRIPS)
        return bool(command.reasons & Reason.TILT) or (tripped and self.is_down(sample))

    def is_down(self, sample: SensorSample) -> bool:
        """Tells whether the body leans as only one that fell does."""
        roll, pitch, _ = roll_pitch_yaw(sample.orientation)
        return abs(roll) > self._robot.fall_roll or abs(pitch) > self._robot.fall_pitch

    def _reward(self, motion: Motion, driving: bool, terminated: bool) -> float:
        earned = self._earned(motion) if driving else 0.0
        return earned + (self._config.fall_reward if terminated else 0.0)

    def _earned(self, motion: Motion) -> float:
        if self._config.reward == 'displacement':
            return displacement(motion, self._config, self._kind, 1.0 / self._robot.policy_hz)
        return reward(motion, self._config, self._kind)

    @property
    def complete(self) -> bool:
        """Whether the episode has run its full length."""
        return self._step >= self._steps

    def _since_start(self, time_ns: int) -> float:
        return (time_ns - self._start_ns) / NANOSECONDS

    def _attitude(self, estimate: Estimate) -> Attitude:
        roll, pitch, yaw = roll_pitch_yaw(estimate.orientation)
        turned = _wrapped(yaw - self._heading) if self._kind.along else 0.0
        return Attitude(roll, pitch, turned, yaw)

    def _observe(self, sample: SensorSample, estimate: Estimate, attitude: Attitude) -> Vector:
        phase = self._actions.phase_features(self._since_start(sample.time_ns))
        return self._observer.observe(
            sample, estimate, attitude, self._action, phase, self._command, self._kind
        )

    def _motion(self, sample: SensorSample, estimate: Estimate, attitude: Attitude) -> Motion:
        period = 1.0 / self._robot.policy_hz
        across, along = _in_heading(estimate.velocity_body, attitude)
        upright = math.cos(attitude.roll) * math.cos(attitude.pitch)
        return Motion(
            forward_speed=along,
            lateral_speed=across,
            yaw_rate=float(estimate.angular_velocity[2]),
            lean=math.acos(min(1.0, max(-1.0, upright))),
            joint_acceleration=(sample.joint_velocity - self._joint_velocity) / period,
            torque=sample.joint_effort / self._robot.torque_max,
            action_change=self._action_change,
            displacement=self._displacement(estimate, attitude),
            turned=_wrapped(attitude.yaw - self._yaw),
            out_of_step=self._out_of_step(sample),
            commanded=self._command,
        )

    def _out_of_step(self, sample: SensorSample) -> float:
        """Returns what share of the feet goes against the rhythm; 0 where no foot can tell.

        Feet follow what is asked a period later: the A1's by 25 to 38 ms, stepping on the spot.
        """
        robot, rhythm = self._robot, self._rhythm
        if rhythm is None or not robot.has_foot_force or len(rhythm.leg_phase) != len(robot.feet):
            return 0.0
        swing = rhythm.swing(self._since_start(self._decision_ns))
        against = (sample.foot_force > robot.foot_force_threshold) == (swing > 0.0)
        return float(abs(swing).dot(against)) / swing.size

    def _displacement(self, estimate: Estimate, attitude: Attitude) -> tuple[float, float]:
        """Returns the way since the last step [m], along and across the heading."""
        x, y, _ = (estimate.position - self._position).tolist()
        heading = attitude.yaw - attitude.heading
        sin, cos = math.sin(heading), math.cos(heading)
        return cos * x + sin * y, cos * y - sin * x


def _wrapped(angle: float) -> float:
    """Returns `angle` [rad] within −π … π."""
    return (angle + math.pi) % (2.0 * math.pi) - math.pi


def _in_heading(velocity_body: Array, attitude: Attitude) -> tuple[float, float]:
    """Returns the velocity across (left) and along the episode's heading [m/s]."""
    x, y, z = velocity_body.tolist()
    sin_r, cos_r = math.sin(attitude.roll), math.cos(attitude.roll)
    sin_p, cos_p = math.sin(attitude.pitch), math.cos(attitude.pitch)
    # Levelled: the body velocity with roll and pitch undone (z-y-x Euler angles).
    level_x = cos_p * x + sin_p * (sin_r * y + cos_r * z)
    level_y = cos_r * y - sin_r * z
    sin_h, cos_h = math.sin(attitude.heading), math.cos(attitude.heading)
    return sin_h * level_x + cos_h * level_y, cos_h * level_x - sin_h * level_y
