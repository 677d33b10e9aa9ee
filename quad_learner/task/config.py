"""Parameters of the walking task (config/task.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter
from quad_learner.task.kinds import KINDS, VELOCITY, Kind, kinds

REWARDS = ('shaped', 'displacement')
"""`shaped`: parts that each say what they want; `displacement`: that of Ha et al. 2020"""

OBSERVABLE = (
    'joint_position',
    'joint_velocity',
    'action',
    'contact',
    'lean',
    'angular_velocity',
    'velocity',
    'heading',
    'phase',
)
"""parts of an observation that can be left out (`task.observation.FrameLayout`)"""


@dataclass(frozen=True)
class TaskConfig:
    """What is asked of the robot. The values, with what raising them does, are in the YAML."""

    tasks: tuple[str, ...] = parameter('What is practised, in turn.', choices=tuple(KINDS))
    share_learner: bool = parameter(
        'One learner for all tasks, which sees the task, instead of one each.'
    )
    workspace_m: tuple[float, ...] = parameter(
        'Length and width of the workspace; 0 for none.', 'm', 0.0, 1000.0
    )
    workspace_margin_m: float = parameter(
        'Strip inside the bounds that ends an episode.', 'm', 0.0, 10.0
    )
    workspace_stray_m: float = parameter(
        'Beyond the bounds; a robot that is further out stands and waits for a person.',
        'm',
        0.1,
        1000.0,
    )
    pose_frame: str = parameter('Frame that an external pose must bear; empty: any.')
    starvation_episodes: int = parameter(
        'Episodes that a task waits while there is room.', 'episodes', 1, 1000
    )
    command_max: tuple[float, ...] = parameter(
        'Largest velocity ahead, sideways, and yaw rate to follow.', 'm/s, m/s, rad/s', 0.0, 5.0
    )
    command_s: float = parameter('How long a velocity is to be followed.', 's', 0.1, 600.0)
    episode_s: float = parameter('Length of an episode.', 's', 0.5, 600.0)
    halt_s: float = parameter(
        'Stepping on the spot after an episode, until the robot has come to rest.', 's', 0.0, 5.0
    )
    target_speed_m_s: float = parameter(
        'Forward speed that earns the full reward.', 'm/s', 0.05, 5.0
    )
    target_yaw_rate_rad_s: float = parameter(
        'Yaw rate that earns the full reward of a turn.', 'rad/s', 0.05, 10.0
    )
    reward: str = parameter('Which reward is earned.', choices=REWARDS)
    acceleration_weight: float = parameter(
        'Lost per (rad/step²)² of joint acceleration; displacement only.', 'm/rad²', 0.0, 10.0
    )
    lean_scale_rad: float = parameter(
        'Lean at which speed is worth 1/e; 0: lean takes nothing from it.', 'rad', 0.0, 10.0
    )
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
    rhythm_weight: float = parameter(
        'Reward lost to feet on the ground or in the air against the rhythm.', '', 0.0, 10.0
    )
    joint_velocity_scale: float = parameter(
        'Scale of observed joint velocity.', 's/rad', 1e-4, 10.0
    )
    angular_velocity_scale: float = parameter('Scale of the observed gyro.', 's/rad', 1e-4, 10.0)
    velocity_scale: float = parameter('Scale of the observed body velocity.', 's/m', 1e-4, 10.0)
    observed: tuple[str, ...] = parameter(
        'Parts of the observation, in any order; a command and the task are seen where needed.',
        choices=OBSERVABLE,
    )
    history: int = parameter('Earlier frames in the observation.', 'frames', 0, 16)
    use_oscillator: bool = parameter('Add the stepping rhythm of the robot under the actions.')

    def __post_init__(self) -> None:
        """Refuses what does not go together."""
        for name in ('tasks', 'observed'):
            named = getattr(self, name)
            if not named or len(set(named)) != len(named):
                raise ValueError(f'{name} = {list(named)} must name one or more, each once')
        for name, length in (('workspace_m', 2), ('command_max', 3)):
            if len(getattr(self, name)) != length:
                raise ValueError(f'{name} must hold {length} numbers')
        if self.reward == 'displacement' and VELOCITY.name in self.tasks:
            raise ValueError('reward displacement knows no task velocity; use shaped')

    @property
    def sees_task(self) -> bool:
        """Whether the task is part of the observation: one learner has several to tell apart."""
        return self.share_learner and len(self.tasks) > 1

    def taught_by(self) -> dict[Kind, Kind]:
        """Returns each task that is practised, with the one that its learner is named after."""
        practised = kinds(self.tasks)
        return {kind: practised[0] if self.share_learner else kind for kind in practised}

    @property
    def commanded(self) -> bool:
        """Whether a velocity to follow is part of the observation."""
        return VELOCITY.name in self.tasks
