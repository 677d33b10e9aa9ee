"""Claims about robot files."""

from __future__ import annotations

import dataclasses
import xml.etree.ElementTree as ElementTree
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from quad_learner.configuration import ConfigurationError
from quad_learner.resources import config_directory
from quad_learner.robot import model
from quad_learner.robot.names import robots

SHIPPED = pytest.mark.parametrize('name', robots())


@pytest.fixture
def content() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((config_directory() / 'robots/a1.yaml').read_text())
    return loaded


def load(content: object, folder: Path) -> model.RobotModel:
    path = folder / 'robot.yaml'
    path.write_text(yaml.safe_dump(content))
    return model.load(str(path))


@SHIPPED
def test_every_name_is_in_the_urdf(name: str) -> None:
    robot = model.load(name)
    root = ElementTree.parse(robot.urdf).getroot()
    joints = {joint.attrib['name'] for joint in root.findall('joint')}
    links = {link.attrib['name'] for link in root.findall('link')}
    ends = {end for loop in robot.loop_closures for end in (loop.link_a, loop.link_b)}
    assert set(robot.joints) | set(robot.sections.get('passive', {})) <= joints
    assert {robot.base_link, *robot.feet, *ends} <= links


@SHIPPED
def test_limits_are_within_those_of_the_urdf(name: str) -> None:
    robot = model.load(name)
    root = ElementTree.parse(robot.urdf).getroot()
    for index, joint in enumerate(robot.joints):
        limit = root.find(f"./joint[@name='{joint}']/limit")
        if limit is None:  # a URDF of "continuous" joints tells nothing of the motors
            continue
        assert robot.torque_max[index] <= float(limit.attrib['effort'])
        assert robot.speed_max[index] <= float(limit.attrib['velocity'])
        if 'lower' in limit.attrib:
            assert robot.position_min[index] >= float(limit.attrib['lower'])
            assert robot.position_max[index] <= float(limit.attrib['upper'])


@SHIPPED
def test_the_policy_may_reach_nothing_beyond_the_limits(name: str) -> None:
    robot = model.load(name)
    assert (robot.stance - robot.action_box >= robot.position_min).all()
    assert (robot.stance + robot.action_box <= robot.position_max).all()


def test_the_stance_of_the_a1_is_as_high_as_its_legs_are_long() -> None:
    # Two links of 0.2 m, the upper leaning 0.9 rad back and the lower 0.9 rad forward, and a sole.
    assert model.load('a1').height == pytest.approx(2 * 0.2 * np.cos(0.9) + 0.02, abs=0.005)


def test_lists_for_a_leg_are_repeated_for_each_leg() -> None:
    robot = model.load('a1')
    assert robot.joints[:4] == ('FR_hip_joint', 'FR_upper_joint', 'FR_lower_joint', 'FL_hip_joint')
    np.testing.assert_array_equal(robot.stance, [0.0, 0.9, -1.8] * 4)
    assert robot.feet == ('FR_toe', 'FL_toe', 'RR_toe', 'RL_toe')


def test_lists_for_all_joints_are_taken_as_they_are() -> None:
    robot = model.load('minitaur')
    assert robot.joints[0] == 'motor_front_leftL_joint'
    np.testing.assert_allclose(robot.stance, np.repeat([-np.pi / 2, np.pi / 2], 4), atol=1e-4)
    assert [loop.link_a for loop in robot.loop_closures] == list(robot.feet)


def test_a_joint_has_stops_unless_its_file_says_how_far_it_turns(
    content: dict[str, Any], tmp_path: Path
) -> None:
    assert load(content, tmp_path).position_overrun == 0.0
    joints = content['joints']
    turned = load(content | {'joints': joints | {'position_overrun': 3.0}}, tmp_path)
    assert turned.position_overrun == 3.0
    with pytest.raises(ConfigurationError, match=r'position_overrun = -1\.0: must be 0 or more'):
        load(content | {'joints': joints | {'position_overrun': -1.0}}, tmp_path)


def test_names_that_follow_no_pattern_are_given_leg_by_leg(
    content: dict[str, Any], tmp_path: Path
) -> None:
    # A leg and a joint may be called by a number, which YAML reads as one.
    names = {'joint_order': [2, 0], 'joint_names': [[10, 'a', 5], [8, 'b', 1]]}
    robot = load(content | names | {'feet': content['feet'] | {'links': ['toe{leg}']}}, tmp_path)
    assert robot.joints == ('10', 'a', '5', '8', 'b', '1')
    assert robot.feet == ('toe2', 'toe0')
    paws = content['feet'] | {'links': [['paw'], ['hoof']]}
    assert load(content | names | {'feet': paws}, tmp_path).feet == ('paw', 'hoof')


def test_a_closure_without_a_leg_in_its_names_is_there_once(
    content: dict[str, Any], tmp_path: Path
) -> None:
    def closure(a: str, b: str) -> dict[str, Any]:
        point = [0.0, 0.0, 0.1]
        return {'link_a': a, 'point_a': point, 'link_b': b, 'point_b': point}

    items = [closure('{leg}_lower', '{leg}_rod'), closure('tail', 'trunk')]
    found = load(content | {'loop_closures': items}, tmp_path).loop_closures
    ends = [(loop.link_a, loop.link_b) for loop in found]
    legs = ('FR', 'FL', 'RR', 'RL')
    assert sorted(ends) == sorted(
        [(f'{leg}_lower', f'{leg}_rod') for leg in legs] + [('tail', 'trunk')]
    )


@pytest.mark.parametrize(
    'text, complaint',
    [
        (b'height: 1.0\nheight: 2.0\n', "'height' is there twice; take one out(.|\n)*line 2"),
        (b'joints:\n  kp: [1.0]\n  kp: [2.0]\n', "'kp' is there twice(.|\n)*line 3"),
        (b'joints:\n\tkp: [1.0]\n', 'cannot start any token(.|\n)*line 2'),
        (bytes(range(128, 256)), 'robot.yaml cannot be read'),
    ],
)
def test_a_file_that_is_not_read_as_it_is_written_is_refused(
    tmp_path: Path, text: bytes, complaint: str
) -> None:
    (tmp_path / 'robot.yaml').write_bytes(text)
    with pytest.raises(ConfigurationError, match=complaint):
        model.load(str(tmp_path / 'robot.yaml'))


@SHIPPED
def test_rates_divide_each_other(name: str) -> None:
    robot = model.load(name)
    assert robot.substeps * robot.command_hz == robot.physics_hz
    assert robot.ticks_per_decision * robot.policy_hz == robot.command_hz


def test_the_joints_hash_is_the_crc_of_the_names_in_order() -> None:
    robot = model.load('a1')
    assert robot.joints_hash == zlib.crc32(','.join(robot.joints).encode())
    assert robot.joints_hash != model.load('minitaur').joints_hash


def test_two_robots_of_a_kind_are_told_apart() -> None:
    robot = model.load('a1')
    left, right = (dataclasses.replace(robot, identity=name) for name in ('left', 'right'))
    assert len({each.joints_hash for each in (robot, left, right)}) == 3


def test_arrays_cannot_be_written_to() -> None:
    with pytest.raises(ValueError, match='read-only'):
        model.load('a1').stance[0] = 1.0


def test_sections_are_kept_for_the_parts_that_read_them(
    content: dict[str, Any], tmp_path: Path
) -> None:
    robot = load(content | {'passive': {'elbow': 1.5}}, tmp_path)
    assert robot.sections['passive'] == {'elbow': 1.5}


def test_an_entry_that_nobody_reads_is_refused(content: dict[str, Any], tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="unknown entry 'mirorr'; did you mean 'mirror'"):
        load(content | {'mirorr': {}}, tmp_path)


def test_an_unknown_robot_is_answered_with_those_there_are() -> None:
    with pytest.raises(
        ConfigurationError, match="'spider' is not known; choose one of a1, aliengo, laikago"
    ):
        model.load('spider')


def test_an_absent_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r'absent\.yaml cannot be read'):
        model.load(str(tmp_path / 'absent.yaml'))


@pytest.mark.parametrize('text', ['- a list', 'words', ''])
def test_a_file_of_another_shape_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / 'robot.yaml').write_text(text)
    with pytest.raises(ConfigurationError, match='must be a mapping'):
        model.load(str(tmp_path / 'robot.yaml'))


@pytest.mark.parametrize(
    'keys, value, complaint',
    [
        (('height',), None, 'height = None: must be a finite number'),
        (('height',), True, 'must be a finite number'),
        (('height',), float('nan'), 'must be a finite number'),
        (('rates_hz', 'policy'), 7, 'physics must be a multiple of command'),
        (('rates_hz', 'physics'), 0, 'rates_hz.physics = 0: must be a whole number above 0'),
        (('rates_hz', 'command'), 120.0, 'must be a whole number'),
        (('joints', 'kp'), [60.0, 60.0], 'joints.kp = .*: must be 12 finite numbers'),
        (('joints', 'kp'), ['stiff'] * 3, 'must be a list of numbers'),
        (('joints', 'kd'), [2.0, 0.0, 2.0], 'joints.kd = .*: must be above 0'),
        (('joints', 'stance'), [0.0, 9.0, -1.8], 'joints.stance = .*: must be within the limits'),
        (('joints', 'position_min'), [0.8, -1.0, -2.6], 'must be below position_max'),
        (('joints', 'position_max'), [45.0, 4.1, -0.9], r'within ±12\.57 rad; degrees\?; 45 of'),
        (('joints', 'action_box'), [0.2, 18.0, 18.0], r'within ±12\.57 rad; degrees\?'),
        (('joint_names',), ['{leg}_hip_joint'] * 3, 'each joint must be named once'),
        (('urdf',), 'a1/a2.urdf', "urdf = 'a1/a2.urdf': there is no such file"),
        (('power', 'peak'), 449.0, 'power = .*: continuous must be above 0 and at most peak'),
        (('power', 'continuous'), 0.0, 'continuous must be above 0 and at most peak'),
        (('imu_offset',), [0.0, 0.0], 'imu_offset = .*: must be 3 finite numbers'),
        (('name',), ['a', 'b'], 'name = .*: must be a text'),
        (('joint_order',), 'FR FL', 'joint_order = .* a list that names each leg'),
        (('joint_order',), ['FR', 'FR'], 'joint_order = .* a list that names each leg'),
        (('joint_order',), [], 'joint_order = .* a list that names each leg'),
        (('joint_names',), '{leg}_hip_joint', 'joint_names = .*: must be a list of names'),
        (('joint_names',), None, 'joint_names = None: must be a list of names'),
        (('joint_names',), ['{legs}_hip'], 'joint_names = .*: may hold {leg} and no other braces'),
        (('joint_names',), ['{leg_hip'], 'joint_names = .*: may hold {leg} and no other braces'),
        (
            ('joint_names',),
            [['a', 'b'], ['c', 'd']],
            'must be one list for each of .* all as long',
        ),
        (('joint_names',), [['a'], ['b'], ['c'], ['d', 'e']], 'must be one list for each of'),
        (('joint_names',), [['a'], ['b'], ['c'], 'd'], 'must be one list for each of'),
        (('feet', 'links'), ['FR_toe', 'FL_toe'], 'feet.links = .* one link for each of'),
        (('feet', 'links'), ['{leg}_toe', '{leg}_lower'], 'feet.links = .* one link for each of'),
        (('feet', 'radius'), 20.0, 'feet.radius = 20.0: must be above 0 and at most 0.3'),
        (('feet', 'radius'), -0.02, 'feet.radius = -0.02: must be above 0 and at most 0.3'),
        (('feet', 'offset'), 0.1, 'feet.offset = 0.1: must be a list of numbers'),
        (('feet', 'radious'), 0.02, "unknown entry 'feet.radious'; did you mean 'radius'"),
        (('joints', 'kpp'), 1.0, "unknown entry 'joints.kpp'; did you mean 'kp'"),
        (('joints',), [1.0], 'joints = .*: must hold position_min, position_max'),
        (('joints', 'kp'), ['60', '60', '60'], 'joints.kp = .*: must be a list of numbers'),
        (('joints', 'kp'), [True] * 3, 'joints.kp = .*: must be a list of numbers'),
        (('joints', 'kp'), 60.0, 'must be 12 finite numbers, one for each joint, or 3, one for'),
        (('joints', 'stance'), [0.0, 0.9, 1.8], r'-2.69 … -0.92; 1.8 of FR_lower_joint is not'),
        (('limits', 'fall_roll'), 45.0, 'fall_roll = 45.0: must be above 0 and at most 3.14'),
        (('limits', 'fall_pitch'), 0.0, 'fall_pitch = 0.0: must be above 0'),
        (('limits', 'constraint_roll'), 0.8, r'must be at most fall_roll = 0.79 \[rad\]'),
        (('sensors', 'foot_force'), 'no', "foot_force = 'no': must be true or false"),
        (('sensors', 'foot_force'), 0, 'foot_force = 0: must be true or false'),
        (('battery', 'full_voltage'), 10.0, 'empty_voltage must be above 0 and at most full'),
        (('battery', 'full_voltage'), 19.8, 'empty_voltage must be below full_voltage'),
        (('battery', 'capacity'), 0.0, 'battery.capacity = 0.0: must be above 0'),
        (('height',), 0.0, 'height = 0.0: must be above 0'),
        (('loop_closures',), None, r'loop_closures = None: must be a list, \[\] for none'),
        (('loop_closures',), ['FR_toe'], 'must hold exactly link_a, point_a, link_b, point_b'),
    ],
)
def test_a_wrong_entry_is_named_with_its_rule(
    content: dict[str, Any], tmp_path: Path, keys: tuple[str, ...], value: object, complaint: str
) -> None:
    entry = content
    for key in keys[:-1]:
        entry = entry[key]
    entry[keys[-1]] = value
    with pytest.raises(ConfigurationError, match=complaint):
        load(content, tmp_path)


def test_a_missing_entry_is_named(content: dict[str, Any], tmp_path: Path) -> None:
    del content['joints']['kp']
    with pytest.raises(ConfigurationError, match=r"the entry 'joints\.kp' is missing"):
        load(content, tmp_path)


def test_a_urdf_may_lie_beside_its_robot_file(content: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / 'mine.urdf').write_text('<robot/>')
    assert load(content | {'urdf': 'mine.urdf'}, tmp_path).urdf == tmp_path / 'mine.urdf'
