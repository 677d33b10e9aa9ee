"""Random falls of the simulated robot, and what its get-up makes of them, safety in between.

A fall is the robot as it lies limp after one: dropped on its back or on a side from as high as its
legs reach, turned a little at random, its joints anywhere, its place and the ground's friction
drawn. A robot that is hardly ever to be found so on a side is laid on it: let go just above the
ground.
Every attempt starts a world of its own from there, so that the same motion and the same fall end
in the same way whatever was tried before, and in whichever process.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from quad_learner.get_up_search.score import Outcome
from quad_learner.graph import GraphConfig
from quad_learner.reset.motion import Keyframe, motion
from quad_learner.reset.posture import posture
from quad_learner.reset.state import State
from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel
from quad_learner.safety.modes import Reason
from quad_learner.simulation import drops
from quad_learner.simulation.in_process import InProcessConfigs, InProcessGraph
from quad_learner.simulation.poses import is_sunk, lowest, overlaps
from quad_learner.simulation.tryout import HIGH

Array = NDArray[np.float64]

KINDS = ('back', 'right', 'left')
"""of `drops.ROLLS`, those after which there is something to roll off"""
TUCK_S = 4.0
"""[s] that waiting for rest and folding the legs may take before the first roll-over"""
LAID_SPREAD = 0.1
"""[rad] standard deviation of roll and pitch of a robot that is laid down"""
LOOKED_AT = 9
"""places along each side of the ground under who is laid down: 10 cm apart, as a stone is wide"""
SETTLE_S = 4.0
"""[s] that an attempt is looked at beyond its poses: a second roll-over, folding, rest"""


@dataclass(frozen=True)
class World:
    """What every fall of a search has in common."""

    parts: InProcessConfigs
    run: GraphConfig


@dataclass(frozen=True)
class Fall:
    """A robot that lies at rest."""

    position: Array
    """of the root link, world frame [m], (3,)"""
    orientation: Array
    """world_from_body quaternion x, y, z, w, (4,)"""
    joints: Array
    """[rad], (joints,)"""
    friction: float
    """of the ground"""
    seed: int
    """of all that is random from here on"""


def drop(world: World, robot: RobotModel, kind: str, generator: np.random.Generator) -> Fall:
    """Returns a fall: one of `KINDS`, as the robot lies limp a second after it was let go.

    Where a foot is under the ground after each of `drops.DROPS_TRIED`, the last one is taken.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    for _ in range(drops.DROPS_TRIED):
        friction, seed = float(generator.uniform(*drops.FRICTION)), int(generator.integers(2**31))
        graph = _graph(world, robot, friction, seed)
        try:
            _throw(graph, kind, generator)
            fall = _as_it_lies(graph, friction, seed)
            if not is_sunk(graph.sim.world, robot.foot_radius):
                break
        finally:
            graph.close()
    return fall


def lay(world: World, robot: RobotModel, kind: str, generator: np.random.Generator) -> Fall:
    """Returns how the robot lies limp a second after it was laid down, its legs folded.

    Args:
        world: of all falls.
        robot: who is laid down.
        kind: of `KINDS`, on what it is laid.
        generator: draws how exactly.

    Raises:
        ConfigurationError: the robot file does not fit its URDF.
    """
    friction, seed = float(generator.uniform(*drops.FRICTION)), int(generator.integers(2**31))
    graph = _graph(world, robot, friction, seed)
    try:
        orientation, fold = _turned(kind, LAID_SPREAD, generator), motion(robot).fold
        clearance = drops.clearance(robot)
        x, y = _somewhere(generator)
        ground = _highest(graph, x, y, clearance)
        above = np.array((x, y, ground + clearance))
        graph.sim.place(above, orientation, fold)
        above[2] -= lowest(graph.sim.world) - ground
        graph.sim.place(above, orientation, fold)
        drops.lie_limp(graph.sim)
        return _as_it_lies(graph, friction, seed)
    finally:
        graph.close()


def tuck(world: World, robot: RobotModel, fall: Fall) -> tuple[Fall, float]:
    """Lets the robot tuck its legs, and returns the fall from there and the body's tilt [rad]."""
    graph = _graph(world, robot, fall.friction, fall.seed)
    try:
        _lay(graph, fall)
        folding = False
        for _ in range(round(TUCK_S * robot.command_hz)):
            graph.idle()
            if folding and graph.get_up.state is not State.FOLD:
                break
            folding = graph.get_up.state is State.FOLD
        lies = _as_it_lies(graph, fall.friction, fall.seed)
        return lies, posture(lies.orientation).tilt
    finally:
        graph.close()


def roll(world: World, robot: RobotModel, fall: Fall, frames: Sequence[Keyframe]) -> Outcome:
    """Lets the robot roll over once and returns what came of it: up is, its legs tucked, upright.

    Off a back that is on through a side, where the machine goes straight on. Off a side it is also
    on over the back, where the robot has a motion off that: whichever way is up is as good.

    Args:
        world: of all falls.
        robot: with the motion that is tried.
        fall: its legs tucked.
        frames: the poses of that motion.
    """
    back_tilt = world.parts.reset.back_tilt
    over_back = motion(robot).from_back if posture(fall.orientation).tilt <= back_tilt else ()
    rolled, last, may_go_on = False, State.WAIT, bool(over_back)

    def ended(graph: InProcessGraph) -> bool:
        """Whether it rises, safety has stopped it, or the roll-over is over and came to nothing.

        It did where the machine lets the robot go limp, or comes to another roll-over from
        elsewhere: from one to the next it goes on within the same state.
        """
        nonlocal rolled, last, may_go_on
        before, last = last, graph.get_up.state
        rolled = rolled or before is State.ROLL
        again = rolled and last in (State.ROLL, State.LIMP) and before is not last
        if again and may_go_on and last is State.ROLL:
            may_go_on = False
            again = posture(graph.sample.orientation).tilt <= back_tilt
        return again or last is State.STAND or bool(graph.trips)

    seconds = _longest(frames) + (_longest(over_back) if over_back else 0.0)
    poses = tuple(frame.position for frame in frames)
    return _play(world, robot, fall, _Aim(State.STAND, seconds, ended, poses))


def get_up(world: World, robot: RobotModel, fall: Fall) -> Outcome:
    """Lets the robot get up with all its attempts; up is that the true body then stands."""

    def ended(graph: InProcessGraph) -> bool:
        """Whether the machine is through, one way or the other."""
        return graph.get_up.state in (State.READY, State.GIVE_UP)

    return _play(world, robot, fall, _Aim(State.READY, drops.LONGEST_S, ended))


@dataclass(frozen=True)
class _Aim:
    """What an attempt is to come to."""

    state: State
    """of the machine; where that is ready, the true body must stand as well"""
    longest_s: float
    """[s] that it is looked at"""
    ended: Callable[[InProcessGraph], bool]
    """whether it is decided, asked after each tick"""
    poses: tuple[Array, ...] = ()
    """[rad] that are looked at for jams, (joints,) each"""


def _play(world: World, robot: RobotModel, fall: Fall, aim: _Aim) -> Outcome:
    graph = _graph(world, robot, fall.friction, fall.seed)
    fold = motion(robot).fold
    lowest, work, ticks = np.pi, 0.0, 0
    try:
        jams = sum(_is_jammed(graph, pose) for pose in aim.poses)
        _lay(graph, fall)
        for _ in range(round(aim.longest_s * robot.command_hz)):
            graph.idle()
            ticks += 1
            sample = graph.sample
            lowest = min(lowest, posture(sample.orientation).tilt)
            work += float(np.abs(sample.joint_effort * sample.joint_velocity).sum())
            if aim.ended(graph):
                break
        stands = aim.state is not State.READY or drops.stands(graph.sim)
        return Outcome(
            up=graph.get_up.state is aim.state and stands,
            seconds=ticks / robot.command_hz,
            lowest_tilt=lowest,
            last_tilt=posture(graph.sim.truth().orientation).tilt,
            work=work / robot.command_hz / float(robot.torque_max.sum()),
            stops=tuple(_names(reasons) for _, reasons in graph.trips),
            jams=jams,
            astray=float(np.abs(graph.sample.joint_position - fold).mean()),
        )
    finally:
        graph.close()


def _longest(frames: Sequence[Keyframe]) -> float:
    return sum(frame.seconds for frame in frames) + SETTLE_S


def _names(reasons: Reason) -> str:
    return '|'.join(str(reason.name) for reason in Reason if reason & reasons)


def _graph(world: World, robot: RobotModel, friction: float, seed: int) -> InProcessGraph:
    ground = replace(
        world.parts.simulation, ground_friction_min=friction, ground_friction_max=friction
    )
    run = replace(world.run, robot=robot.name, seed=seed)
    graph = InProcessGraph(robot, replace(world.parts, simulation=ground), run)
    graph.connect()
    return graph


def _throw(graph: InProcessGraph, kind: str, generator: np.random.Generator) -> None:
    orientation = _turned(kind, drops.ROLL_SPREAD, generator)
    x, y = _somewhere(generator)
    above = graph.sim.world.ground_height(x, y) + drops.clearance(graph.robot)
    position = np.array((x, y, above))
    drops.drop(graph.sim, position, orientation, generator)


def _somewhere(generator: np.random.Generator) -> tuple[float, float]:
    """Returns x and y of a place on the ground, world frame [m]."""
    x, y = generator.uniform(-drops.REACH, drops.REACH, 2).tolist()
    return x, y


def _highest(graph: InProcessGraph, x: float, y: float, around: float) -> float:
    """Returns the height of the highest ground within `around` of x, y to each side [m]."""
    steps = np.linspace(-around, around, LOOKED_AT).tolist()
    return max(graph.sim.world.ground_height(x + dx, y + dy) for dx in steps for dy in steps)


def _turned(kind: str, spread: float, generator: np.random.Generator) -> Array:
    """Returns the orientation of a fall of `kind`, turned from it at random by `spread` [rad]."""
    roll_error, pitch = generator.normal(0.0, spread, 2).tolist()
    heading = generator.uniform(-np.pi, np.pi)
    return rotations.quaternion_from_rpy(drops.ROLLS[kind] + roll_error, pitch, heading)


def _as_it_lies(graph: InProcessGraph, friction: float, seed: int) -> Fall:
    truth, joints = graph.sim.truth(), graph.sim.world.joints()[0]
    return Fall(truth.position, truth.orientation, np.array(joints), friction, seed)


def _is_jammed(graph: InProcessGraph, pose: Array) -> bool:
    graph.sim.place(HIGH, np.array(rotations.IDENTITY), pose)
    return overlaps(graph.sim.world)


def _lay(graph: InProcessGraph, fall: Fall) -> None:
    graph.sim.place(fall.position, fall.orientation, fall.joints)
