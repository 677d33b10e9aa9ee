"""Claims about the simulated robot as a whole."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.robot.kinematics import LegKinematics
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import JointCommand, SensorSample
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
Order = Callable[..., JointCommand]
Errors = dict[str, float]
BOTH = pytest.mark.parametrize('name', ['a1', 'minitaur'])
HIGH = np.array((0.0, 0.0, 20.0))
"""Far above the ground: nothing touches it for two seconds."""
LEVEL = np.array((0.0, 0.0, 0.0, 1.0))


def mass_of(robot: RobotModel) -> float:
    """Returns the sum of the masses written in the URDF [kg]."""
    masses = ElementTree.parse(robot.urdf).getroot().findall('./link/inertial/mass')
    return sum(float(mass.attrib['value']) for mass in masses)


def assert_same(one: SensorSample, other: SensorSample) -> None:
    for field in dataclasses.fields(SensorSample):
        np.testing.assert_array_equal(getattr(one, field.name), getattr(other, field.name))


def dance(simulated: SimulatedRobot, order: Order, ticks: int) -> list[SensorSample]:
    """Returns the samples of a robot whose legs swing to and fro."""
    robot, samples = simulated.robot, [simulated.sense()]
    for tick in range(ticks):
        swing = 0.2 * np.sin(0.3 * tick + np.arange(len(robot.joints)))
        samples.append(simulated.step(order(robot, position=robot.stance + swing)))
    return samples


@BOTH
def test_the_same_seed_gives_the_same_samples_to_the_last_bit(
    build: Build, order: Order, name: str
) -> None:
    with_chance = {'push_interval_s': 0.2, 'ground_friction_min': 0.5, 'terrain': 'rough'}
    first = dance(build(name, 3, **with_chance), order, 36)
    again = dance(build(name, 3, **with_chance), order, 36)
    other = dance(build(name, 4, **with_chance), order, 36)
    for one, two in zip(first, again, strict=True):
        assert_same(one, two)
    assert not np.array_equal(first[-1].joint_position, other[-1].joint_position)


def test_robots_in_one_process_do_not_disturb_each_other(build: Build, order: Order) -> None:
    alone = dance(build(seed=5), order, 30)
    first, second = build(seed=5), build('minitaur', 6)
    together = [first.sense()]
    for tick in range(30):
        swing = 0.2 * np.sin(0.3 * tick + np.arange(12))
        together.append(first.step(order(first.robot, position=first.robot.stance + swing)))
        second.step(None)
    for one, two in zip(alone, together, strict=True):
        assert_same(one, two)


def test_time_moves_by_steps_alone_and_adds_up_to_whole_seconds(build: Build) -> None:
    simulated = build()
    assert simulated.time_ns == 0
    assert simulated.sense() is simulated.sense()
    stamps = [simulated.step(None).time_ns for _ in range(240)]
    assert stamps == sorted(set(stamps))
    assert (stamps[119], stamps[239]) == (1_000_000_000, 2_000_000_000)
    assert simulated.sense().time_ns == simulated.truth().time_ns == simulated.health().time_ns


@pytest.mark.parametrize('name, sag', [('a1', 0.02), ('minitaur', 0.02), ('aliengo', 0.02)])
def test_it_stands_in_its_stance(
    build: Build, order: Order, exact: Errors, name: str, sag: float
) -> None:
    simulated = build(name, **exact)
    robot = simulated.robot
    for _ in range(180):
        sample = simulated.step(order(robot))
    truth, feet = simulated.truth(), simulated.feet_truth()
    assert robot.height - sag < truth.position[2] < robot.height + 0.005
    assert Rotation.from_quat(truth.orientation).magnitude() < 0.03
    assert np.linalg.norm(truth.velocity_world) < 0.02
    np.testing.assert_allclose(sample.specific_force, (0.0, 0.0, 9.81), atol=0.3)
    assert feet.contact.all()
    assert feet.other_contacts == ()


def test_the_feet_bear_the_weight(build: Build, order: Order, exact: Errors) -> None:
    weights = []
    for payload in (0.0, 3.0):
        simulated = build(payload_mass_kg=payload, **exact)
        for _ in range(150):
            simulated.step(order(simulated.robot))
        forces = [simulated.step(order(simulated.robot)).foot_force.sum() for _ in range(60)]
        weights.append(np.mean(forces))
    own = mass_of(simulated.robot)
    np.testing.assert_allclose(weights, [own * 9.81, (own + 3.0) * 9.81], rtol=0.02)


def test_a_robot_in_free_fall_weighs_nothing_and_falls_as_a_stone(
    build: Build, exact: Errors
) -> None:
    simulated = build(**exact)
    simulated.place(HIGH, LEVEL, simulated.robot.stance)
    for _ in range(60):
        sample = simulated.step(None)
    np.testing.assert_allclose(sample.specific_force, np.zeros(3), atol=1e-6)
    np.testing.assert_array_equal(sample.foot_force, np.zeros(4))
    # Half a second: v = g t, and s = g t²/2 with the engine's half step of 1/600 s.
    truth = simulated.truth()
    assert truth.velocity_world[2] == pytest.approx(-9.81 * 0.5, rel=1e-6)
    assert truth.position[2] == pytest.approx(20.0 - 9.81 * 0.5 * (0.5 + 1 / 600) / 2, rel=1e-6)


@BOTH
def test_truth_is_of_the_root_links_frame(build: Build, name: str) -> None:
    simulated = build(name)
    turn = Rotation.from_euler('zyx', (70.0, -20.0, 35.0), degrees=True).as_quat()
    simulated.place(HIGH, turn, simulated.robot.stance)
    np.testing.assert_allclose(simulated.truth().position, HIGH, atol=1e-12)
    np.testing.assert_allclose(simulated.truth().orientation, turn, atol=1e-12)


def test_true_velocity_is_the_rate_of_true_position(build: Build, order: Order) -> None:
    simulated = build()
    robot = simulated.robot
    simulated.place(HIGH, LEVEL, robot.stance)
    simulated.push(np.array((3.0, -2.0, 1.0)))
    tumbling = order(robot, position=robot.stance + np.array((0.7, -0.5, 0.4) * 4))
    for _ in range(12):
        simulated.step(tumbling)
    before = simulated.truth()
    simulated.step(tumbling)
    after = simulated.truth()
    rate = (after.position - before.position) * robot.command_hz
    mean = (after.velocity_world + before.velocity_world) / 2.0
    np.testing.assert_allclose(rate, mean, atol=0.03)
    turn = Rotation.from_quat(after.orientation) * Rotation.from_quat(before.orientation).inv()
    spin = (after.angular_velocity_world + before.angular_velocity_world) / 2.0
    np.testing.assert_allclose(turn.as_rotvec() * robot.command_hz, spin, atol=0.2)
    assert np.linalg.norm(spin) > 0.5


def test_the_imus_means_add_up_to_the_turn_and_the_velocity(
    build: Build, order: Order, exact: Errors
) -> None:
    simulated = build(**exact)
    simulated.place(HIGH, LEVEL, simulated.robot.stance)
    turn, velocity = Rotation.identity(), np.zeros(3)
    tick = 1.0 / simulated.robot.command_hz
    for sample in dance(simulated, order, 100)[1:]:
        half = Rotation.from_rotvec(sample.angular_velocity * tick / 2.0)
        velocity = velocity + tick * (turn * half).apply(sample.specific_force)
        velocity = velocity - (0.0, 0.0, 9.81 * tick)
        turn = turn * half * half
    truth = simulated.truth()
    assert (turn.inv() * Rotation.from_quat(truth.orientation)).magnitude() < 1e-6
    np.testing.assert_allclose(velocity, truth.velocity_world, atol=1e-6)


def test_true_feet_are_where_kinematics_has_them(build: Build, order: Order) -> None:
    simulated = build()
    dance(simulated, order, 20)
    truth, angles = simulated.truth(), np.array(simulated.world.joints()[0])
    legs = LegKinematics(simulated.robot).solve(angles, np.zeros_like(angles))
    expected = truth.position + Rotation.from_quat(truth.orientation).apply(legs.position)
    np.testing.assert_allclose(simulated.feet_truth().position, expected, atol=1e-6)


@pytest.mark.parametrize('latency_ticks', [0, 3, 6])
def test_a_command_is_felt_one_latency_later(
    build: Build, order: Order, exact: Errors, latency_ticks: int
) -> None:
    latency = latency_ticks / 120.0
    simulated = build(**(exact | {'command_latency_s': latency}))
    simulated.place(HIGH, LEVEL, simulated.robot.stance)
    zeros = np.zeros(12)
    pull = order(simulated.robot, kp=zeros, kd=zeros, effort=np.full(12, 1.0))
    felt = [bool(np.abs(simulated.step(pull).joint_effort).max() > 0.5) for _ in range(8)]
    assert felt == [False] * latency_ticks + [True] * (8 - latency_ticks)


@BOTH
def test_without_commands_a_moving_leg_comes_to_rest(
    build: Build, order: Order, name: str
) -> None:
    simulated = build(name, velocity_noise_rad_s=0.0)
    simulated.place(HIGH, LEVEL, simulated.robot.stance)
    dance(simulated, order, 20)
    assert np.abs(simulated.sense().joint_velocity).max() > 1.0
    for _ in range(60):
        sample = simulated.step(None)
    assert np.abs(sample.joint_velocity).max() < 0.02


@pytest.mark.parametrize('kp, kd', [(60.0, 2.0), (100.0, 4.0), (100.0, 1.0)])
def test_the_gains_in_use_are_stable_in_the_air_and_on_the_ground(
    build: Build, order: Order, exact: Errors, kp: float, kd: float
) -> None:
    simulated = build(**exact)
    hold = order(simulated.robot, kp=np.full(12, kp), kd=np.full(12, kd))
    for place in (np.array((0.0, 0.0, 0.28)), HIGH):
        simulated.place(place, LEVEL, simulated.robot.stance + 0.1)
        speeds = [np.abs(simulated.step(hold).joint_velocity).max() for _ in range(150)]
        assert max(speeds[-20:]) < 0.2


def test_the_stop_lets_a_standing_robot_down_and_stays_calm(build: Build, exact: Errors) -> None:
    simulated = build(**exact)
    speeds = [np.abs(simulated.step(None).joint_velocity).max() for _ in range(240)]
    assert max(speeds[-20:]) < 0.2
    assert simulated.truth().position[2] < 0.5 * simulated.robot.height


def test_wild_commands_neither_exceed_the_motors_nor_break_the_world(
    build: Build, order: Order, exact: Errors
) -> None:
    simulated, chance = build(**exact), np.random.default_rng(1)
    robot = simulated.robot
    for tick in range(150):
        wild = order(
            robot,
            position=chance.uniform(-1e3, 1e3, 12),
            kp=chance.uniform(0.0, 1e3, 12),
            effort=np.full(12, np.nan if tick % 7 == 0 else 0.0),
        )
        sample = simulated.step(wild)
        assert (np.abs(sample.joint_effort) <= robot.torque_max + 1e-9).all()
        assert np.isfinite(sample.joint_position).all()
        assert np.isfinite(sample.specific_force).all()


def test_a_push_changes_the_momentum_by_its_impulse(build: Build, order: Order) -> None:
    simulated = build()
    robot = simulated.robot
    simulated.place(HIGH, LEVEL, robot.stance)
    stiff = order(robot, kp=np.full(12, 100.0), kd=np.full(12, 4.0))
    simulated.push(np.array((6.0, 0.0, 0.0)))
    for _ in range(120):
        simulated.step(stiff)
    # After a second every part moves with the whole: impulse over mass, give or take its spin.
    assert simulated.truth().velocity_world[0] == pytest.approx(6.0 / mass_of(robot), rel=0.05)


def test_random_pushes_come_when_asked_for(build: Build, order: Order) -> None:
    sway = []
    for interval in (0.0, 0.1):
        simulated = build(push_interval_s=interval, push_impulse_ns=5.0)
        speeds = []
        for _ in range(120):
            simulated.step(order(simulated.robot))
            speeds.append(np.linalg.norm(simulated.truth().velocity_world[:2]))
        sway.append(max(speeds[40:]))
    assert sway[0] < 0.1
    assert sway[1] > 0.2


def test_a_person_puts_it_on_its_feet_and_that_is_counted(build: Build, order: Order) -> None:
    simulated = build()
    robot = simulated.robot
    on_its_back = Rotation.from_euler('zx', (60.0, 180.0), degrees=True).as_quat()
    simulated.place(np.array((1.0, 2.0, 0.3)), on_its_back, robot.stance)
    for _ in range(60):
        simulated.step(None)
    lain = simulated.truth()
    simulated.set_upright()
    assert (simulated.human_resets, simulated.placements) == (1, 1)
    for _ in range(120):
        simulated.step(order(robot))
    truth = simulated.truth()
    np.testing.assert_allclose(truth.position[:2], lain.position[:2], atol=0.1)
    assert truth.position[2] > 0.8 * robot.height
    assert Rotation.from_quat(truth.orientation).apply((0.0, 0.0, 1.0))[2] > 0.99


def test_standing_up_by_hand_keeps_the_heading(build: Build) -> None:
    simulated = build()
    heading = Rotation.from_euler('z', 130.0, degrees=True)
    simulated.place(HIGH, heading.as_quat(), simulated.robot.stance)
    simulated.set_upright()
    kept = Rotation.from_quat(simulated.truth().orientation)
    assert (kept.inv() * heading).magnitude() < 1e-6


@pytest.mark.parametrize('self_collision', [True, False])
def test_legs_pass_through_each_other_only_when_allowed(
    build: Build, order: Order, self_collision: bool
) -> None:
    simulated = build(self_collision=self_collision)
    robot = simulated.robot
    simulated.place(HIGH, LEVEL, robot.stance)
    inwards = np.array((0.8, -0.8, 0.8, -0.8))  # FR, FL, RR, RL: hips turned under the belly
    position = robot.stance.copy()
    position[::3] = inwards
    for _ in range(60):
        simulated.step(order(robot, position=position))
    front_right, front_left = simulated.feet_truth().position[:2]
    crossed = front_right[1] > front_left[1]
    assert crossed != self_collision


def test_the_battery_drains_and_the_motors_warm(build: Build, order: Order) -> None:
    simulated = build()
    before = simulated.health()
    for _ in range(240):
        simulated.step(order(simulated.robot))
    after = simulated.health()
    assert 0.0 < before.battery_charge - after.battery_charge < 0.01
    assert after.battery_voltage < before.battery_voltage <= 25.2
    assert (after.motor_temperature >= before.motor_temperature).all()


def test_faults_reach_the_samples(build: Build) -> None:
    simulated = build(faults=('nan_joint:FL_lower_joint@0.1+0.1',))
    bad = [bool(np.isnan(simulated.step(None).joint_position[5])) for _ in range(36)]
    assert (bad.index(True), sum(bad)) == (11, 12)  # 0.1 s is the 12th sample of 120 a second


def test_a_closed_robot_can_be_connected_again(build: Build, order: Order) -> None:
    simulated = build()
    simulated.step(None)
    simulated.close()
    simulated.connect()
    assert simulated.time_ns == 0
    assert np.isfinite(simulated.step(order(simulated.robot)).joint_position).all()
