"""The world: one physics client with gravity, ground and the robot's body in it.

Nothing here knows of commands, noise or time stamps. The engine reports a body at its centre of
mass and in its principal axes; this file turns that into the root link's frame.
"""

from __future__ import annotations

import numpy as np
import pybullet
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel
from quad_learner.simulation.body import BASE, ignore_neighbours, load
from quad_learner.simulation.closures import Closures
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.motion import GRAVITY, BaseState, cross
from quad_learner.simulation.terrain import TERRAINS, Terrain
from quad_learner.simulation.truth import FeetTruth

Array = NDArray[np.float64]

_MASS, _CENTRE_OFFSET, _CENTRE_TURN = 0, 3, 4
"""Fields of the engine's dynamics info: mass; its centre and main axes in the link's frame."""
_LINK_CENTRE, _LINK_POSITION, _LINK_TURN = 0, 4, 5
"""Fields of the engine's link state: the link's frame in the world."""
_OTHER_BODY, _OWN_LINK, _NORMAL_FORCE = 2, 3, 9
"""Fields of a contact point as the engine reports it."""

_OUT_OF_THE_WAY = np.array((0.0, 0.0, 1.0))
"""[m] where the robot is put together, clear of the ground"""


class World:
    """One physics client and the robot in it."""

    ground_friction: float
    """coefficient of the ground, without unit"""

    def __init__(
        self, robot: RobotModel, config: SimulationConfig, generator: np.random.Generator
    ) -> None:
        self._robot = robot
        self._config = config
        self._generator = generator
        self._client = -1

    @property
    def client(self) -> int:
        """The engine's number of this world."""
        return self._client

    @property
    def body(self) -> int:
        """The engine's number of the robot."""
        return self._number

    @property
    def link_names(self) -> dict[int, str]:
        """The name of each of the robot's links by the engine's number."""
        return {number: name for name, number in self._body.links.items()}

    def connect(self) -> None:
        """Builds the world.

        Raises:
            ConfigurationError: the URDF does not load, lacks a link or joint of the robot file, or
                its loops do not close.
        """
        client = self._client = pybullet.connect(pybullet.DIRECT)
        pybullet.setGravity(0.0, 0.0, -GRAVITY, physicsClientId=client)
        pybullet.setPhysicsEngineParameter(
            fixedTimeStep=1.0 / self._robot.physics_hz,
            deterministicOverlappingPairs=1,
            physicsClientId=client,
        )
        build = TERRAINS[self._config.terrain]
        self._terrain: Terrain = build(client, self._config, self._generator)
        self._body = load(self._robot, client, self._config.self_collision)
        self._number = self._body.number
        centre = pybullet.getDynamicsInfo(self._number, BASE, physicsClientId=client)
        self._centre: tuple[float, float, float] = centre[_CENTRE_OFFSET]
        turn = rotations.normalised(centre[_CENTRE_TURN])
        self._body_from_principal = rotations.conjugate(turn)
        self._foot_of = {link: foot for foot, link in enumerate(self._body.feet)}
        self._closures = Closures(self._robot, self._body)
        ignore_neighbours(self._body, self._closures.neighbours)
        self._spare_partners()
        self._set_materials()
        self._add_payload()
        if not self.place(_OUT_OF_THE_WAY, np.array(rotations.IDENTITY), self._robot.stance):
            raise ConfigurationError(
                f'robot {self._robot.name!r}: the loops do not close in the stance: '
                f'{self._closures.open()} (body frame); correct loop_closures, or the angles '
                'under passive, in the robot file'
            )
        self._closures.hold()

    def close(self) -> None:
        """Takes the world down; harmless when there is none."""
        if self._client >= 0:
            pybullet.disconnect(physicsClientId=self._client)
        self._client = -1

    def mass(self) -> float:
        """Returns the mass of the robot with its payload [kg]."""
        body, client = self._number, self._client
        links = self._body.links.values()
        infos = (pybullet.getDynamicsInfo(body, link, physicsClientId=client) for link in links)
        return float(sum(info[_MASS] for info in infos))

    def centre_of_mass(self) -> Array:
        """Returns where the centre of mass of the robot with its payload is, world frame [m]."""
        body, client = self._number, self._client
        links = [link for link in self._body.links.values() if link != BASE]
        states = pybullet.getLinkStates(
            body, links, computeForwardKinematics=1, physicsClientId=client
        )
        root, _ = pybullet.getBasePositionAndOrientation(body, physicsClientId=client)
        infos = [
            pybullet.getDynamicsInfo(body, link, physicsClientId=client) for link in (BASE, *links)
        ]
        centres = [root, *(state[_LINK_CENTRE] for state in states)]
        return np.average(centres, axis=0, weights=[info[_MASS] for info in infos])

    def ground_height(self, x: float, y: float) -> float:
        """Returns the height of the ground at world x, y [m]."""
        return self._terrain.height(x, y)

    def advance(self, torque: list[float]) -> None:
        """Takes one physics step under `torque` at each joint [N·m]."""
        pybullet.setJointMotorControlArray(
            self._number,
            self._body.joints,
            pybullet.TORQUE_CONTROL,
            forces=torque,
            physicsClientId=self._client,
        )
        pybullet.stepSimulation(physicsClientId=self._client)

    def push(self, force: Array) -> None:
        """Applies `force` [N], world frame, at the centre of the root link for the next step."""
        centre, _ = pybullet.getBasePositionAndOrientation(
            self._number, physicsClientId=self._client
        )
        pybullet.applyExternalForce(
            self._number,
            BASE,
            force.tolist(),
            centre,
            pybullet.WORLD_FRAME,
            physicsClientId=self._client,
        )

    def joints(self) -> tuple[tuple[float, ...], tuple[float, ...]]:
        """Returns the angle [rad] and the velocity [rad/s] of each joint."""
        states = pybullet.getJointStates(
            self._number, self._body.joints, physicsClientId=self._client
        )
        position, velocity, _, _ = zip(*states, strict=True)
        return position, velocity

    def base(self) -> BaseState:
        """Returns the motion of the root link's frame."""
        centre, principal = pybullet.getBasePositionAndOrientation(
            self._number, physicsClientId=self._client
        )
        velocity, rate = pybullet.getBaseVelocity(self._number, physicsClientId=self._client)
        orientation = rotations.multiply(principal, self._body_from_principal)
        arm = rotations.rotated(orientation, self._centre)
        (x, y, z), (a, b, c), (u, v, w) = centre, arm, velocity
        p, q, r = cross(rate, arm)
        return BaseState(
            position=np.array((x - a, y - b, z - c)),
            orientation=orientation,
            velocity=np.array((u - p, v - q, w - r)),
            angular_velocity=np.array(rate),
        )

    def foot_forces(self) -> list[float]:
        """Returns the normal force at each foot in the last physics step [N]."""
        number, foot_of = self._number, self._foot_of
        forces = [0.0] * len(foot_of)
        for point in pybullet.getContactPoints(bodyA=number, physicsClientId=self._client):
            if point[_OTHER_BODY] != number and point[_OWN_LINK] in foot_of:
                forces[foot_of[point[_OWN_LINK]]] += point[_NORMAL_FORCE]
        return forces

    def set_ground_friction(self, friction: float) -> None:
        """Makes the ground's coefficient `friction`, times what the terrain makes of it."""
        self.ground_friction = friction
        for body in self._terrain.bodies:
            pybullet.changeDynamics(
                body,
                BASE,
                lateralFriction=friction * self._terrain.grip,
                physicsClientId=self._client,
            )

    def touching(self) -> frozenset[int]:
        """Returns the numbers of the links pressed on something that is not the robot."""
        points = pybullet.getContactPoints(bodyA=self._number, physicsClientId=self._client)
        return frozenset(
            point[_OWN_LINK]
            for point in points
            if point[_OTHER_BODY] != self._number and point[_NORMAL_FORCE] > 0.0
        )

    def feet_truth(self) -> FeetTruth:
        """Returns where the feet are and what touches the world."""
        body, touching = self._body, self.touching()
        states = pybullet.getLinkStates(
            self._number, body.feet, computeForwardKinematics=1, physicsClientId=self._client
        )
        points = [self._closures.meeting_point(foot) for foot in body.feet]
        others = [n for n, i in body.links.items() if i in touching and i not in body.feet]
        return FeetTruth(
            position=np.array(
                [
                    np.array(state[_LINK_POSITION]) + rotations.rotate(state[_LINK_TURN], point)
                    for state, point in zip(states, points, strict=True)
                ]
            ),
            contact=np.array([foot in touching for foot in body.feet]),
            other_contacts=tuple(sorted(others)),
        )

    def place(self, position: Array, orientation: Array, joint_position: Array) -> bool:
        """Puts the root link's frame and the joints somewhere, at rest.

        Args:
            position: world frame [m], (3,).
            orientation: world_from_body quaternion x, y, z, w, (4,).
            joint_position: [rad], (joints,).

        Returns:
            whether every leg loop could be closed there.
        """
        unit = rotations.normalised(orientation)
        principal = rotations.multiply(unit, rotations.conjugate(self._body_from_principal))
        centre = np.asarray(position) + rotations.rotate(unit, self._centre)
        pybullet.resetBasePositionAndOrientation(
            self._number, centre.tolist(), principal, physicsClientId=self._client
        )
        pybullet.resetBaseVelocity(
            self._number, (0.0, 0.0, 0.0), (0.0, 0.0, 0.0), physicsClientId=self._client
        )
        for joint, angle in zip(self._body.joints, joint_position.tolist(), strict=True):
            pybullet.resetJointState(self._number, joint, angle, 0.0, physicsClientId=self._client)
        return self._closures.assemble()

    def _spare_partners(self) -> None:
        """Lets only one of the two links that meet at a foot touch the ground: the foot's own."""
        for one, other in self._closures.neighbours:
            for link, partner in ((one, other), (other, one)):
                if partner in self._foot_of and link not in self._foot_of:
                    self._pass_through_ground(link)

    def _pass_through_ground(self, link: int) -> None:
        for ground in self._terrain.bodies:
            pybullet.setCollisionFilterPair(
                ground, self._number, BASE, link, 0, physicsClientId=self._client
            )

    def _set_materials(self) -> None:
        config, client = self._config, self._client
        self.set_ground_friction(
            self._generator.uniform(config.ground_friction_min, config.ground_friction_max)
        )
        for link in self._body.links.values():
            pybullet.changeDynamics(
                self._number,
                link,
                lateralFriction=(
                    config.foot_friction if link in self._foot_of else config.body_friction
                ),
                linearDamping=0.0,
                angularDamping=0.0,
                physicsClientId=client,
            )

    def _add_payload(self) -> None:
        if self._config.payload_mass_kg <= 0.0:
            return
        info = pybullet.getDynamicsInfo(self._number, BASE, physicsClientId=self._client)
        # Without the inertia given anew the engine would replace it by that of the collision box.
        pybullet.changeDynamics(
            self._number,
            BASE,
            mass=info[_MASS] + self._config.payload_mass_kg,
            localInertiaDiagonal=info[2],
            physicsClientId=self._client,
        )
