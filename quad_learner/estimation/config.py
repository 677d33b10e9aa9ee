"""What may be tuned in the estimator. Values and their reasons are in config/estimator.yaml."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter


@dataclass(frozen=True)
class EstimatorConfig:
    """Parameters of attitude, contact and velocity."""

    orientation_time_s: float = parameter(
        'Time constant at which the carried attitude follows the IMU; higher: trusts gyro more',
        's',
        minimum=0.01,
        maximum=10.0,
    )
    gyro_bias_time_s: float = parameter(
        'Time constant at which a gyro offset is learnt; higher: steadier, slower',
        's',
        minimum=1.0,
        maximum=1000.0,
    )
    gyro_bias_max_rad_s: float = parameter(
        'Largest gyro offset believed; higher: accepts a worse gyro', 'rad/s', 0.0, 0.5
    )
    orientation_jump_rad: float = parameter(
        'Disagreement of gyro and IMU attitude that counts as a fault; higher: more lenient',
        'rad',
        minimum=0.05,
        maximum=1.5,
    )
    orientation_patience_s: float = parameter(
        'How long such a disagreement may last before the IMU is believed; higher: rides out '
        'longer faults',
        's',
        minimum=0.0,
        maximum=2.0,
    )
    contact_release_ratio: float = parameter(
        'A foot lifts below this share of foot_force_threshold; higher: lifts earlier',
        '',
        minimum=0.1,
        maximum=1.0,
    )
    contact_trust_time_s: float = parameter(
        'From touch-down of a foot to full trust in it; higher: ignores more of impacts',
        's',
        minimum=0.001,
        maximum=0.2,
    )
    contact_full_load: float = parameter(
        'Share of the body weight over the number of feet from which a foot grips fully; higher: '
        'trusts light feet less',
        '',
        minimum=0.1,
        maximum=4.0,
    )
    grip_ratio: float = parameter(
        'Sideways over upward force at which a foot is half trusted to grip; higher: trusts '
        'feet nearer to sliding',
        '',
        minimum=0.05,
        maximum=10.0,
    )
    specific_force_noise_m_s2: float = parameter(
        'Noise of one accelerometer sample; higher: follows the feet more', 'm/s²', 0.001, 10.0
    )
    specific_force_scale_noise: float = parameter(
        'Noise added for each m/s² that the body is shaken; higher: trusts impacts less',
        '',
        minimum=0.0,
        maximum=1.0,
    )
    force_bias_m_s2: float = parameter(
        'Expected size of accelerometer offset plus gravity leaking in through tilt error; '
        'higher: a larger offset is found, and lost again, faster',
        'm/s²',
        minimum=0.001,
        maximum=2.0,
    )
    force_bias_time_s: float = parameter(
        'Time over which that offset changes; higher: averages it for longer', 's', 0.5, 1000.0
    )
    foot_noise_m_s: float = parameter(
        'Error of the body velocity told by one fully trusted foot; higher: follows the IMU more',
        'm/s',
        minimum=0.001,
        maximum=1.0,
    )
    foot_vertical_noise_m_s: float = parameter(
        'Vertical speed at which a foot still counts as standing; higher: tolerates more bouncing',
        'm/s',
        minimum=0.001,
        maximum=5.0,
    )
    slip_gate: float = parameter(
        'Deviations at which a foot weighs only a quarter; higher: tolerates more slip',
        '',
        minimum=0.5,
        maximum=20.0,
    )
    still_noise_m_s: float = parameter(
        'Expected speed of a robot that no foot carries; higher: drifts further when fallen',
        'm/s',
        minimum=0.05,
        maximum=10.0,
    )
    velocity_deviation_max_m_s: float = parameter(
        'Standard deviation of velocity that makes the estimate unhealthy; higher: lenient',
        'm/s',
        minimum=0.05,
        maximum=5.0,
    )
    speed_max_m_s: float = parameter(
        'Speed that the robot cannot have: the filter restarts; higher: more lenient',
        'm/s',
        minimum=0.5,
        maximum=20.0,
    )
    gap_max_s: float = parameter(
        'Longest time between samples that is bridged; higher: coasts for longer', 's', 0.01, 1.0
    )
    recovery_s: float = parameter(
        'Time after a restart of the filter before it is healthy again; higher: surer',
        's',
        minimum=0.0,
        maximum=5.0,
    )
    height_time_s: float = parameter(
        'Time over which position z returns to the height above the feet on the ground; higher: '
        'keeps the memory of climbed height for longer',
        's',
        minimum=0.05,
        maximum=1000.0,
    )
