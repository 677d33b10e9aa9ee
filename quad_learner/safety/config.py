"""Parameters of the safety layer (config/safety.yaml). Facts of a robot are in its own file."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from quad_learner.configuration import ConfigurationError, parameter
from quad_learner.robot.model import RobotModel


@dataclass(frozen=True)
class SafetyConfig:
    """What safety tolerates, for how long, and how it limits what it lets through.

    Raises:
        ValueError: two values contradict each other.
    """

    sample_age_max_s: float = parameter('Age at which sensors count as silent.', 's', 0.01, 1.0)
    estimate_age_max_s: float = parameter('Age at which an estimate is too old.', 's', 0.01, 1.0)
    target_age_max_s: float = parameter('Age at which a driver counts as silent.', 's', 0.01, 1.0)
    health_age_max_s: float = parameter(
        'Age at which battery and heat are unknown.', 's', 0.1, 60.0
    )
    command_lifetime_s: float = parameter(
        'Time a command stays valid at the robot.', 's', 0.01, 0.2
    )

    bad_in_row: int = parameter('Bad samples in a row that stop the robot.', 'samples', 1, 10)
    bad_in_window: int = parameter('Bad samples in a window that stop it.', 'samples', 1, 10)
    bad_window: int = parameter('Length of that window.', 'samples', 2, 60)
    confirm_samples: int = parameter(
        'Samples that confirm a tilt or over-speed.', 'samples', 1, 10
    )

    position_overrun_rad: float = parameter('Believable reading beyond a limit.', 'rad', 0.0, 1.0)
    position_jump_rad: float = parameter('Believable jump beyond the motion.', 'rad', 0.01, 1.0)
    over_speed_scale: float = parameter('Share of the top speed that stops.', '', 0.1, 2.0)
    angular_velocity_max_rad_s: float = parameter('Largest believable gyro.', 'rad/s', 5.0, 100.0)
    specific_force_max_m_s2: float = parameter('Largest believable force.', 'm/s²', 20.0, 2000.0)
    quaternion_norm_error: float = parameter('Believable distance from length 1.', '', 1e-6, 0.2)
    frozen_time_s: float = parameter(
        'Time for which sensors may repeat themselves.', 's', 0.05, 2.0
    )
    frozen_motion_rad: float = parameter('Motion told that must be seen.', 'rad', 0.01, 1.0)
    aloft_time_s: float = parameter('Time without a foot on the ground.', 's', 0.1, 10.0)
    motor_lost_time_s: float = parameter('Time a motor may leave its load.', 's', 0.02, 2.0)
    motor_load_share: float = parameter('Load that counts, of the torque limit.', '', 0.02, 1.0)
    motor_torque_share: float = parameter('Torque of the load that must come.', '', 0.0, 0.9)
    motor_stall_share: float = parameter('Push that counts, of the torque limit.', '', 0.1, 1.0)
    motor_stall_speed_rad_s: float = parameter(
        'Speed up to which it is in vain.', 'rad/s', 0.0, 5.0
    )
    motor_stall_time_s: float = parameter('Time a motor may push in vain.', 's', 0.1, 30.0)
    place_jump_m: float = parameter('Believable jump of the place beyond motion.', 'm', 0.01, 10.0)
    place_speed_max_m_s: float = parameter('Largest believable speed.', 'm/s', 0.5, 20.0)
    fence_m: float = parameter('Half the side of the fence; 0: there is none.', 'm', 0.0, 1000.0)
    fence_braking_m_s2: float = parameter('How surely a stop brakes.', 'm/s²', 0.1, 20.0)
    shake_share: float = parameter('Share of the widest swing asked each decision.', '', 0.05, 1.0)
    boxed_time_s: float = parameter('Time of targets outside the box.', 's', 0.05, 10.0)

    position_margin_rad: float = parameter('Distance kept from a joint limit.', 'rad', 0.0, 0.5)
    policy_target_speed_rad_s: float = parameter('Target speed of policy.', 'rad/s', 0.1, 50.0)
    reset_target_speed_rad_s: float = parameter('Target speed of reset.', 'rad/s', 0.1, 50.0)
    policy_torque_share: float = parameter('Torque of policy, of the motor limit.', '', 0.05, 1.0)
    reset_torque_share: float = parameter('Torque of reset, of the motor limit.', '', 0.05, 1.0)
    kp_scale_max: float = parameter('Largest stiffness, of the stance gain.', '', 0.1, 3.0)
    kd_scale_min: float = parameter('Smallest damping, of the stance gain.', '', 0.01, 1.0)
    kd_scale_max: float = parameter('Largest damping, of the stance gain.', '', 1.0, 5.0)
    clip_tolerance_rad: float = parameter('Change of a target not reported.', 'rad', 0.0, 0.05)
    clip_tolerance_gain: float = parameter('Change of a gain not reported.', '', 0.0, 0.1)

    handover_tilt_rad: float = parameter('Tilt at which policy may begin.', 'rad', 0.05, 0.8)
    handover_joint_error_rad: float = parameter('Distance from stance then.', 'rad', 0.05, 1.0)
    clear_time_s: float = parameter('Time without a cause before driving again.', 's', 0.0, 10.0)
    rearm_interval_s: float = parameter('Time between two ends of a stop.', 's', 0.0, 60.0)
    hold_time_s: float = parameter('Time in which a stop lets the legs go.', 's', 0.0, 0.3)
    latch_after_s: float = parameter('Time an unexplained cause may last.', 's', 0.1, 60.0)
    latch_trips: int = parameter('Unexplained trips that latch the stop.', 'trips', 1, 100)
    latch_window_s: float = parameter('Time in which these are counted.', 's', 1.0, 3600.0)

    temperature_missing_stops: bool = parameter('Unknown motor heat counts as too hot.')
    temperature_derate_share: float = parameter('Share of the limit to derate at.', '', 0.3, 1.0)
    temperature_torque_floor: float = parameter('Share of torque left at limit.', '', 0.1, 1.0)
    temperature_hysteresis_c: float = parameter('Cooling before going on.', '°C', 0.0, 50.0)
    battery_missing_stops: bool = parameter('An unknown battery counts as empty.')
    battery_charge_min: float = parameter('Charge at which the robot rests.', '', 0.0, 0.9)
    battery_charge_hysteresis: float = parameter('Charge gained before going on.', '', 0.0, 0.5)

    def __post_init__(self) -> None:
        if not self.bad_in_row <= self.bad_window or not self.bad_in_window <= self.bad_window:
            raise ValueError(
                f'bad_window = {self.bad_window} must hold bad_in_row = {self.bad_in_row} and '
                f'bad_in_window = {self.bad_in_window} samples; make the window longer'
            )
        if self.temperature_derate_share >= 1.0:
            raise ValueError(
                f'temperature_derate_share = {self.temperature_derate_share} must be below 1: '
                'torque has to fall before the limit is reached'
            )


def check_box(robot: RobotModel, config: SafetyConfig) -> None:
    """Checks that each joint may be where the robot stands.

    Args:
        robot: whose joints are meant.
        config: the margin that is kept from their limits.

    Raises:
        ConfigurationError: a joint's stance is nearer to its limit than the margin.
    """
    room = np.minimum(robot.stance - robot.position_min, robot.position_max - robot.stance)
    joint = int(np.argmin(room))
    if room[joint] < config.position_margin_rad:
        raise ConfigurationError(
            f'position_margin_rad = {config.position_margin_rad} must be at most '
            f'{room[joint]:.3f} rad on {robot.name}, the distance of {robot.joints[joint]} in its '
            f'stance from its limit: no target nearer to a limit is let through; lower it '
            f'(config/safety.yaml), or mend stance or limits (config/robots/{robot.name}.yaml)'
        )
