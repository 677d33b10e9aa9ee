"""What a URDF holds, as a table for whoever writes a robot file."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from rich.markup import escape
from rich.table import Table

from quad_learner.configuration import ConfigurationError
from quad_learner.resources import urdf_places
from quad_learner.robot.urdf import contents

WIDTH = 140
"""[characters] of the table: names of joints are long, and a name that is cut cannot be copied"""
_COLUMNS = (
    'joint',
    'link that it moves',
    'axis',
    'place [m]',
    'limits [rad]',
    'torque [N·m]',
    'speed [rad/s]',
)


def listing(name: str) -> Table:
    """Returns the table.

    Args:
        name: path of a URDF, or its name in pybullet_data.

    Raises:
        ConfigurationError: there is no such file, or it is no URDF.
    """
    places = urdf_places(name, Path())
    found = next((place for place in places if place.is_file()), None)
    if found is None:
        raise ConfigurationError(f'there is no such file at {places[0]} nor at {places[1]}')
    held = contents(found)
    table = Table(title=f'root link {held.root}, {held.mass:.2f} kg; axes and places: root link')
    for column in _COLUMNS:
        table.add_column(escape(column), overflow='fold')
    for joint in held.joints:
        table.add_row(
            joint.name,
            joint.link,
            _numbers(joint.axis, 2),
            _numbers(joint.place, 3),
            'none' if joint.limits is None else '{:.2f} … {:.2f}'.format(*joint.limits),
            f'{joint.torque_max:g}',
            f'{joint.speed_max:g}',
        )
    table.add_section()
    for link, place in held.ends:
        table.add_row('(end of a leg)', link, '', _numbers(place, 3))
    return table


def _numbers(values: Iterable[float], digits: int) -> str:
    # Adding 0 takes the sign off a zero.
    return ' '.join(f'{round(float(value), digits) + 0.0:g}' for value in values)
