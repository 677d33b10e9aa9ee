from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Estimate, JointCommand, SensorSample
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import FORWARD, LEFT, RIGHT, VELOCITY, Kind
from quad_learner.task.symmetry import Symmetry, symmetry
from quad_learner.task.walk import WalkTask

Samples = Callable[..., SensorSample]
Estimates = Callable[..., Estimate]
Commands = Callable[..., JointCommand]
Configure = Callable[..., TaskConfig]

FR, FL, RR, RL = range(4)
OTHER_SIDE = [FL, FR, RL, RR]


def other_legs(joints: Any) -> Any:
    """Returns what a mirror shows of joint angles or rates: legs swapped, hips the other way."""
    legs = np.array(joints, dtype=np.float64).reshape(4, 3)
    return (legs[OTHER_SIDE] * np.array([-1.0, 1.0, 1.0])).ravel()


@pytest.fixture
def of_a1(robot: RobotModel, task_config: Configure) -> Symmetry:
    found = symmetry(robot, task_config())
    assert found is not None
    return found


def test_mirroring_twice_changes_nothing(of_a1: Symmetry) -> None:
    for index, sign in ((of_a1[0], of_a1[1]), (of_a1[2], of_a1[3])):
        values = np.random.default_rng(0).standard_normal(len(index))
        once = sign * values[index]
        np.testing.assert_array_equal(sign * once[index], values)
        assert (once != values).any()


def test_the_right_leg_acts_for_the_left_and_its_hip_the_other_way(of_a1: Symmetry) -> None:
    action = np.zeros(12)
    action[3 * FR : 3 * FR + 3] = 0.1, 0.2, 0.3
    mirrored = of_a1.action_sign * action[of_a1.action_index]
    expected = np.zeros(12)
    expected[3 * FL : 3 * FL + 3] = -0.1, 0.2, 0.3
    np.testing.assert_allclose(mirrored, expected, rtol=1e-6)


def test_hips_in_front_and_behind_may_be_drawn_against_each_other(
    robot: RobotModel, task_config: Configure
) -> None:
    signs = [-1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1]
    drawn = {**robot.sections, 'mirror': {**robot.sections['mirror'], 'joint_sign': signs}}
    found = symmetry(replace(robot, sections=drawn), task_config())
    assert found is not None
    mirrored = found.action_sign * np.arange(1.0, 13.0)[found.action_index]
    np.testing.assert_array_equal(mirrored, [-4, 5, 6, -1, 2, 3, 10, 11, 12, 7, 8, 9])


class Life:
    """A few steps of a robot, or of its image in a mirror on its left side."""

    def __init__(self, mirrored: bool, turned: Any, robot: RobotModel) -> None:
        self.mirrored = mirrored
        self._turned = turned
        self._robot = robot
        self.side = -1.0 if mirrored else 1.0

    def joints(self, values: Any) -> Any:
        return other_legs(values) if self.mirrored else np.array(values)

    def feet(self, values: Any) -> Any:
        return np.array(values)[OTHER_SIDE] if self.mirrored else np.array(values)

    def orientation(self, roll: float, pitch: float, yaw: float) -> Any:
        return self._turned(self.side * roll, pitch, self.side * yaw)

    def polar(self, values: Any) -> Any:
        """A velocity: what points left points right in the mirror."""
        return np.array(values) * [1.0, self.side, 1.0]

    def axial(self, values: Any) -> Any:
        """A rate of turning: a left roll is a right roll, a nod stays a nod."""
        return np.array(values) * [self.side, 1.0, self.side]


def observed(
    life: Life,
    robot: RobotModel,
    config: TaskConfig,
    builders: tuple[Samples, Estimates, Commands],
    start_ns: int,
    kind: Kind = FORWARD,
) -> Any:
    """Returns the observation after three steps, whose decisions come each 25 ms."""
    samples, estimates, commands = builders
    chance = np.random.default_rng(5)
    task = WalkTask(robot, config)
    for step in range(4):
        time_ns = start_ns + step * 25_000_000
        roll, pitch, yaw = chance.uniform(-0.3, 0.3, 3)
        sample = samples(
            time_ns=time_ns,
            joint_position=life.joints(robot.stance + chance.uniform(-0.2, 0.2, 12)),
            joint_velocity=life.joints(chance.uniform(-5.0, 5.0, 12)),
            foot_force=life.feet(chance.uniform(0.0, 30.0, 4)),
        )
        estimate = estimates(
            time_ns=time_ns,
            orientation=life.orientation(roll, pitch, yaw),
            velocity_body=life.polar(chance.uniform(-1.0, 1.0, 3)),
            angular_velocity=life.axial(chance.uniform(-1.0, 1.0, 3)),
        )
        command = commands(position=life.joints(robot.stance + chance.uniform(-0.1, 0.1, 12)))
        wanted = chance.uniform(-1.0, 1.0, 3) * [1.0, life.side, life.side]
        if step == 0:
            observation = task.begin(sample, estimate, command, kind, wanted)
        else:
            observation = task.step(sample, estimate, command, wanted).observation
        task.target(np.zeros(12), time_ns)
    return observation


def test_whoever_follows_a_velocity_follows_the_mirrored_one_in_a_mirror(
    robot: RobotModel,
    task_config: Configure,
    turned: Any,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> None:
    config = task_config(tasks=['velocity'], use_oscillator=False, history=1)
    found = symmetry(robot, config, VELOCITY)
    assert found is not None
    builders = (sample_of, estimate_of, command_of)
    seen, in_mirror = (
        observed(Life(mirrored, turned, robot), robot, config, builders, 0, VELOCITY)
        for mirrored in (False, True)
    )
    shown = found.observation_sign * seen[found.observation_index]
    np.testing.assert_allclose(shown, in_mirror, atol=2e-6)


@pytest.mark.parametrize('kind', [LEFT, RIGHT])
def test_a_turn_has_no_mirror_of_its_own(
    robot: RobotModel, task_config: Configure, kind: Kind
) -> None:
    assert symmetry(robot, task_config(), kind) is None


def test_one_learner_of_both_turns_sees_the_other_one_in_a_mirror(
    robot: RobotModel,
    task_config: Configure,
    turned: Any,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> None:
    tasks = ['forward', 'left', 'right']
    config = task_config(tasks=tasks, share_learner=True, use_oscillator=False, history=1)
    found = symmetry(robot, config, FORWARD)
    assert found is not None
    builders = (sample_of, estimate_of, command_of)
    seen = observed(Life(False, turned, robot), robot, config, builders, 0, LEFT)
    shown = found.observation_sign * seen[found.observation_index]
    in_mirror = observed(Life(True, turned, robot), robot, config, builders, 0, RIGHT)
    np.testing.assert_allclose(shown, in_mirror, atol=2e-6)


def test_the_mirror_shows_what_is_observed_alone(
    robot: RobotModel,
    task_config: Configure,
    turned: Any,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> None:
    observed_parts = ['joint_position', 'lean', 'action', 'velocity']
    config = task_config(observed=observed_parts, use_oscillator=False, history=2)
    found = symmetry(robot, config)
    assert found is not None
    builders = (sample_of, estimate_of, command_of)
    seen, in_mirror = (
        observed(Life(mirrored, turned, robot), robot, config, builders, 0)
        for mirrored in (False, True)
    )
    shown = found.observation_sign * seen[found.observation_index]
    np.testing.assert_allclose(shown, in_mirror, atol=2e-6)


def test_one_learner_of_a_turn_to_one_side_has_no_mirror(
    robot: RobotModel, task_config: Configure
) -> None:
    config = task_config(tasks=['forward', 'left'], share_learner=True)
    assert symmetry(robot, config, FORWARD) is None


@pytest.mark.parametrize('name', ['a1'])
def test_a_robot_in_a_mirror_sees_the_mirrored_observation(
    name: str,
    task_config: Configure,
    turned: Any,
    sample_of: Samples,
    estimate_of: Estimates,
    command_of: Commands,
) -> None:
    robot = load(name)
    config = task_config(use_oscillator=False, history=1)
    found = symmetry(robot, config)
    assert found is not None
    plain, image = (
        observed(
            Life(mirrored, turned, robot), robot, config, (sample_of, estimate_of, command_of), 0
        )
        for mirrored in (False, True)
    )
    expected = found.observation_sign * plain[found.observation_index]
    np.testing.assert_allclose(image, expected, atol=1e-6)
    assert np.abs(plain - image).max() > 0.1


def test_a_trot_in_a_mirror_is_half_a_stride_ahead(of_a1: Symmetry, robot: RobotModel) -> None:
    sine_and_cosine = of_a1.observation_sign[-2:]
    np.testing.assert_array_equal(sine_and_cosine, [-1.0, -1.0])


def test_a_pronk_in_a_mirror_keeps_its_phase(robot: RobotModel, task_config: Configure) -> None:
    pronk = {**robot.sections['oscillator'], 'leg_phase': [0.0] * 4}
    jumping = replace(robot, sections={**robot.sections, 'oscillator': pronk})
    found = symmetry(jumping, task_config(use_oscillator=True))
    assert found is not None
    np.testing.assert_array_equal(found.observation_sign[-2:], [1.0, 1.0])


@pytest.mark.parametrize(
    'oscillator',
    [
        {'leg_phase': [0.0, math.pi / 2, math.pi, 3 * math.pi / 2]},  # a walk
        {'amplitude': [0.1, 0.25, -0.5]},  # all hips swing to one side
    ],
)
def test_a_rhythm_that_is_not_its_own_image_has_no_mirror(
    robot: RobotModel, task_config: Configure, oscillator: dict[str, Any]
) -> None:
    changed = {**robot.sections['oscillator'], **oscillator}
    lopsided = replace(robot, sections={**robot.sections, 'oscillator': changed})
    assert symmetry(lopsided, task_config(use_oscillator=True)) is None
    assert symmetry(lopsided, task_config(use_oscillator=False)) is not None


def test_a_robot_without_the_section_has_no_mirror(
    robot: RobotModel, task_config: Configure
) -> None:
    assert symmetry(replace(robot, sections={}), task_config()) is None


@pytest.mark.parametrize(
    'changed, words',
    [
        ({'leg_swap': [1, 0]}, '12 joints in all'),
        ({'joint_sign': [-1, 1]}, '12 joints in all'),
        ({'leg_swap': [1, 2, 3, 0]}, 'lead back to the start'),
        ({'leg_swap': [2, 1, 4, 3]}, 'count from 0'),
        ({'leg_swap': 'crossed'}, "leg_swap = 'crossed' must be a list of whole numbers"),
        ({'joint_swap': None}, 'joint_swap = None must be a list of whole numbers'),
        ({'joint_sign': [1, -1, 1]}, 'stance = .* is not its own mirror image'),
        ({'joint_sign': [-2, 1, 1]}, r'joint_sign = \[-2, 1, 1\] must be 1 or -1 each'),
        ({'joint_sign': [1, 1, 1, -1, 1, 1, 1, 1, 1, 1, 1, 1]}, "take each other's place"),
        ({'leg_swop': [1, 0, 3, 2]}, 'mirror = .* must hold exactly leg_swap, joint_swap'),
    ],
)
def test_a_mirror_that_does_not_fit_is_refused(
    robot: RobotModel, task_config: Configure, changed: dict[str, Any], words: str
) -> None:
    broken = {**robot.sections, 'mirror': {**robot.sections['mirror'], **changed}}
    with pytest.raises(ConfigurationError, match=words) as caught:
        symmetry(replace(robot, sections=broken), task_config())
    assert 'a1' in str(caught.value)
