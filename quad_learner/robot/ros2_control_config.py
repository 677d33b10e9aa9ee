"""Parameters of the hardware door (config/ros2_control.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter

POSITION = 'position'
EFFORT = 'effort'
ALL_JOINTS = '*'
"""as the only entry of `controller_joints`: every joint, in the robot file's order"""


@dataclass(frozen=True)
class Ros2ControlConfig:
    """Which topics, names, signs and command interface the hardware has.

    Raises:
        ValueError: a required topic is empty, or an entry of a list is malformed.
    """

    joint_states_topic: str = parameter('JointState of the hardware: positions and velocities.')
    imu_topic: str = parameter('Imu of the hardware, with orientation.')
    foot_contacts_topic: str = parameter(
        'JointState whose efforts are the foot forces; read only where the robot has the sensor.'
    )
    battery_topic: str = parameter('BatteryState of the hardware; empty where it has none.')
    motor_temperature_topic: str = parameter(
        'Float64MultiArray, degrees Celsius in the order of controller_joints; read only where '
        'the robot has the sensor.'
    )
    commands_topic: str = parameter('Float64MultiArray that the forward controller listens to.')
    command_interface: str = parameter(
        'What the controller takes: position or effort.', choices=(POSITION, EFFORT)
    )
    joint_renames: tuple[str, ...] = parameter(
        'ours=theirs: replaces a part of every joint name by what the hardware calls it.'
    )
    controller_joints: tuple[str, ...] = parameter(
        "The controller's joints in its order, by the hardware's names; * for the robot file's."
    )
    joint_signs: tuple[float, ...] = parameter(
        'Direction of the hardware joints seen from ours, +1 or -1; one for all or one a joint.',
        '',
        -1.0,
        1.0,
    )
    joint_offsets_rad: tuple[float, ...] = parameter(
        'What the hardware reads where ours reads zero; one for all or one a joint.',
        'rad',
        -7.0,
        7.0,
    )
    sensor_age_max_s: float = parameter(
        'Age at which a sensor counts as silent; raising it rides out longer gaps, blindly.',
        's',
        0.005,
        0.2,
    )
    yield_speed_rad_s: float = parameter(
        'Position interface: speed at which a joint that is let go follows what pushes it; '
        'raising it is limper.',
        'rad/s',
        0.05,
        10.0,
    )
    farewell_s: float = parameter(
        'Time for which the joints are damped when the node ends; raising it lets the robot sink '
        'for longer, and the end takes longer.',
        's',
        0.0,
        2.0,
    )

    def __post_init__(self) -> None:
        for name in ('joint_states_topic', 'imu_topic', 'commands_topic'):
            if not getattr(self, name):
                raise ValueError(f'{name} is empty: no robot moves without it; name the topic')
        for entry in self.joint_renames:
            if entry.count('=') != 1 or entry.startswith('='):
                raise ValueError(
                    f'joint_renames: {entry!r} must read ours=theirs, such as upper=thigh'
                )
        if not all(abs(sign) == 1.0 for sign in self.joint_signs):
            raise ValueError(f'joint_signs = {self.joint_signs} must each be 1.0 or -1.0')
