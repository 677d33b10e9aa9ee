from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from quad_learner.evaluation import configs_of, shipped_files
from quad_learner.resources import config_directory
from quad_learner.robot.model import RobotModel, load
from quad_learner.robot.signals import Estimate, SensorSample
from quad_learner.task.config import TaskConfig
from quad_learner.task.kinds import FORWARD, LEFT
from quad_learner.task.observation import Attitude, Observer, layout
from quad_learner.task.walk import WalkTask

Samples = Callable[..., SensorSample]
Estimates = Callable[..., Estimate]
Configure = Callable[..., TaskConfig]
FRAME = 12 + 12 + 12 + 4 + 2 + 3 + 3 + 1 + 2


class Seen:
    """Observes with everything at rest but what is changed; remembers the layout."""

    def __init__(self, robot: RobotModel, config: TaskConfig, sample: Any, estimate: Any) -> None:
        self.observer = Observer(robot, config)
        self.place = self.observer.layout
        self._sample, self._estimate = sample, estimate

    def __call__(self, **changed: Any) -> np.ndarray[Any, Any]:
        sample = {k: changed.pop(k) for k in list(changed) if k.startswith(('joint', 'foot'))}
        attitude = Attitude(*changed.pop('attitude', (0.0, 0.0, 0.0)), yaw=0.0)
        action = changed.pop('action', np.zeros(12))
        phase = changed.pop('phase', np.zeros(2))
        command, kind = changed.pop('command', np.zeros(3)), changed.pop('kind', FORWARD)
        where = self._sample(**sample), self._estimate(**changed), attitude
        return self.observer.observe(*where, action, phase, command, kind)


@pytest.fixture
def seen(
    robot: RobotModel, task_config: Configure, sample_of: Samples, estimate_of: Estimates
) -> Seen:
    config = task_config(
        history=0, joint_velocity_scale=0.1, angular_velocity_scale=0.3, velocity_scale=2.0
    )
    return Seen(robot, config, sample_of, estimate_of)


def test_the_parts_lie_side_by_side_and_fill_the_frame(robot: RobotModel) -> None:
    place = layout(robot)
    parts = [part for part in vars(place).values() if isinstance(part, slice)]
    covered = sorted(index for part in parts for index in range(part.start, part.stop))
    assert covered == list(range(FRAME))
    assert place.size == FRAME


def test_a_velocity_to_follow_is_seen_where_there_is_one_and_only_there(
    robot: RobotModel, task_config: Configure, sample_of: Samples, estimate_of: Estimates
) -> None:
    scales = {'history': 0, 'velocity_scale': 2.0, 'angular_velocity_scale': 0.5}
    plain = Seen(robot, task_config(**scales), sample_of, estimate_of)
    told = Seen(robot, task_config(tasks=['velocity'], **scales), sample_of, estimate_of)
    command = np.array([0.5, -0.25, 0.8])
    assert plain(command=command).shape == (FRAME,)
    seen = told(command=command)
    assert seen.shape == (FRAME + 3,)
    np.testing.assert_allclose(seen[told.place.command], [1.0, -0.5, 0.4])
    np.testing.assert_array_equal(seen[:FRAME], plain(command=command))


@pytest.mark.parametrize(('shared', 'more'), [(True, [0.0, 1.0]), (False, [])])
def test_a_learner_of_several_tasks_sees_which_it_is(
    robot: RobotModel,
    task_config: Configure,
    sample_of: Samples,
    estimate_of: Estimates,
    shared: bool,
    more: list[float],
) -> None:
    config = task_config(tasks=['forward', 'left'], share_learner=shared, history=0)
    told = Seen(robot, config, sample_of, estimate_of)
    np.testing.assert_array_equal(told(kind=LEFT)[FRAME:], more)
    np.testing.assert_array_equal(told(kind=FORWARD)[FRAME:], more[::-1])


def test_what_is_not_named_is_not_seen(
    robot: RobotModel, task_config: Configure, sample_of: Samples, estimate_of: Estimates
) -> None:
    # The original's: motor angles, roll and pitch, the last action, over six steps.
    original = ['lean', 'joint_position', 'action']
    config = task_config(observed=original, history=5)
    seen = Seen(robot, config, sample_of, estimate_of)
    action = np.linspace(-0.5, 0.5, 12)
    found = seen(attitude=(0.1, -0.2, 0.3), action=action, velocity_body=np.ones(3))
    assert found.shape == (6 * (12 + 2 + 12),) == (seen.observer.size,)
    np.testing.assert_allclose(found[12:26], [*action, 0.1, -0.2], rtol=1e-6)
    np.testing.assert_array_equal(found[:26], found[-26:])


def test_the_minitaurs_problem_is_that_of_the_paper() -> None:
    problem = config_directory() / 'problems' / 'minitaur_ha2020.yaml'
    task = configs_of([*shipped_files(), problem], robot='minitaur').task
    # Eight motor angles, roll and pitch, eight actions, over six steps.
    assert WalkTask(load('minitaur'), task).observation_size == 6 * (8 + 2 + 8)
    assert (task.reward, task.tasks) == ('displacement', ('forward', 'backward'))


def test_joint_angles_are_seen_from_the_stance_in_action_boxes(
    seen: Seen, robot: RobotModel
) -> None:
    moved = robot.stance + np.tile([0.1, 0.16, -0.32], 4)  # the A1's box is 0.2, 0.32, 0.32
    np.testing.assert_allclose(
        seen(joint_position=moved)[seen.place.joint_position], [0.5, 0.5, -1.0] * 4, rtol=1e-6
    )


@pytest.mark.parametrize(
    'part, given, expected',
    [
        ('joint_velocity', {'joint_velocity': np.arange(12.0)}, np.arange(12) / 10.0),
        ('action', {'action': np.linspace(-1, 1, 12)}, np.linspace(-1, 1, 12)),
        ('lean', {'attitude': (0.3, -0.2, 0.0)}, [0.3, -0.2]),
        ('heading', {'attitude': (0.0, 0.0, 1.5)}, [1.5]),
        ('angular_velocity', {'angular_velocity': np.array([1.0, 2.0, -3.0])}, [0.3, 0.6, -0.9]),
        ('velocity', {'velocity_body': np.array([0.5, -0.1, 0.2])}, [1.0, -0.2, 0.4]),
        ('phase', {'phase': np.array([0.6, -0.8])}, [0.6, -0.8]),
        # The A1 counts a foot as down above 15 N.
        ('contact', {'foot_force': np.array([14.9, 15.1, 0.0, 99.0])}, [-1, 1, -1, 1]),
    ],
)
def test_each_part_of_the_robot_is_seen_in_its_own_place_and_nowhere_else(
    seen: Seen, part: str, given: dict[str, Any], expected: Any
) -> None:
    rest = seen()
    moved = seen(**given)
    place = getattr(seen.place, part)
    np.testing.assert_allclose(moved[place], expected, rtol=1e-6)
    rest[place] = moved[place]
    np.testing.assert_array_equal(moved, rest)


def test_a_robot_without_foot_sensors_sees_neither_ground_nor_air(
    robot: RobotModel, task_config: Configure, sample_of: Samples, estimate_of: Estimates
) -> None:
    blind = Seen(
        replace(robot, has_foot_force=False), task_config(history=0), sample_of, estimate_of
    )
    np.testing.assert_array_equal(blind()[blind.place.contact], np.zeros(4))


def test_a_glitch_is_bounded_and_never_not_a_number(seen: Seen) -> None:
    glitch = np.array([np.nan, np.inf, -np.inf, 1e6, -1e6, *np.zeros(7)])
    np.testing.assert_array_equal(
        seen(joint_velocity=glitch)[seen.place.joint_velocity][:5], [0.0, 10.0, -10.0, 10.0, -10.0]
    )


@pytest.fixture
def remembering(
    robot: RobotModel, task_config: Configure, sample_of: Samples, estimate_of: Estimates
) -> Seen:
    return Seen(robot, task_config(history=2), sample_of, estimate_of)


def headings(observation: Any, seen: Seen) -> list[float]:
    return [float(f[seen.place.heading][0]) for f in observation.reshape(-1, FRAME)]


def test_the_newest_frame_comes_first_and_the_oldest_is_forgotten(remembering: Seen) -> None:
    for heading in (0.5, 1.0, 1.5, 2.0):
        observation = remembering(attitude=(0.0, 0.0, heading))
    assert headings(observation, remembering) == [2.0, 1.5, 1.0]


def test_the_first_frame_of_an_episode_stands_in_for_its_past(remembering: Seen) -> None:
    remembering(attitude=(0.0, 0.0, 0.5))
    remembering.observer.begin()
    assert headings(remembering(attitude=(0.0, 0.0, 2.0)), remembering) == [2.0, 2.0, 2.0]
    assert headings(remembering(attitude=(0.0, 0.0, 1.0)), remembering) == [1.0, 2.0, 2.0]


def test_an_observation_is_not_changed_by_the_next(remembering: Seen) -> None:
    first = remembering(attitude=(0.0, 0.0, 0.5))
    kept = first.copy()
    remembering(attitude=(0.0, 0.0, 1.0))
    np.testing.assert_array_equal(first, kept)
    assert first.dtype == np.float32
    assert first.shape == (3 * FRAME,) == (remembering.observer.size,)
