"""What only the simulated robot needs to know of a robot: the section `simulation` of its file."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import ConfigurationError, build, parameter
from quad_learner.robot.model import RobotModel

_LEAST = 1e-6
"""stands for zero in a bound: far below any robot's"""


@dataclass(frozen=True)
class Facts:
    """Facts of one robot, as its file has them."""

    inertia_from_urdf: bool = parameter(
        "The URDF's inertias are believed; false: they are made anew from the collision shapes."
    )
    joint_stops: bool = parameter(
        'A joint that the URDF gives no limits stops at position_min and position_max; false: it '
        'turns without end.'
    )
    pass_through: tuple[str, ...] = parameter(
        "Links that pass through the robot's other parts, for the URDF's shapes of them jam where "
        'the robot does not.'
    )
    copper_loss: float = parameter('Winding loss at the joint.', 'W/(N·m)²', _LEAST)
    heat_capacity: float = parameter('Of a motor with its housing.', 'J/K', _LEAST)
    cooling: float = parameter('Of a motor to the air.', 'W/K', _LEAST)
    idle_power: float = parameter('Computers and boards.', 'W', _LEAST)
    battery_resistance: float = parameter('Of cells and leads.', 'Ω', _LEAST)


def facts_of(robot: RobotModel) -> Facts:
    """Returns the section `simulation` of the robot's file.

    Raises:
        ConfigurationError: it is missing, or an entry is missing, unknown or out of bounds.
    """
    source = f'robot {robot.name!r}, section simulation'
    section = robot.sections.get('simulation')
    if not isinstance(section, dict):
        raise ConfigurationError(
            f'{source}: {section!r} must be a mapping of {", ".join(Facts.__dataclass_fields__)}; '
            'copy it from a robot in config/robots and change the numbers'
        )
    return build(Facts, section, source)
