"""Does a robot file fit its URDF and itself? What can be told before anything moves."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from quad_learner.doctor import Finding
from quad_learner.reset.motion import MOTIONS, motion
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.facts import facts_of

Array = NDArray[np.float64]

BELOW = 2.0
"""times as far below the root link as fore, aft or aside: feet under a trunk whose z points up"""
ROUNDING = 0.01
"""[rad] by which limits may go beyond the URDF's: two digits"""
STILL = 1e-6
"""[m/rad] of a foot that a joint does not move"""
MASS_ERROR = 0.01
"""of the URDF's mass by which the simulated robot may be heavier or lighter"""
SPREAD = 2.0
"""times as far from its middle as a foot from the root link: no link's mass lies out there"""
ROUNDING_ERROR = 1e-9
"""[rad] of a difference of two angles: a pose that is cut to the limit less the margin is there"""
_AXES = (
    'its axes must be x forwards, y left, z up: take a URDF that is drawn so. If they are, change '
    'joints.stance until the feet are below the trunk'
)
_INERTIA = 'simulation.inertia_from_urdf: false; or mend it in a copy of the URDF'
NAMED = 3
"""so many joints are named at most"""


def examine(
    robot: RobotModel, feet: Callable[[Array], Array], slopes: Array, margin: float
) -> Iterator[Finding]:
    """Yields what each check found.

    Args:
        robot: which robot.
        feet: gives the places of the feet in the body frame [m], (feet, 3), for joint angles.
        slopes: of those places in the stance by the angles [m/rad], (feet, 3, joints).
        margin: that safety keeps off the limits [rad].
    """
    yield check_axes(feet(robot.stance))
    yield check_inertia(robot, feet(robot.stance))
    yield check_legs(robot, feet(robot.stance), slopes)
    yield check_stops(robot)
    yield check_poses(robot, margin)
    yield check_action_box(robot)


def check_axes(places: Array) -> Finding:
    """Returns whether the feet are below the root link, which is where they are if z points up.

    Args:
        places: of the feet in the stance, body frame [m], (feet, 3).
    """
    middle = places.mean(axis=0)
    ok = bool(-middle[2] >= BELOW * np.abs(middle[:2]).max())
    x, y, z = middle
    return Finding(
        'axes of the root link',
        ok,
        f'in the stance the feet are about x {x:+.2f}, y {y:+.2f}, z {z:+.2f} m from it',
        '' if ok else _AXES,
    )


def check_mass(robot: RobotModel, drawn: float, simulated: float) -> Finding:
    """Returns whether the simulated robot weighs what the URDF says.

    Args:
        robot: which robot.
        drawn: mass of all links of the URDF [kg].
        simulated: of the simulated robot [kg]; the engine takes a link without mass for 1 kg.
    """
    if abs(simulated - drawn) <= MASS_ERROR * drawn:
        return Finding('mass', True, f'{simulated:.1f} kg')
    links = ElementTree.parse(robot.urdf).getroot().findall('link')
    bare = [str(link.get('name')) for link in links if link.find('inertial') is None]
    named = ', '.join(bare[:NAMED])
    more = f' and {len(bare) - NAMED} more' if len(bare) > NAMED else ''
    way_out = (
        f'the simulation takes links without <inertial> for 1 kg each: {named}{more}; give them '
        'their mass and inertia in a copy of the URDF beside the robot file'
    )
    what = f'{simulated:.1f} kg in simulation, {drawn:.1f} kg in the URDF'
    return Finding('mass', False, what, way_out)


def check_inertia(robot: RobotModel, places: Array) -> Finding:
    """Returns whether the inertias that the simulation believes can be those of such links.

    Far too big ones make nothing shake: the robot stands, and does all else too slowly.

    Args:
        robot: which robot.
        places: of the feet in the stance, body frame [m], (feet, 3).
    """
    if not facts_of(robot).inertia_from_urdf:
        return Finding('inertia', True, 'made anew from the collision shapes')
    far, culprit = 0.0, ''
    for link in ElementTree.parse(robot.urdf).getroot().findall('link'):
        mass, inertia = link.find('inertial/mass'), link.find('inertial/inertia')
        weight = 0.0 if mass is None else float(mass.get('value', 0.0))
        if inertia is None or weight <= 0.0:
            continue
        most = max(float(inertia.get(axis, 0.0)) for axis in ('ixx', 'iyy', 'izz'))
        radius = float(np.sqrt(max(most, 0.0) / weight))
        if radius > far:
            far, culprit = radius, f'{most:g} kg·m² for {weight:g} kg of {link.get("name")}'
    limit = SPREAD * float(np.linalg.norm(places, axis=1).max())
    what = f'masses lie up to {far:.2f} m from the middle of their link'
    if far <= limit:
        return Finding('inertia', True, what)
    return Finding('inertia', False, f'{what}: {culprit}', _INERTIA)


def check_legs(robot: RobotModel, places: Array, slopes: Array) -> Finding:
    """Returns whether each foot hangs on its own leg, and the right ones are on the right.

    Args:
        robot: which robot.
        places: of the feet in the stance, body frame [m], (feet, 3).
        slopes: of those places by the joint angles [m/rad], (feet, 3, joints).
    """
    moved = (np.abs(slopes).max(axis=1) > STILL).reshape(len(places), len(places), -1).any(axis=2)
    astray = [
        f'{foot} is moved by joints of leg {" and ".join(map(str, np.flatnonzero(row)))}, '
        f'and stands for leg {leg}'
        for leg, (foot, row) in enumerate(zip(robot.feet, moved, strict=True))
        if np.flatnonzero(row).tolist() != [leg]
    ]
    section = robot.sections.get('reset')
    named = section.get('right_feet', []) if isinstance(section, Mapping) else []
    right = [foot for foot, place in zip(robot.feet, places, strict=True) if place[1] < 0.0]
    if named and not set(named) <= set(right):
        astray.append(f'reset.right_feet are {", ".join(named)}, on the right are {right}')
    return Finding(
        'legs',
        not astray,
        '; '.join(astray[:NAMED]) or 'each foot is moved by the joints of its own leg',
        'joint_names and feet.links: both leg by leg in the order of joint_order, counted from '
        '0; reset.right_feet: those whose y is negative'
        if astray
        else '',
    )


def check_stops(robot: RobotModel) -> Finding:
    """Returns whether the limits are within those that the URDF gives its joints."""
    root = ElementTree.parse(robot.urdf).getroot()
    given = {joint.get('name'): joint.find('limit') for joint in root.findall('joint')}
    beyond = []
    for name, low, high in zip(robot.joints, robot.position_min, robot.position_max, strict=True):
        limit = given[name]
        if limit is None or limit.get('lower') is None or limit.get('upper') is None:
            continue
        lower, upper = float(limit.get('lower', 0.0)), float(limit.get('upper', 0.0))
        if lower < upper and (low < lower - ROUNDING or high > upper + ROUNDING):
            beyond.append(f'{name} {low:g} … {high:g}, the URDF stops it at {lower:g} … {upper:g}')
    return Finding(
        'joint limits',
        not beyond,
        '; '.join(beyond[:NAMED]) or 'within those of the URDF',
        'joints.position_min, joints.position_max: where the joints stop' if beyond else '',
    )


def check_poses(robot: RobotModel, margin: float) -> Finding:
    """Returns whether the poses of the get-up are asked for as they will be sent."""
    everywhere = np.full(len(robot.joints), np.inf)
    asked = motion(replace(robot, position_min=-everywhere, position_max=everywhere))
    poses = {'fold': [asked.fold]} | {
        name: [frame.position for frame in getattr(asked, name)] for name in MOTIONS
    }
    poses['from_side, mirrored'] = [frame.position for frame in asked.from_left_side]
    poses['from_back, mirrored'] = [frame.position for frame in asked.from_left_back]
    room = margin - ROUNDING_ERROR
    low, high = robot.position_min + room, robot.position_max - room
    cut = [
        f'{name}: {pose[joint]:g} of {robot.joints[joint]} is cut to '
        f'{low[joint]:.3g} … {high[joint]:.3g}'
        for name, frames in poses.items()
        for pose in frames
        for joint in np.flatnonzero((pose < low) | (pose > high))
    ]
    way_out = (
        f'reset: keep {margin:g} rad off joints.position_min and position_max. A pose that is '
        'held beyond them for a second is a fault to safety (TARGET_INVALID)'
    )
    what = '; '.join(cut[:NAMED]) or 'within the limits'
    return Finding('poses of the get-up', not cut, what, way_out if cut else '')


def check_action_box(robot: RobotModel) -> Finding:
    """Returns whether all that the policy may reach is within the limits."""
    reach = np.minimum(robot.stance - robot.position_min, robot.position_max - robot.stance)
    short = [
        f'{robot.joints[joint]}: {reach[joint]:.2f} rad to its limit, '
        f'action_box {robot.action_box[joint]:g}'
        for joint in np.flatnonzero(robot.action_box > reach)
    ]
    return Finding(
        "the policy's reach",
        not short,
        '; '.join(short[:NAMED]) or 'within the limits',
        'lower joints.action_box: what lies beyond the limits is cut' if short else '',
    )
