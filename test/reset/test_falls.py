"""Robots in simulation get up from real falls: physics, sensors and safety as in a run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner import configuration
from quad_learner.reset.config import ResetConfig
from quad_learner.reset.get_up import GetUp
from quad_learner.reset.motion import motion
from quad_learner.reset.state import State
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.state import SafetyInputs
from quad_learner.simulation import drops
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.robot import SimulatedRobot

pytestmark = pytest.mark.slow
LONGEST_S = 12.0
A_FIRST_ATTEMPT_S = 3.5
"""a second one begins after four"""
ROLLS = {'belly': 0.1, 'right': 1.5, 'left': -1.5, 'back': 3.1}
TORQUES = {
    'a1': [20.0, 33.5, 33.5] * 4,
    'minitaur': [3.5] * 8,
    'aliengo': [44.0] * 12,
    'laikago': [44.0] * 12,
    'mini_cheetah': [17.0, 17.0, 26.0] * 4,
    'spirit40': [40.0] * 12,
    'vision60': [87.0] * 12,
}
"""[N·m] of the data sheets, or where there is none of the URDF"""
FALLS = [
    *(('a1', way) for way in ROLLS),
    ('minitaur', 'back'),
    ('minitaur', 'right'),
    ('aliengo', 'back'),
    ('aliengo', 'left'),
    ('laikago', 'right'),
    ('mini_cheetah', 'back'),
    ('spirit40', 'left'),
    ('vision60', 'back'),
]

HOOKED = {'FR': [0.33, 2.7, -1.2], 'RR': [-0.4, 4.08, -1.23]}
"""[rad] of the A1's legs over its back, as a fall left them: each foot in the other's way"""


@dataclass
class Record:
    """What was seen while the robot got up."""

    states: list[State]
    largest_torque: np.ndarray
    """[N·m], (joints,)"""
    seconds: float
    up_z: float
    """cosine of the true body's tilt at the end"""
    height: float
    """of the true body at the end [m]"""
    touched: int
    """times that the robot was placed or set upright after the drop"""


def simulated(
    robot: RobotModel, generator: np.random.Generator, terrain: str = 'flat'
) -> SimulatedRobot:
    file = config_directory() / 'simulation.yaml'
    config = configuration.read(SimulationConfig, file, {'terrain': terrain})
    sim = SimulatedRobot(robot, config, generator)
    sim.connect()
    return sim


def lie_down(robot: RobotModel, roll: float, generator: np.random.Generator) -> SimulatedRobot:
    sim = simulated(robot, generator)
    # Legs tucked and a low drop: so it lies where it was laid, rather than rolling on.
    joints = motion(robot).fold
    if not robot.loop_closures:  # whose links fit together at few angles
        joints = joints + generator.normal(0.0, 0.1, len(joints))
    orientation = Rotation.from_euler('x', roll).as_quat()
    sim.place(np.array([0.0, 0.0, 0.2]), orientation, joints)
    for _ in range(robot.command_hz):
        sim.step(None)
    return sim


def run(
    sim: SimulatedRobot, robot: RobotModel, config: ResetConfig, longest_s: float = LONGEST_S
) -> Record:
    core = SafetyCore(robot, configuration.read(SafetyConfig, config_directory() / 'safety.yaml'))
    state, machine = core.initial(epoch=1), GetUp(robot, config)
    command: JointCommand | None = None
    health, began = sim.health(), sim.time_ns
    states: list[State] = []
    largest = np.zeros(len(robot.joints))
    placed = sim.placements
    for tick in range(round(longest_s * robot.command_hz)):
        sample = sim.sense()
        now = sample.time_ns
        if tick % robot.ticks_per_decision == 0:
            target, told = machine.step(sample, command), now
            states.append(machine.state)
        if machine.ready:
            break
        inputs = SafetyInputs(
            sample=sample,
            sample_received_ns=now,
            reset=target,
            reset_received_ns=told,
            health=health,
            battery_received_ns=now,
            warmth_received_ns=now,
        )
        command, state = core.step(state, inputs, now)
        sim.step(command)
        largest = np.maximum(largest, np.abs(sim.sense().joint_effort))
    truth = sim.truth()
    up = Rotation.from_quat(truth.orientation).apply([0.0, 0.0, 1.0])
    touched = sim.placements - placed + sim.human_resets
    seconds = (sim.time_ns - began) * 1e-9
    return Record(states, largest, seconds, up[2], truth.position[2], touched)


@pytest.mark.parametrize('name, way', FALLS)
def test_it_gets_itself_up(name: str, way: str, config: ResetConfig) -> None:
    robot = model.load(name)
    sim = lie_down(robot, ROLLS[way], np.random.default_rng(7))
    try:
        record = run(sim, robot, config)
    finally:
        sim.close()
    assert record.states[-1] is State.READY
    assert record.up_z > 0.95
    assert record.height > 0.75 * robot.height  # the A1's trunk lies at 0.06 m, stands at 0.27 m
    assert record.touched == 0
    assert (State.ROLL in record.states) is (way != 'belly')
    # 1 N·m of sensor noise above the motors' limits, and their drag at 40 rad/s
    assert np.all(record.largest_torque <= np.array(TORQUES[name]) + 1.0 + 0.8)


@pytest.mark.parametrize('frees', [True, False])
def test_legs_that_hook_into_each_other_as_they_fold_are_freed(
    frees: bool, robot: RobotModel, config: ResetConfig
) -> None:
    sim = simulated(robot, np.random.default_rng(7))
    joints = motion(robot).fold.copy()
    joints[0:3], joints[6:9] = HOOKED['FR'], HOOKED['RR']
    sim.place(np.array([0.0, 0.0, 0.1]), np.array([0.0, 0.0, 0.0, 1.0]), joints)
    for _ in range(robot.command_hz):
        sim.step(None)
    never = 6.3
    try:
        record = run(sim, robot, config if frees else replace(config, caught_error=never))
    finally:
        sim.close()
    assert (State.FREE in record.states) is frees
    assert (record.states[-1] is State.READY) is frees
    assert record.touched == 0


@pytest.mark.parametrize('hops', [True, False])
def test_a_robot_that_hops_frees_its_feet_from_crevices_at_the_first_attempt(
    hops: bool, config: ResetConfig
) -> None:
    minitaur = model.load('minitaur')
    without = {name: e for name, e in minitaur.sections['reset'].items() if name != 'rise'}
    robot = minitaur
    if not hops:
        robot = replace(minitaur, sections={**minitaur.sections, 'reset': without})
    stood = 0
    for seed in range(6):
        generator = np.random.default_rng(seed)
        sim = simulated(robot, generator, 'doormat')
        x, y, heading = generator.uniform(-1.0, 1.0, 3)
        level = Rotation.from_euler('z', heading).as_quat()
        try:
            drops.drop(sim, np.array([x, y, drops.clearance(robot)]), level, generator)
            stood += run(sim, robot, config, A_FIRST_ATTEMPT_S).states[-1] is State.READY
        finally:
            sim.close()
    # Of twenty others, three quarters with two hops, and none without.
    assert stood >= 3 if hops else stood <= 1
