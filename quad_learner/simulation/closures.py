"""Closed leg loops: joints without a motor, and links held together at a point.

The engine's bodies are trees. Each loop is closed by a point-to-point constraint; before that, and
after every placement, the motorless joints are turned until the two points meet.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pybullet
from numpy.typing import NDArray

from quad_learner.robot import rotations
from quad_learner.robot.model import LoopClosure, RobotModel
from quad_learner.simulation.body import Body, find

Array = NDArray[np.float64]

_ITERATIONS = 40
_CLOSED = 1e-5
"""[m] gap at which a loop counts as closed: a hundredth of what contacts give way"""
_FORGIVEN = 1e-4
"""[m] gap that counts as closed where no turn makes it smaller: links that are drawn a hair out of
one plane, for URDFs round a right angle to 1.5708 or even 1.57075"""
_NUDGE = 1e-4
"""[rad] turn by which slopes are measured: curvature errs by 1e-5 of the slope"""
_LARGEST_STEP = 0.3
"""[rad] of a joint in one iteration: keeps the knee on the side where it started"""
_CENTRE_OFFSET, _CENTRE_TURN = 3, 4
"""Fields of the engine's dynamics info: the centre of mass in the link's frame."""
_LINK_POSITION, _LINK_TURN = 4, 5
"""Fields of the engine's link state: the link's frame in the world."""


@dataclass(frozen=True)
class _Loop:
    """One closure by the engine's numbers, and the motorless joints that move its points."""

    names: str
    link_a: int
    point_a: Array
    link_b: int
    point_b: Array
    passive: tuple[int, ...]


class Closures:
    """All closed loops of one robot in one world."""

    def __init__(self, robot: RobotModel, body: Body) -> None:
        """Finds the links and the motorless joints.

        Raises:
            ConfigurationError: a closure or a motorless joint names something the URDF lacks.
        """
        self._client = body.client
        self._body = body.number
        self._parents = body.parents
        start = robot.sections.get('passive', {}).items()
        self._start = {find(body.all_joints, str(joint), robot): float(a) for joint, a in start}
        self._loops = [self._loop(closure, robot, body) for closure in robot.loop_closures]
        self._foot_offset = robot.foot_offset

    @property
    def neighbours(self) -> list[tuple[int, int]]:
        """Links that a closure holds together."""
        return [(loop.link_a, loop.link_b) for loop in self._loops]

    def meeting_point(self, link: int) -> Array:
        """Returns where a loop closes on the foot `link`, in its frame [m]; its middle if none."""
        for loop in self._loops:
            for end, point in ((loop.link_a, loop.point_a), (loop.link_b, loop.point_b)):
                if end == link:
                    return point
        return self._foot_offset

    def assemble(self) -> bool:
        """Turns the motorless joints until the loops close, from their angles in the stance.

        Returns:
            whether every loop is closed.
        """
        for joint, angle in self._start.items():
            self._turn(joint, angle)
        return all([self._close(loop) for loop in self._loops])

    def open(self) -> str:
        """Returns which loops are open and by how much, along the world's axes."""
        gaps = ((loop.names, self._gap(loop)) for loop in self._loops)
        return '; '.join(
            f'{names} miss each other by x {gap[0]:+.4f}, y {gap[1]:+.4f}, z {gap[2]:+.4f} m'
            for names, gap in gaps
            if np.abs(gap).max() >= _FORGIVEN
        )

    def hold(self) -> None:
        """Makes the engine keep the loops closed from now on."""
        for loop in self._loops:
            pybullet.createConstraint(
                self._body,
                loop.link_a,
                self._body,
                loop.link_b,
                pybullet.JOINT_POINT2POINT,
                (0.0, 0.0, 0.0),
                self._from_centre(loop.link_a, loop.point_a),
                self._from_centre(loop.link_b, loop.point_b),
                physicsClientId=self._client,
            )

    def _loop(self, closure: LoopClosure, robot: RobotModel, body: Body) -> _Loop:
        a, b = find(body.links, closure.link_a, robot), find(body.links, closure.link_b, robot)
        chain = self._chain(a) ^ self._chain(b)
        passive = tuple(joint for joint in self._start if joint in chain)
        names = f'{closure.link_a} and {closure.link_b}'
        return _Loop(names, a, np.array(closure.point_a), b, np.array(closure.point_b), passive)

    def _chain(self, link: int) -> set[int]:
        chain = set()
        while link >= 0:
            chain.add(link)
            link = self._parents[link]
        return chain

    def _close(self, loop: _Loop) -> bool:
        for _ in range(_ITERATIONS):
            gap = self._gap(loop)
            if np.abs(gap).max() < _CLOSED:
                return True
            if not loop.passive:
                return False
            slopes = np.array([self._slope(loop, joint, gap) for joint in loop.passive]).T
            step = np.linalg.lstsq(slopes, -gap, rcond=None)[0]
            bounded = np.clip(step, -_LARGEST_STEP, _LARGEST_STEP)
            for joint, turn in zip(loop.passive, bounded.tolist(), strict=True):
                self._turn(joint, self._angle(joint) + turn)
        return bool(np.abs(self._gap(loop)).max() < _FORGIVEN)

    def _slope(self, loop: _Loop, joint: int, gap: Array) -> Array:
        angle = self._angle(joint)
        self._turn(joint, angle + _NUDGE)
        slope = (self._gap(loop) - gap) / _NUDGE
        self._turn(joint, angle)
        return slope

    def _gap(self, loop: _Loop) -> Array:
        return self._place(loop.link_a, loop.point_a) - self._place(loop.link_b, loop.point_b)

    def _place(self, link: int, point: Array) -> Array:
        state = pybullet.getLinkState(
            self._body, link, computeForwardKinematics=1, physicsClientId=self._client
        )
        return np.array(state[_LINK_POSITION]) + rotations.rotate(state[_LINK_TURN], point)

    def _angle(self, joint: int) -> float:
        return float(pybullet.getJointState(self._body, joint, physicsClientId=self._client)[0])

    def _turn(self, joint: int, angle: float) -> None:
        pybullet.resetJointState(self._body, joint, angle, 0.0, physicsClientId=self._client)

    def _from_centre(self, link: int, point: Array) -> list[float]:
        """Returns `point` in the frame of the link's centre of mass, as constraints are given."""
        info = pybullet.getDynamicsInfo(self._body, link, physicsClientId=self._client)
        offset = point - np.array(info[_CENTRE_OFFSET])
        turned: list[float] = rotations.rotate_back(info[_CENTRE_TURN], offset).tolist()
        return turned
