"""Parameters of the walking task (config/task.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter


@dataclass(frozen=True)
class TaskConfig:
    """What is asked of the robot. The values, with what raising them does, are in the YAML."""

    episode_s: float = parameter('Length of an episode.', 's', 0.5, 600.0)
    target_speed_m_s: float = parameter(
        'Forward speed that earns the full reward.', 'm/s', 0.05, 5.0
    )
    lean_scale_rad: float = parameter('Lean at which speed is worth 1/e.', 'rad', 0.05, 10.0)
    alive_reward: float = parameter('Reward of each step on the feet.', '', 0.0, 10.0)
    fall_reward: float = parameter(
        'Added to the reward of the step that ends in a fall.', '', -1000.0, 0.0
    )
    yaw_rate_weight: float = parameter('Reward lost per rad/s of turning.', 's/rad', 0.0, 10.0)
    lateral_weight: float = parameter('Reward lost per m/s sideways.', 's/m', 0.0, 10.0)
    upright_weight: float = parameter('Reward lost per rad of lean.', '1/rad', 0.0, 10.0)
    effort_weight: float = parameter('Reward lost to joint acceleration.', '', 0.0, 1.0)
    torque_weight: float = parameter(
        'Reward lost to torque, as a share of its limit, squared.', '', 0.0, 100.0
    )
    smoothness_weight: float = parameter('Reward lost to changes of action.', '', 0.0, 10.0)
    joint_velocity_scale: float = parameter(
        'Scale of observed joint velocity.', 's/rad', 1e-4, 10.0
    )
    angular_velocity_scale: float = parameter('Scale of the observed gyro.', 's/rad', 1e-4, 10.0)
    velocity_scale: float = parameter('Scale of the observed body velocity.', 's/m', 1e-4, 10.0)
    history: int = parameter('Earlier frames in the observation.', 'frames', 0, 16)
    use_oscillator: bool = parameter('Add the stepping rhythm of the robot under the actions.')
