"""The robot's body in the physics engine: its URDF loaded, its joints and links found by name.

The engine numbers links; a joint has the number of its child link and the root link has −1.
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pybullet

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.facts import facts_of

BASE = -1
"""The engine's number of the root link."""
_NAME, _TYPE, _LOWER, _UPPER, _LINK_NAME, _PARENT = 1, 2, 8, 9, 12, 16
"""Fields of the engine's joint info; a joint without limits has the lower above the upper."""


@dataclass(frozen=True)
class Body:
    """A robot loaded into one world."""

    client: int
    """the engine's number of the world"""
    number: int
    """the engine's number of the body"""
    links: Mapping[str, int]
    """every link by name, the root link first"""
    all_joints: Mapping[str, int]
    """every joint by name, with motor or without"""
    parents: Mapping[int, int]
    """of each link but the root"""
    pieces: Mapping[int, int]
    """the rigid piece that each link belongs to, by the number of the piece's first link"""
    joints: tuple[int, ...]
    """in the order of `RobotModel.joints`"""
    feet: tuple[int, ...]
    """in the order of `RobotModel.feet`"""
    pass_through: frozenset[int]
    """links that may overlap with any other"""


def load(robot: RobotModel, client: int, self_collision: bool) -> Body:
    """Loads the robot's URDF, all joints free.

    Args:
        robot: which robot.
        client: the engine's number of the world to load it into.
        self_collision: whether its parts collide with each other.

    Raises:
        ConfigurationError: the URDF does not load, lacks a joint or link that the robot file
            names, has another root link, or the robot file's section `simulation` is wrong.
    """
    facts = facts_of(robot)
    number = _load_urdf(robot, client, facts.inertia_from_urdf, self_collision)
    count = pybullet.getNumJoints(number, physicsClientId=client)
    infos = [pybullet.getJointInfo(number, i, physicsClientId=client) for i in range(count)]
    root = pybullet.getBodyInfo(number, physicsClientId=client)[0].decode()
    if root != robot.base_link:
        raise ConfigurationError(
            f'base_link = {robot.base_link!r} must be the root link of {robot.urdf}, '
            f'which is {root!r}; correct the robot file'
        )
    joints = {info[_NAME].decode(): joint for joint, info in enumerate(infos)}
    links = {root: BASE} | {info[_LINK_NAME].decode(): joint for joint, info in enumerate(infos)}
    pieces = {BASE: BASE}
    for joint, info in enumerate(infos):
        fixed = info[_TYPE] == pybullet.JOINT_FIXED
        pieces[joint] = pieces[info[_PARENT]] if fixed else joint
    _free(
        client, number, [j for j, info in enumerate(infos) if info[_TYPE] != pybullet.JOINT_FIXED]
    )
    motors = tuple(find(joints, name, robot) for name in robot.joints)
    if facts.joint_stops:
        _stop(robot, client, number, [(motor, infos[motor]) for motor in motors])
    return Body(
        client=client,
        number=number,
        links=links,
        all_joints=joints,
        parents={joint: info[_PARENT] for joint, info in enumerate(infos)},
        pieces=pieces,
        joints=motors,
        feet=tuple(find(links, name, robot) for name in robot.feet),
        pass_through=frozenset(find(links, name, robot) for name in facts.pass_through),
    )


def find(known: Mapping[str, int], name: str, robot: RobotModel) -> int:
    """Returns the number of the joint or link called `name`.

    Raises:
        ConfigurationError: it is not among the `known` ones of the robot's URDF.
    """
    if name not in known:
        raise ConfigurationError(
            f'robot {robot.name!r}: {name!r} is not in {robot.urdf}; it has '
            f'{", ".join(sorted(known))}'
        )
    return known[name]


def ignore_neighbours(body: Body, held_together: Sequence[tuple[int, int]]) -> None:
    """Lets pieces overlap where a joint or a loop holds them together, as most URDFs draw them.

    Links of `body.pass_through` may overlap with all.

    Args:
        body: the robot.
        held_together: links that a loop closure joins.
    """
    pieces = body.pieces
    joined = {(pieces[joint], pieces[parent]) for joint, parent in body.parents.items()}
    joined |= {(pieces[one], pieces[other]) for one, other in held_together}
    for one, other in itertools.combinations(body.links.values(), 2):
        pair = (pieces[one], pieces[other])
        joint = pair[0] == pair[1] or pair in joined or pair[::-1] in joined
        if joint or {one, other} & body.pass_through:
            pybullet.setCollisionFilterPair(
                body.number, body.number, one, other, 0, physicsClientId=body.client
            )


def _load_urdf(robot: RobotModel, client: int, believed: bool, self_collision: bool) -> int:
    flags = 0
    if believed:
        flags |= pybullet.URDF_USE_INERTIA_FROM_FILE
    if self_collision:
        flags |= pybullet.URDF_USE_SELF_COLLISION
    try:
        return int(pybullet.loadURDF(str(robot.urdf), flags=flags, physicsClientId=client))
    except pybullet.error as error:
        raise ConfigurationError(f'{robot.urdf} cannot be loaded: {error}') from error


def _stop(
    robot: RobotModel, client: int, number: int, motors: Sequence[tuple[int, Sequence[Any]]]
) -> None:
    """Gives joints the stops of the robot file where the URDF gives them none."""
    bounds = zip(motors, robot.position_min, robot.position_max, strict=True)
    for (motor, info), low, high in bounds:
        if info[_LOWER] > info[_UPPER]:
            pybullet.changeDynamics(
                number,
                motor,
                jointLowerLimit=float(low),
                jointUpperLimit=float(high),
                physicsClientId=client,
            )


def _free(client: int, number: int, joints: list[int]) -> None:
    """Switches off the motor by which the engine brakes every joint until told otherwise."""
    pybullet.setJointMotorControlArray(
        number,
        joints,
        pybullet.VELOCITY_CONTROL,
        forces=[0.0] * len(joints),
        physicsClientId=client,
    )
