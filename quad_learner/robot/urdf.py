"""A URDF file: read, listed for whoever writes a robot file, and where it cannot be read, why.

Places and axes are those of the root link (x forwards, y left, z up) with every joint at 0, the
pose in which the URDF is drawn.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.entries import is_number

Array = NDArray[np.float64]

_VECTORS = {'origin': ('xyz', 'rpy'), 'axis': ('xyz',), 'box': ('size',), 'mesh': ('scale',)}
"""elements of a link or joint, and which of their attributes hold three numbers"""
_THREE = 3
"""numbers of a vector, and linear rows of a Jacobian ahead of the angular ones"""
_NAMED = 3
"""so many faults are named at most"""


@dataclass(frozen=True)
class Joint:
    """One joint that moves."""

    name: str
    link: str
    """that it moves"""
    axis: Array
    """about which it turns for positive angles, unit length, (3,)"""
    place: Array
    """[m], (3,)"""
    limits: tuple[float, float] | None
    """[rad]; None where the URDF gives none"""
    torque_max: float
    """[N·m]"""
    speed_max: float
    """[rad/s]"""


@dataclass(frozen=True)
class Contents:
    """What one URDF holds."""

    root: str
    mass: float
    """[kg]"""
    joints: tuple[Joint, ...]
    """each before those that it moves"""
    ends: tuple[tuple[str, Array], ...]
    """links that move and bear no other, and the places of their origins [m]: feet, mostly"""


def tree(urdf: Path) -> Any:
    """Returns the tree of its links and joints, as pinocchio's model.

    Raises:
        ConfigurationError: it cannot be read; the message says why.
    """
    try:
        return pin.buildModelFromUrdf(str(urdf))
    except ValueError as error:
        raise ConfigurationError(f'{str(urdf)!r} is no URDF: {_faults(urdf) or error}') from error


def mass_of(tree: Any) -> float:
    """Returns the mass of all links [kg]; pinocchio's own total leaves out the root link."""
    return float(sum(inertia.mass for inertia in tree.inertias))


def contents(urdf: Path) -> Contents:
    """Returns what the URDF holds.

    Raises:
        ConfigurationError: it cannot be read.
    """
    model = tree(urdf)
    data = model.createData()
    pin.computeJointJacobians(model, data, pin.neutral(model))
    pin.updateFramePlacements(model, data)
    bearing = {frame.parentFrame for frame in model.frames if frame.type != pin.FrameType.BODY}
    ends = [
        (link.name, data.oMf[index].translation.copy())
        for index, link in enumerate(model.frames)
        if link.type == pin.FrameType.BODY and link.parentJoint > 0 and index not in bearing
    ]
    return Contents(
        root=model.frames[1].name,
        mass=mass_of(model),
        joints=tuple(_joint(model, data, index) for index in range(1, model.njoints)),
        ends=tuple(ends),
    )


def _joint(model: Any, data: Any, index: int) -> Joint:
    joint, name = model.joints[index], model.names[index]
    slopes = pin.getJointJacobian(model, data, index, pin.LOCAL_WORLD_ALIGNED)
    frame = model.getFrameId(name, pin.FrameType.JOINT)
    # A joint without limits is a point on a circle: two numbers for one angle.
    low, high = (
        float(limit[joint.idx_q]) for limit in (model.lowerPositionLimit, model.upperPositionLimit)
    )
    return Joint(
        name=name,
        link=next(f.name for f in model.frames if f.parentFrame == frame),
        axis=slopes[_THREE:, joint.idx_v].copy(),
        place=data.oMi[index].translation.copy(),
        limits=(low, high) if joint.nq == 1 and low < high else None,
        torque_max=float(model.effortLimit[joint.idx_v]),
        speed_max=float(model.velocityLimit[joint.idx_v]),
    )


def _faults(urdf: Path) -> str:
    """Returns what keeps the file from being read, by link or joint; '' where nothing is found.

    The reader itself tells it on the terminal alone; the physics engine's takes such files.
    """
    try:
        root = ElementTree.parse(urdf).getroot()
    except (OSError, ElementTree.ParseError) as error:
        return f'no XML: {error}'
    found = [
        f'{part.tag} {part.get("name")}: {attribute}="{element.get(attribute)}" of its '
        f'{element.tag} must be three numbers'
        for part in root
        for element in part.iter()
        for attribute in _VECTORS.get(element.tag, ())
        if not _is_vector(element.get(attribute, '0 0 0'))
    ]
    more = f'; and {len(found) - _NAMED} more' if len(found) > _NAMED else ''
    mend = '; mend a copy of it beside the robot file' if found else ''
    return '; '.join(found[:_NAMED]) + more + mend


def _is_vector(text: str) -> bool:
    try:
        return [is_number(float(word)) for word in text.split()] == [True] * _THREE
    except ValueError:
        return False
