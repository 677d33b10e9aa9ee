"""Parameters of the simulated robot and of the world around it (config/simulation.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter


@dataclass(frozen=True)
class SimulationConfig:
    """How the world, the motors and the sensors of the simulated robot behave."""

    command_latency_s: float = parameter(
        'From the sensor sample to the torque that answers it; higher: harder to learn.',
        's',
        0.0,
        0.2,
    )
    command_jitter_s: float = parameter(
        'Greatest random delay on top of the latency, drawn for each command.', 's', 0.0, 0.1
    )
    speed_knee: float = parameter(
        'Share of the no-load speed up to which a motor gives its full torque; higher: stronger.',
        '',
        0.0,
        0.95,
    )
    joint_damping_nms_rad: float = parameter(
        'Viscous friction of each joint; higher: stiffer in motion.', 'N·m·s/rad', 0.0, 0.5
    )
    encoder_noise_rad: float = parameter('Deviation of a joint angle reading.', 'rad', 0.0, 0.1)
    encoder_resolution_rad: float = parameter(
        'Step of a joint angle reading; 0: none.', 'rad', 0.0, 0.1
    )
    velocity_noise_rad_s: float = parameter(
        'Deviation of a joint velocity reading.', 'rad/s', 0.0, 5.0
    )
    effort_noise_nm: float = parameter('Deviation of a joint torque reading.', 'N·m', 0.0, 5.0)
    gyro_noise_rad_s: float = parameter(
        'Deviation of an angular rate reading, its mean over a sample.', 'rad/s', 0.0, 0.5
    )
    gyro_bias_rad_s: float = parameter(
        'Deviation of the angular rate offset at the start.', 'rad/s', 0.0, 0.1
    )
    gyro_bias_walk: float = parameter(
        'Growth of the angular rate offset with time.', 'rad/s/√s', 0.0, 0.01
    )
    accelerometer_noise_m_s2: float = parameter(
        'Deviation of a specific force reading, its mean over a sample.', 'm/s²', 0.0, 5.0
    )
    accelerometer_bias_m_s2: float = parameter(
        'Deviation of the specific force offset at the start.', 'm/s²', 0.0, 1.0
    )
    accelerometer_bias_walk: float = parameter(
        'Growth of the specific force offset with time.', 'm/s²/√s', 0.0, 0.1
    )
    tilt_error_rad: float = parameter(
        'Deviation of the slow error of roll and pitch.', 'rad', 0.0, 0.2
    )
    tilt_error_time_s: float = parameter(
        'Time over which the error of roll and pitch wanders; higher: slower.', 's', 0.1, 1000.0
    )
    yaw_drift: float = parameter('Growth of the yaw error with time.', 'rad/√s', 0.0, 0.1)
    orientation_noise_rad: float = parameter(
        'Deviation of an orientation reading about each axis.', 'rad', 0.0, 0.1
    )
    foot_force_noise_n: float = parameter('Deviation of a foot force reading.', 'N', 0.0, 50.0)
    ground_friction_min: float = parameter(
        'Lowest friction coefficient of the ground; it is drawn once a run.', '', 0.05, 3.0
    )
    ground_friction_max: float = parameter(
        'Highest friction coefficient of the ground; equal to the lowest: no chance.',
        '',
        0.05,
        3.0,
    )
    foot_friction: float = parameter(
        'Factor of a foot on the friction of the ground; higher: better grip.', '', 0.05, 3.0
    )
    body_friction: float = parameter(
        'Factor of every other part on the friction of the ground.', '', 0.05, 3.0
    )
    payload_mass_kg: float = parameter(
        'Mass added at the centre of the body; higher: heavier.', 'kg', 0.0, 20.0
    )
    push_interval_s: float = parameter(
        'Mean time between random pushes; 0: none.', 's', 0.0, 3600.0
    )
    push_impulse_ns: float = parameter(
        'Size of a random push, sideways in a random direction.', 'N·s', 0.0, 100.0
    )
    terrain: str = parameter(
        'Shape of the ground.',
        choices=('flat', 'rough', 'slope', 'mattress', 'doormat', 'rubble'),
    )
    terrain_height_m: float = parameter(
        'Height between the lowest and the highest point of rough ground and of rubble.',
        'm',
        0.0,
        0.3,
    )
    terrain_stiffness_n_m: float = parameter(
        'Stiffness of a mattress at each point of contact; higher: less is sunk in.',
        'N/m',
        100.0,
        1e6,
    )
    terrain_damping_ns_m: float = parameter(
        'Damping of a mattress at each point of contact; higher: it swallows more of a blow.',
        'N·s/m',
        0.0,
        1e4,
    )
    terrain_cell_m: float = parameter(
        'Distance between the points of rough ground; higher: gentler.', 'm', 0.02, 1.0
    )
    terrain_slope_rad: float = parameter(
        'Steepness of a slope that rises along x.', 'rad', -0.7, 0.7
    )
    self_collision: bool = parameter(
        'Whether the legs collide with the body and with each other; costs time.'
    )
    initial_charge: float = parameter(
        'Charge of the battery at the start, as a fraction of full.', '', 0.0, 1.0
    )
    charger_w: float = parameter(
        'Power of a charger on a cable that the robot always hangs on; 0: nobody charges it.',
        'W',
        0.0,
        1e4,
    )
    motor_wear_per_h: float = parameter(
        'Rate at which motors lose torque and joints gain drag.', '1/h', 0.0, 1000.0
    )
    battery_fade_per_h: float = parameter(
        'Rate at which the battery loses capacity.', '1/h', 0.0, 1000.0
    )
    friction_drift: float = parameter(
        "Growth of the ground friction's deviation with time, within its bounds.", '1/√h', 0.0, 3.0
    )
    ambient_temperature_c: float = parameter(
        'Temperature of the air and of cold motors.', '°C', -40.0, 60.0
    )
    external_pose_hz: float = parameter(
        'How often an external pose is given; 0: never.', 'Hz', 0.0, 100.0
    )
    external_pose_noise_m: float = parameter('Deviation of its position.', 'm', 0.0, 1.0)
    external_pose_noise_rad: float = parameter('Deviation of its heading.', 'rad', 0.0, 1.0)
    faults: tuple[str, ...] = parameter(
        "Sensor faults, each 'kind[:joint]@start+duration' in seconds; 'none' for none."
    )

    def __post_init__(self) -> None:
        if self.ground_friction_min > self.ground_friction_max:
            raise ValueError(
                f'ground_friction_min = {self.ground_friction_min} must not be above '
                f'ground_friction_max = {self.ground_friction_max}; lower it or raise the other'
            )
        if self.friction_drift > 0.0 and self.ground_friction_min == self.ground_friction_max:
            raise ValueError(
                f'friction_drift = {self.friction_drift} needs room: ground_friction_min below '
                f'ground_friction_max = {self.ground_friction_max}; lower it, or have no drift'
            )
