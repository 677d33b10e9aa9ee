from __future__ import annotations

import pytest

from quad_learner.reach import is_secured, reach
from quad_learner.resources import config_directory

LOCAL = {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST'}

OURS = {
    'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp',
    'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT',
    'FASTRTPS_DEFAULT_PROFILES_FILE': str(config_directory() / 'tools' / 'this_machine.xml'),
}
"""bound to 127.0.0.1, as test_flow.py sees it"""


@pytest.mark.parametrize(
    'environment',
    [
        LOCAL,
        {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF'},
        {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'OFF', 'ROS_STATIC_PEERS': '10.0.0.7'},
        {'ROS_LOCALHOST_ONLY': '1'},
        {'ROS_LOCALHOST_ONLY': '1', 'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'},
        LOCAL | {'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp', 'CYCLONEDDS_URI': ''},
        OURS,
    ],
)
def test_what_stays_on_this_machine(environment: dict[str, str]) -> None:
    assert reach(environment) == ''


@pytest.mark.parametrize(
    ('environment', 'named'),
    [
        ({}, 'SUBNET'),  # what ROS does when nothing is said
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': ''}, 'SUBNET'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, 'SUBNET'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SYSTEM_DEFAULT'}, 'SYSTEM_DEFAULT'),
        ({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'localhost'}, 'localhost'),
        ({'ROS_LOCALHOST_ONLY': '0'}, 'SUBNET'),
        (LOCAL | {'ROS_STATIC_PEERS': '10.0.0.7'}, '10.0.0.7'),
        (LOCAL | {'RMW_IMPLEMENTATION': 'rmw_zenoh_cpp'}, 'rmw_zenoh_cpp'),
        (LOCAL | {'CYCLONEDDS_URI': 'file:///a.xml'}, 'CYCLONEDDS_URI'),
        (LOCAL | {'ROS_DISCOVERY_SERVER': '10.0.0.7:11811'}, 'ROS_DISCOVERY_SERVER'),
        (LOCAL | {'FASTRTPS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        (OURS | {'FASTRTPS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        (OURS | {'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}, 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        (OURS | {'RMW_IMPLEMENTATION': 'rmw_cyclonedds_cpp'}, 'FASTRTPS_DEFAULT_PROFILES_FILE'),
        (OURS | {'FASTDDS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'FASTDDS_DEFAULT_PROFILES_FILE'),
        ({'ROS_LOCALHOST_ONLY': '1', 'FASTDDS_DEFAULT_PROFILES_FILE': 'a.xml'}, 'FASTDDS'),
    ],
)
def test_what_reaches_further_is_named(environment: dict[str, str], named: str) -> None:
    assert named in reach(environment)


def test_only_enforced_security_counts() -> None:
    enforced = {'ROS_SECURITY_ENABLE': 'true', 'ROS_SECURITY_STRATEGY': 'Enforce'}
    assert is_secured(enforced)
    for weaker in (
        {},
        enforced | {'ROS_SECURITY_STRATEGY': 'Permissive'},
        enforced | {'ROS_SECURITY_ENABLE': 'false'},
        {'ROS_SECURITY_ENABLE': 'true'},
    ):
        assert not is_secured(weaker)
