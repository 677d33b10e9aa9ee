"""Where the feet are and how they move, seen from the body, given the motors' angles.

The body frame is the frame of the root link (x forward, y left, z up). The URDF's tree is read by
pinocchio with the root link held still. Joints that have no motor, such as the knees of a
five-bar leg, follow from the loop closures: c(motor, passive) = point_a - point_b = 0 is solved
for the passive angles by Newton's method from the last solution (at first from the angles in the
robot file's `passive`), and the implicit function theorem gives their speed:

    d passive / d motor = - (dc / d passive)^+  (dc / d motor)

A foot is a point of its link, `feet.offset` off the link's origin, or, where that link takes part
in a loop closure, the closure's point on it: there the two halves of a five-bar leg meet and touch
the ground.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pinocchio as pin
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.robot import urdf
from quad_learner.robot.entries import is_number
from quad_learner.robot.foot_motion import foot_motion
from quad_learner.robot.model import RobotModel
from quad_learner.robot.rotations import skew

Array = NDArray[np.float64]

_NEWTON_STEPS = 12
"""Newton doubles the correct digits each step: from a warm start 2 or 3 do, from cold about 8."""
_SETTLED = 1e-7
"""[rad] a Newton step shorter than this ends the search: far below an encoder's resolution."""
_CLOSED = 1e-3
"""[m] gap at which a loop counts as closed: URDFs with rounded angles leave some micrometres."""
_LARGEST_STEP = 0.3
"""[rad] longest Newton step of a joint: keeps the solution on the branch it started on."""
_DAMPING = 1e-9
"""[m²] added to the normal equations: closures in a plane leave one direction undetermined."""
_AXES = pin.ReferenceFrame.LOCAL_WORLD_ALIGNED
"""Jacobians about the foot's own point, in the axes of the body."""


@dataclass(frozen=True)
class LegState:
    """The feet in the body frame at one instant."""

    position: Array
    """of each foot [m], (feet, 3)"""
    velocity: Array
    """of each foot relative to the body [m/s], (feet, 3)"""
    angular_velocity: Array
    """of each foot's link relative to the body [rad/s], (feet, 3)"""
    jacobian: Array
    """d position / d motor angle [m/rad], (feet, 3, joints)"""
    solved: bool
    """False: a loop could not be closed or an input was not finite; the rest is the last guess"""


@dataclass(frozen=True)
class _Point:
    """A point fixed to a link: its frame in pinocchio, and the offset in that frame [m]."""

    frame: int
    offset: Array
    offset_is_zero: bool
    place: Array
    """of the frame's origin [m], (3,): pinocchio's own memory, always of the last angles"""
    turn: Array
    """body_from_link, (3, 3): likewise"""

    def lever(self) -> Array:
        """Returns `offset` in the axes of the body [m], (3,)."""
        lever: Array = self.turn @ self.offset
        return lever


class LegKinematics:
    """Forward kinematics of the feet for the measured motor joints, at sensor rate."""

    def __init__(self, robot: RobotModel) -> None:
        """Reads the robot's URDF.

        Raises:
            ConfigurationError: the URDF lacks a joint or link that the robot file names, or
                `base_link` is not its root.
        """
        self._robot = robot
        self._model = _tree(robot)
        self._data = self._model.createData()
        self._neutral = pin.neutral(self._model)
        self._simple = self._model.nq == self._model.nv
        self._check_root()
        self._motors = np.array([self._velocity_index(name) for name in robot.joints])
        closures = robot.loop_closures
        ends = [self._point(c.link_a, c.point_a) for c in closures]
        other_ends = [self._point(c.link_b, c.point_b) for c in closures]
        self._loops = list(zip(ends, other_ends, strict=True))
        contact = {c.link_a: c.point_a for c in closures} | {c.link_b: c.point_b for c in closures}
        x, y, z = robot.foot_offset.tolist()
        self._feet = [self._point(link, contact.get(link, (x, y, z))) for link in robot.feet]
        self._passive = self._passive_indices()
        self._open = np.zeros((self._passive.size, self._motors.size))
        self._moves = np.array([self._movers(point) for point in self._feet])
        self._start = np.zeros(self._model.nv)
        for name, angle in _passive_angles(robot).items():
            self._start[self._velocity_index(name)] = angle
        self._angles = self._start.copy()
        self._rates = np.zeros(self._model.nv)

    @property
    def mass(self) -> float:
        """Of the whole robot [kg], as the URDF has it."""
        return urdf.mass_of(self._model)

    def solve(self, joint_position: Array, joint_velocity: Array) -> LegState:
        """Returns the feet for the measured joints. Never raises.

        Args:
            joint_position: motor angles [rad], (joints,), order `RobotModel.joints`.
            joint_velocity: motor speeds [rad/s], (joints,).
        """
        size = joint_position.dot(joint_position) + joint_velocity.dot(joint_velocity)
        finite = math.isfinite(size)
        rates = self._rates
        if finite:
            self._angles[self._motors] = joint_position
            rates[self._motors] = joint_velocity
        else:
            rates[:] = 0.0
        closed, response = self._close_loops() if self._loops else self._forward()
        if response is not None:
            rates[self._passive] = response @ rates[self._motors]
        return self._legs(response, finite and closed)

    def reset(self) -> None:
        """Forgets the last solution of the passive joints; the next starts from the stance."""
        self._angles[:] = self._start

    def _forward(self) -> tuple[bool, Array | None]:
        model, data = self._model, self._data
        q = self._angles if self._simple else pin.integrate(model, self._neutral, self._angles)
        pin.computeJointJacobians(model, data, q)
        pin.updateFramePlacements(model, data)
        return True, None

    def _legs(self, response: Array | None, solved: bool) -> LegState:
        shape = (len(self._feet), 3)
        position, velocity, spin = np.empty(shape), np.empty(shape), np.empty(shape)
        for row, point in zip(position, self._feet, strict=True):
            row[:] = point.place if point.offset_is_zero else point.place + point.lever()
        jacobian = np.empty((*shape, self._motors.size))
        foot_motion(
            self._data.J,
            position,
            self._moves,
            self._motors,
            self._passive,
            self._open if response is None else response,
            self._rates,
            velocity,
            spin,
            jacobian,
        )
        return LegState(position, velocity, spin, jacobian, solved)

    def _place(self, point: _Point) -> tuple[Array, Array]:
        """Returns where `point` is [m], and its Jacobian: 3 linear rows, 3 angular rows."""
        jacobian: Array = pin.getFrameJacobian(self._model, self._data, point.frame, _AXES)
        if point.offset_is_zero:
            return point.place, jacobian
        lever = point.lever()
        jacobian[:3] -= skew(lever) @ jacobian[3:]
        return point.place + lever, jacobian

    def _close_loops(self) -> tuple[bool, Array | None]:
        """Returns whether the loops are closed, and d passive / d motor, (passive, joints)."""
        passive = self._passive
        for _ in range(_NEWTON_STEPS):
            self._forward()
            gap, slope = self._gap()
            sides = np.column_stack((gap, slope[:, self._motors]))
            solution = _solve(slope[:, passive], sides)
            step = np.clip(solution[:, 0], -_LARGEST_STEP, _LARGEST_STEP)
            self._angles[passive] -= step
            if np.abs(step).max() < _SETTLED:
                return bool(np.abs(gap).max() < _CLOSED), -solution[:, 1:]
        # Lost: the next call starts from the stance again, not from wherever this one ended.
        self._angles[passive] = self._start[passive]
        return False, -solution[:, 1:]

    def _gap(self) -> tuple[Array, Array]:
        """Returns how far the loops are open [m], (3 loops,), and its slope, (3 loops, nv)."""
        gaps, slopes = [], []
        for a, b in self._loops:
            (place_a, slope_a), (place_b, slope_b) = self._place(a), self._place(b)
            gaps.append(place_a - place_b)
            slopes.append(slope_a[:3] - slope_b[:3])
        return np.concatenate(gaps), np.concatenate(slopes)

    def _check_root(self) -> None:
        name = self._robot.base_link
        frame = self._model.frames[self._frame(name)]
        if frame.parentJoint != 0 or not frame.placement.isIdentity():
            root = self._model.frames[1].name
            raise ConfigurationError(
                f'robot {self._robot.name}: base_link = {name!r} must be the root link of '
                f'{self._robot.urdf}, which is {root!r}; correct it in the robot file'
            )

    def _velocity_index(self, joint: str) -> int:
        if not self._model.existJointName(joint):
            known = ', '.join(list(self._model.names)[1:])
            raise ConfigurationError(
                f'robot {self._robot.name}: joint {joint!r} is not a moving joint of '
                f'{self._robot.urdf}; it has {known}'
            )
        return int(self._model.joints[self._model.getJointId(joint)].idx_v)

    def _frame(self, link: str) -> int:
        if not self._model.existFrame(link, pin.FrameType.BODY):
            frames = self._model.frames
            known = ', '.join(f.name for f in frames if f.type == pin.FrameType.BODY)
            raise ConfigurationError(
                f'robot {self._robot.name}: link {link!r} is not in {self._robot.urdf}, which has '
                f'{known}; correct it in the robot file'
            )
        return int(self._model.getFrameId(link, pin.FrameType.BODY))

    def _point(self, link: str, offset: tuple[float, float, float]) -> _Point:
        frame = self._frame(link)
        placement = self._data.oMf[frame]
        return _Point(
            frame, np.array(offset), not any(offset), placement.translation, placement.rotation
        )

    def _movers(self, point: _Point) -> NDArray[np.bool_]:
        """Returns which of the model's joints move `point`, (nv,)."""
        moved = np.zeros(self._model.nv, dtype=np.bool_)
        for joint in self._model.supports[self._model.frames[point.frame].parentJoint]:
            if joint > 0:
                moved[self._model.joints[joint].idx_v] = True
        return moved

    def _passive_indices(self) -> NDArray[np.int64]:
        """Returns the motorless joints that some loop can move."""
        if not self._loops:
            return np.empty(0, dtype=np.int64)
        moved: Any = np.zeros(self._model.nv, dtype=bool)
        for pair in self._loops:
            for point in pair:
                moved |= self._movers(point)
        moved[self._motors] = False
        indices: NDArray[np.int64] = np.flatnonzero(moved)
        return indices


def _tree(robot: RobotModel) -> Any:
    try:
        return urdf.tree(robot.urdf)
    except ConfigurationError as error:
        raise ConfigurationError(f'robot {robot.name}: urdf = {error}') from error


def _passive_angles(robot: RobotModel) -> dict[str, float]:
    """Returns the angle [rad] of each motorless joint in the stance, by name."""
    section = robot.sections.get('passive', {})
    if not isinstance(section, Mapping) or not all(map(is_number, section.values())):
        raise ConfigurationError(
            f'robot {robot.name}: passive = {section!r} must give each joint without motor its '
            'angle in the stance [rad]'
        )
    return {str(name): float(angle) for name, angle in section.items()}


def _solve(slope: Array, target: Array) -> Array:
    """Returns the least-squares solution of slope x = target, damped so that it always exists."""
    normal = slope.T @ slope
    normal[np.diag_indices_from(normal)] += _DAMPING
    return np.asarray(np.linalg.solve(normal, slope.T @ target), dtype=np.float64)
