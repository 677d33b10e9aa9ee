"""Parameters of the learner (config/learner.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter

DEVICES = ('cpu', 'cuda')
CRITIC_KINDS = ('crossq', 'layer_norm')
PESSIMISM_KINDS = ('minimum', 'mean_minus_std')
MULTIPLIER_LAWS = ('ascent', 'pid')
MULTIPLIER_MEASURES = ('critic', 'recent', 'lower')


@dataclass(frozen=True)
class LearnerConfig:
    """How the learner learns. docs/learning.md gives each symbol's equation."""

    replay_capacity: int = parameter(
        'Steps remembered; the oldest go first.', 'steps', 1, 100000000
    )
    warmup_steps: int = parameter('Steps collected before the first update.', 'steps', 1)
    updates_per_step: float = parameter('Updates owed for each step after warm-up.', '', 0.0, 50.0)
    eager_steps: int = parameter('First steps of a run, which owe more.', 'steps', 0, 10000000)
    eager_updates: float = parameter('Updates owed more for each of them.', 'updates', 0.0, 100.0)
    backlog_max: int = parameter('Most updates ever owed at once.', 'updates', 1)
    batch_size: int = parameter('Steps drawn for one update.', 'steps', 2, 4096)
    mirror: bool = parameter('Show every other step of a batch left-right mirrored.')

    device: str = parameter('What computes the updates.', choices=DEVICES)
    critic_kind: str = parameter('What steadies the critics.', choices=CRITIC_KINDS)
    critic_width: int = parameter('Units in each of two hidden layers.', 'units', 1, 4096)
    reward_critics: int = parameter('Members that value reward.', '', 1, 16)
    safety_critics: int = parameter('Members that value the constraint.', '', 1, 16)
    critic_rate: float = parameter('Adam step size of the critics.', '', 0.0, 1.0)
    reward_error_max: float = parameter('Error of a value that pulls hardest.', '', 1e-6)
    margin_error_max: float = parameter('The same for the constraint.', 'rad', 1e-6)
    renorm_momentum: float = parameter('Share of the running statistics kept.', '', 0.0, 1.0)
    renorm_warmup: int = parameter('Updates of plain batch norm first.', 'updates', 0)
    renorm_scale_max: float = parameter('Largest batch-to-running std ratio.', '', 1.0, 100.0)
    renorm_shift_max: float = parameter('Largest batch-to-running mean shift.', 'std', 0.0, 100.0)
    dropout: float = parameter('Share of units dropped; layer_norm critics only.', '', 0.0, 0.9)
    target_smoothing: float = parameter('Step of target networks; layer_norm only.', '', 0.0, 1.0)

    actor_width: int = parameter('Units in each of two hidden layers.', 'units', 1, 4096)
    actor_rate: float = parameter('Adam step size of the actor.', '', 0.0, 1.0)
    actor_period: int = parameter('Critic updates for one actor update.', 'updates', 1, 100)
    adam_beta1: float = parameter('Adam momentum of critics and actor.', '', 0.0, 0.999)
    log_std_min: float = parameter('Lowest log standard deviation.', 'log', -20.0, 0.0)
    log_std_max: float = parameter('Highest log standard deviation.', 'log', -5.0, 5.0)
    saturation_pull: float = parameter('Slope that brings actions back from ±1.', '', 0.0, 100.0)
    observation_std_min: float = parameter('Floor of the observation deviation.', '', 1e-6, 1.0)

    discount: float = parameter('γ of the reward.', '', 0.0, 0.9999)
    safety_discount: float = parameter('γ_s of the constraint.', '', 0.0, 0.9999)
    n_step: int = parameter('Steps summed before critics value the rest.', 'steps', 1, 100)

    center_values: bool = parameter('Let critics learn values less the average step for ever.')
    center_steps: int = parameter('Memory of the average step; center_values only.', 'steps', 1)

    initial_temperature: float = parameter('α at the start.', '', 1e-8, 100.0)
    temperature_rate: float = parameter('Step of log α per nat of excess entropy.', '', 0.0, 1.0)
    temperature_step_max: float = parameter('Largest step of log α per update.', '', 0.0, 1.0)
    entropy_per_action: float = parameter('Entropy wanted per action.', 'nat', -10.0, 1.0)

    constrained: bool = parameter('Hold the constraint; off learns from reward alone.')
    margin_required_rad: float = parameter('Average upright margin to keep.', 'rad', -1.0, 1.0)
    margin_cap_rad: float = parameter('Margin beyond which more counts no more.', 'rad', -1.0, 4.0)
    fallen_margin_rad: float = parameter('Margin counted for ever after a fall.', 'rad', -4.0, 0.0)
    safety_pessimism: str = parameter('How members become one value.', choices=PESSIMISM_KINDS)
    safety_pessimism_std: float = parameter('Deviations below the mean.', '', 0.0, 10.0)
    initial_multiplier: float = parameter('λ at the start.', '', 0.0)
    multiplier_rate: float = parameter('Step of λ per rad of missing margin.', '1/rad', 0.0)
    multiplier_step_max: float = parameter('Largest step of λ per update.', '', 0.0)
    multiplier_max: float = parameter('λ never exceeds it.', '', 0.0)
    multiplier_law: str = parameter('How λ follows the constraint.', choices=MULTIPLIER_LAWS)
    pid_proportional: float = parameter('λ per rad of missing margin; pid only.', '1/rad', 0.0)
    pid_derivative: float = parameter('λ per rad it grew in an update; pid only.', '1/rad', 0.0)
    pid_smoothing: float = parameter('Share of the past remembered; pid only.', '', 0.0, 0.9999)
    multiplier_measure: str = parameter('What the law looks at.', choices=MULTIPLIER_MEASURES)
    box_start: float = parameter('Share of the actions open at the start.', '', 0.01, 1.0)
    box_opening: float = parameter('Share opened by a step that holds the margin.', '', 0.0, 1.0)
    fall_back_steps: int = parameter('Episode that is gone back to after a fall.', 'steps', 0)
    fall_back_window: int = parameter('Episodes in which falls are counted.', 'episodes', 0, 1000)
    fall_back_updates: int = parameter('Made before the next trial, a fall more.', 'updates', 0)
    trial_steps: int = parameter('Driven in a trial of the newest policy; 0: none.', 'steps', 0)
    trial_share: float = parameter("Of the incumbent's box, open in a trial.", '', 0.1, 1.0)
    trial_change: float = parameter(
        'Change of the policy beyond which it is tried, as a share of the box.', '', 0.0, 2.0
    )
    gated: bool = parameter('Let no policy drive that its critics put below the incumbent.')
    gate_margin_rad: float = parameter('Average margin that it may lose.', 'rad', 0.0)
    gate_reward: float = parameter('Average reward of a step that it may lose.', '', 0.0)
    recent_steps: int = parameter('Memory of the recent margin.', 'steps', 1)
    rescale_by_multiplier: bool = parameter('Divide the actor loss by 1 + λ.')

    updates_per_reset: int = parameter(
        'Updates made while the robot gets up.', 'updates', 0, 100000
    )
    publish_every: int = parameter('Steps between models for the policy.', 'steps', 1, 10000)
    checkpoint_every: int = parameter('Steps between checkpoints.', 'steps', 10, 1000000)
    snapshot_period: int = parameter('Updates between last-good snapshots.', 'updates', 1)
    skips_before_rollback: int = parameter('Bad updates in a row before going back.', '', 1)

    def __post_init__(self) -> None:
        if self.device != 'cpu' and self.critic_kind != 'layer_norm':
            raise ValueError(
                f'device = {self.device!r} needs critic_kind = layer_norm, not '
                f'{self.critic_kind}: no other critics are written for it; change one of them '
                '(config/learner.yaml)'
            )
        if self.log_std_min >= self.log_std_max:
            raise ValueError(
                f'log_std_min = {self.log_std_min} must be below log_std_max = {self.log_std_max}'
            )
        if self.initial_multiplier > self.multiplier_max:
            raise ValueError(
                f'initial_multiplier = {self.initial_multiplier} must not exceed '
                f'multiplier_max = {self.multiplier_max}'
            )
        if self.margin_required_rad > self.margin_cap_rad:
            raise ValueError(
                f'margin_required_rad = {self.margin_required_rad} must not exceed '
                f'margin_cap_rad = {self.margin_cap_rad}: more than the cap is never counted'
            )
        if self.warmup_steps < self.batch_size:
            raise ValueError(
                f'warmup_steps = {self.warmup_steps} must be at least batch_size = '
                f'{self.batch_size}: a batch is drawn from what was collected'
            )
        if self.replay_capacity < self.warmup_steps:
            raise ValueError(
                f'replay_capacity = {self.replay_capacity} must be at least warmup_steps = '
                f'{self.warmup_steps}'
            )
