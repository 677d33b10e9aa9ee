"""Claims about the check of a robot file: what is sound passes, each mistake is found by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from quad_learner import configuration, urdf_check
from quad_learner.doctor import Finding, fit
from quad_learner.get_up_check import check_rise
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.names import robots
from quad_learner.robot_check import check_stand, check_stepping, check_width, examine
from quad_learner.simulation import tryout
from quad_learner.simulation.config import SimulationConfig

Change = Callable[..., str]

SAG_MAX = 0.25
"""[rad] as shipped in reset.yaml"""


@pytest.fixture
def change(tmp_path: Path) -> Change:
    """Gives `change(robot, 'a.b', value)`: the path of its file with that entry changed."""

    def write(robot: str, entry: str, value: Any) -> str:
        content = yaml.safe_load((config_directory() / 'robots' / f'{robot}.yaml').read_text())
        place = content
        *folders, name = entry.split('.')
        for folder in folders:
            place = place[folder]
        place[name] = value
        path = tmp_path / 'robot.yaml'
        path.write_text(yaml.safe_dump(content))
        return str(path)

    return write


def stand(path: str) -> dict[str, Finding]:
    simulation = configuration.read(SimulationConfig, config_directory() / 'simulation.yaml')
    robot = model.load(path)
    found = check_stand(robot, tryout.stand(robot, simulation), SAG_MAX)
    return {finding.name: finding for finding in found}


@pytest.mark.parametrize('robot', robots())
def test_every_shipped_robot_passes(robot: str) -> None:
    found = examine(robot)
    assert fit(found), [finding for finding in found if not finding.ok]
    assert len(found) > 10


@pytest.mark.parametrize(
    'entry, value, name, way_out',
    [
        ('joints.kp', [5.0, 5.0, 5.0], 'on its feet alone', 'feet.links'),
        ('height', 0.35, 'height', 'height: 0.2'),
        ('spawn_height', 0.20, 'spawn_height', 'spawn_height: 0.3'),
        ('joints.kp', [25.0, 25.0, 25.0], 'stiff enough', 'raise joints.kp'),
        ('joints.kd', [40.0, 40.0, 40.0], 'calm', 'joints.kd is too much'),
        ('feet.radius', 0.05, 'feet', 'feet.radius'),
        ('feet.offset', [0.0, 0.0, -0.05], 'feet', 'feet.offset'),
        ('joints.stance', [0.0, 3.1, -1.8], 'on its feet alone', 'joints.stance'),
        ('joints.torque_max', [20.0, 33.5, 8.0], 'strong enough', 'joints.torque_max'),
        ('feet.force_threshold', 28.0, 'feet feel the ground', 'force_threshold: 1'),
    ],
)
def test_what_keeps_it_from_standing_is_found_by_name(
    change: Change, entry: str, value: Any, name: str, way_out: str
) -> None:
    found = stand(change('a1', entry, value))[name]
    assert not found.ok
    assert way_out in found.way_out


def test_of_a_robot_that_lies_on_its_belly_height_and_feet_are_not_told(change: Change) -> None:
    found = stand(change('a1', 'joints.kp', [5.0, 5.0, 5.0]))
    assert 'looked at once it stands' in found['on its feet alone'].way_out
    assert not found['stiff enough'].ok, 'that is why it lies there'
    assert not {'height', 'spawn_height', 'feet', 'feet feel the ground'} & set(found)
    whole = {finding.name for finding in examine(change('a1', 'joints.stance', [0.0, 3.1, -1.8]))}
    assert 'axes of the root link' in whole
    assert not {'height', 'feet', 'wide enough', 'steps on the spot'} & whole


@pytest.mark.parametrize(
    'robot, entry, pose, ok',
    [
        ('a1', 'rise_again', {'right': [0.0, 1.0, -1.8], 'left': [0.0, 0.9, -1.7]}, True),
        ('a1', 'rise_again', {'right': [0.0, 1.2, -1.8], 'left': [0.0, 0.9, -1.8]}, False),
        ('minitaur', 'rise', {'right': [0.5, 0.5], 'left': [-0.5, -0.5]}, False),
    ],
)
def test_what_it_rises_by_must_end_in_the_stance(
    change: Change, robot: str, entry: str, pose: Any, ok: bool
) -> None:
    file = config_directory() / 'robots' / f'{robot}.yaml'
    poses = yaml.safe_load(file.read_text())['reset'][entry]
    changed = model.load(change(robot, f'reset.{entry}', [*poses, {'seconds': 0.2, **pose}]))
    (found,) = check_rise(changed, 0.2)
    assert found.ok is ok
    assert ok or f'reset.{entry}: end it with joints.stance' in found.way_out


def test_a_rise_again_before_a_rise_may_end_anywhere() -> None:
    """The Minitaur's ends with its legs drawn in: its two hops follow."""
    (found,) = check_rise(model.load('minitaur'), 0.01)
    assert found.ok
    assert list(check_rise(model.load('spirit40'), 0.01)) == []


def test_where_legs_are_closed_the_radius_is_told_and_no_offset_that_nobody_reads(
    change: Change,
) -> None:
    found = stand(change('minitaur', 'feet.radius', 0.03))['feet']
    assert not found.ok
    assert 'feet.radius: 0.00' in found.way_out
    assert 'offset' not in found.way_out


@pytest.mark.parametrize(
    'entry, value, name, way_out',
    [
        ('mirror.joint_sign', [1, 1, 1], 'mirror', '_hip_joint'),
        ('oscillator.amplitude', [0.0, 0.25, 0.0], 'rhythm', 'oscillator.amplitude'),
        ('reset.fold', [0.0, 1.0, -2.0], 'fold', 'reset.fold'),
        ('reset.fold', [0.0, 1.4, -2.68], 'poses of the get-up', 'TARGET_INVALID'),
        ('joints.position_max', [0.9, 4.18, -0.92], 'joint limits', 'joints.position_max'),
        ('joints.action_box', [0.2, 0.32, 1.0], "the policy's reach", 'joints.action_box'),
        ('joints.stance', [0.0, 3.1, -1.8], 'axes of the root link', 'x forwards, y left, z up'),
        ('joints.kd', [2.0, 5.0, 5.0], 'calm in the air', 'joints.kd is too much'),
        ('feet.links', [['FL_toe'], ['FR_toe'], ['RR_toe'], ['RL_toe']], 'legs', 'feet.links'),
        ('reset.right_feet', ['FL_toe', 'RL_toe'], 'legs', 'whose y is negative'),
    ],
)
def test_what_does_not_fit_its_legs_is_found_by_name(
    change: Change, entry: str, value: Any, name: str, way_out: str
) -> None:
    found = {finding.name: finding for finding in examine(change('a1', entry, value))}[name]
    assert not found.ok
    assert way_out in found.way_out


def test_links_that_the_engine_takes_for_a_kilogram_are_named(tmp_path: Path) -> None:
    path = tmp_path / 'robot.urdf'
    path.write_text(
        '<robot name="x"><link name="hull"><inertial/></link><link name="lid"/></robot>'
    )
    robot = replace(model.load('a1'), urdf=path)
    found = urdf_check.check_mass(robot, drawn=12.0, simulated=13.0)
    assert not found.ok
    assert '13.0 kg in simulation, 12.0 kg in the URDF' in found.what
    assert 'lid' in found.way_out
    assert 'hull' not in found.way_out
    assert urdf_check.check_mass(robot, drawn=12.0, simulated=12.1).ok


def test_an_inertia_that_no_link_of_its_mass_can_have_is_named(change: Change) -> None:
    # A bar of 0.05 kg with 1 kg·m² stands as calmly as any: nothing else would say so.
    path = change('minitaur', 'simulation.inertia_from_urdf', True)
    found = {finding.name: finding for finding in examine(path)}['inertia']
    assert not found.ok
    assert '4.47 m' in found.what
    assert '1 kg·m² for 0.05 kg of upper_leg_' in found.what
    assert 'inertia_from_urdf: false' in found.way_out


def test_a_pose_that_is_cut_as_the_document_says_is_within_the_limits(change: Change) -> None:
    # 0.7 - 0.02 is a little less than 0.68 in the computer's numbers
    path = change('a1', 'joints.position_max', [0.7, 4.18, -0.92])
    robot = model.load(path)
    robot.sections['reset'].update(from_back=[], rise_again=[])
    frame = {'seconds': 0.3, 'right': [0.0, 1.4, -2.6], 'left': [0.68, 1.4, -2.6]}
    robot.sections['reset']['from_side'] = [frame]
    assert urdf_check.check_poses(robot, 0.02).ok
    frame['left'] = [0.6801, 1.4, -2.6]
    assert '0.6801 of FL_hip_joint is cut' in urdf_check.check_poses(robot, 0.02).what


def test_damping_that_shakes_a_limp_robot_is_found(change: Change) -> None:
    path = change('aliengo', 'joints.kd_damping', [8.0, 8.0, 8.0])
    found = {finding.name: finding for finding in examine(path)}['calm when limp']
    assert not found.ok
    assert '_hip_joint' in found.what
    assert 'joints.kd_damping is too much' in found.way_out


def test_parts_that_jam_are_named(change: Change) -> None:
    findings = examine(change('mini_cheetah', 'simulation.pass_through', []))
    found = {finding.name: finding for finding in findings}
    for name in ('no part jams another', 'folds', 'rolls over'):
        assert not found[name].ok
        assert 'simulation.pass_through' in found[name].way_out
    assert 'body with thigh_f' in found['no part jams another'].what
    assert 'body with thigh_f' in found['folds'].way_out


def steps(path: str) -> Finding:
    simulation = configuration.read(SimulationConfig, config_directory() / 'simulation.yaml')
    (found,) = check_stepping(model.load(path), simulation)
    return found


def test_a_rhythm_that_walks_by_itself_is_found(change: Change) -> None:
    found = steps(change('a1', 'oscillator.amplitude', [0.0, 0.25, -0.5]))
    assert not found.ok
    assert found.what == 'drifts backward by 0.13 m/s'  # 0.127 through the whole graph
    assert 'oscillator.amplitude' in found.way_out


def test_a_robot_that_rocks_over_when_it_steps_is_found(change: Change) -> None:
    found = steps(change('laikago', 'joints.stance', [-0.1, 0.3, -1.29]))
    assert not found.ok
    assert found.what.startswith('falls after')
    assert 'joints.stance' in found.way_out


def test_feet_too_close_together_for_the_height_are_told_and_how_far_they_should_be() -> None:
    robot = model.load('a1')
    places = np.array(((0.2, -0.13, -0.2), (0.2, 0.13, -0.2), (-0.2, -0.13, -0.2)))
    low, tall = (check_width(robot, lambda _: places, height) for height in (0.24, 0.26))
    assert low.ok
    assert not low.way_out
    assert not tall.ok
    assert not tall.needed
    assert tall.what == 'left and right feet 0.26 m apart, centre of mass 0.26 m high'
    assert 'joints.stance: hips out until the feet are 0.28 m apart' in tall.way_out


def test_what_learning_can_do_without_is_said_and_no_failure(change: Change) -> None:
    found = {finding.name: finding for finding in examine(change('a1', 'reset', {}))}
    assert not found['rolls over'].ok
    assert not found['rolls over'].needed
    assert fit(list(found.values()))


def test_a_file_that_cannot_be_read_is_one_finding_with_the_reason() -> None:
    (found,) = examine('spider')
    assert not found.ok
    assert "'spider' is not known" in found.what
