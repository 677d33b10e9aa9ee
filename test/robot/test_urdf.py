"""Claims about reading a URDF: a leg drawn by hand is told as it was drawn."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

from quad_learner.configuration import ConfigurationError
from quad_learner.robot.urdf import contents

LEG = """<robot name="hopper">
  <link name="body"><inertial><mass value="2.0"/>
    <inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
  <link name="antenna"/>
  <link name="thigh"/>
  <link name="shank"><inertial><mass value="0.5"/>
    <inertia ixx="1" ixy="0" ixz="0" iyy="1" iyz="0" izz="1"/></inertial></link>
  <link name="foot"/>
  <joint name="mast" type="fixed"><parent link="body"/><child link="antenna"/></joint>
  <joint name="hip" type="revolute"><parent link="body"/><child link="thigh"/>
    <origin xyz="0.2 -0.1 0" rpy="1.5707963267948966 0 0"/><axis xyz="0 1 0"/>
    <limit lower="-0.5" upper="1.5" effort="7" velocity="9"/></joint>
  <joint name="knee" type="continuous"><parent link="thigh"/><child link="shank"/>
    <origin xyz="0 -0.3 0"/><axis xyz="0 0 1"/><limit effort="6" velocity="8"/></joint>
  <joint name="ankle" type="fixed"><parent link="shank"/><child link="foot"/>
    <origin xyz="0 -0.25 0"/></joint>
</robot>"""


@pytest.fixture
def leg(tmp_path: Path) -> Path:
    path = tmp_path / 'leg.urdf'
    path.write_text(LEG)
    return path


def test_axes_and_places_are_those_of_the_root_link(leg: Path) -> None:
    hip, knee = contents(leg).joints
    assert (hip.name, hip.link, knee.name, knee.link) == ('hip', 'thigh', 'knee', 'shank')
    # a quarter turn about x takes y to z, and z to -y
    np.testing.assert_allclose(hip.axis, [0.0, 0.0, 1.0], atol=1e-12)
    np.testing.assert_allclose(knee.axis, [0.0, -1.0, 0.0], atol=1e-12)
    np.testing.assert_allclose(hip.place, [0.2, -0.1, 0.0], atol=1e-12)
    np.testing.assert_allclose(knee.place, [0.2, -0.1, -0.3], atol=1e-12)


def test_limits_are_the_urdfs_and_none_where_it_gives_none(leg: Path) -> None:
    hip, knee = contents(leg).joints
    assert hip.limits == (-0.5, 1.5)
    assert knee.limits is None
    assert (hip.torque_max, hip.speed_max) == (7.0, 9.0)
    assert (knee.torque_max, knee.speed_max) == (6.0, 8.0)


def test_the_end_of_a_leg_is_a_link_that_moves_and_bears_nothing(leg: Path) -> None:
    held = contents(leg)
    assert held.root == 'body'
    assert held.mass == pytest.approx(2.5)
    ((name, place),) = held.ends
    assert name == 'foot'
    np.testing.assert_allclose(place, [0.2, -0.1, -0.55], atol=1e-12)


@pytest.mark.parametrize(
    'sound, wrong, words',
    [
        ('<axis xyz="0 1 0"/>', '<axis xyz="0 1"/>', r'joint hip: xyz="0 1" of its axis must be'),
        ('"0 -0.3 0"', '"0 -0.3 0 0"', r'joint knee: xyz="0 -0.3 0 0" of its origin .*; mend a'),
        ('"0 -0.3 0"', f'"0 {math.nan} 0"', r'joint knee: xyz="0 nan 0"'),
        ('</robot>', '</root>', 'no XML: mismatched tag: line'),
        ('<link name="foot"/>', '', 'is no URDF: .*'),
    ],
)
def test_what_keeps_it_from_being_read_is_told_by_name(
    leg: Path, sound: str, wrong: str, words: str
) -> None:
    leg.write_text(LEG.replace(sound, wrong))
    with pytest.raises(ConfigurationError, match=words):
        contents(leg)


def test_of_many_faults_some_are_named_and_the_rest_counted(leg: Path) -> None:
    leg.write_text(LEG.replace(' 0"/>', ' 0 0"/>').replace('="1.5707963267948966 0 0"', '="1 0"'))
    with pytest.raises(ConfigurationError, match=r'joint hip.*joint hip.*; and 1 more; mend'):
        contents(leg)
