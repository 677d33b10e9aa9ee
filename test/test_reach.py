from __future__ import annotations

import os
import shutil
import subprocess
import sys

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


ELSEWHERE = """
import subprocess, sys, time

def wire():
    # A network of its own, with a cable to nowhere: what is sent on it is counted.
    for words in (
        'link set lo up', 'link add wire type veth peer name end',
        'link set wire addrgenmode none', 'link set end addrgenmode none',
        'addr add 10.9.8.7/24 dev wire', 'link set end up', 'link set wire up multicast on',
        'route add 224.0.0.0/4 dev wire',
    ):
        if subprocess.run(['ip', *words.split()]).returncode:
            raise SystemExit(77)

def sent():
    lines = open('/proc/net/dev').read().splitlines()
    return next(int(line.split(':')[1].split()[8]) for line in lines if 'wire:' in line)

wire()
import rclpy
from rclpy.node import Node
from sensor_msgs.msg import JointState

nodes = []
for name in ('one', 'other'):
    context = rclpy.Context()
    rclpy.init(context=context)
    nodes.append(Node(name, context=context))
says = nodes[0].create_publisher(JointState, 'joint_states', 10)
nodes[1].create_subscription(JointState, 'joint_states', lambda _: None, 10)
until = time.monotonic() + 20.0
while says.get_subscription_count() == 0 and time.monotonic() < until:
    time.sleep(0.01)
for _ in range(50):
    says.publish(JointState(name=['knee'] * 12))
    time.sleep(0.01)
print(says.get_subscription_count(), sent())
"""


def sent_to_others(environment: dict[str, str]) -> int:
    """Returns how many bytes two nodes that hear each other send on the network."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(('ROS_', 'RMW_', 'FAST'))}
    done = subprocess.run(
        ['unshare', '--user', '--net', '--map-root-user', sys.executable, '-c', ELSEWHERE],
        env=kept | {'RMW_IMPLEMENTATION': 'rmw_fastrtps_cpp'} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode == 77:
        pytest.skip(f'no network of its own can be had here: {done.stderr}')
    assert done.returncode == 0, done.stderr
    heard, sent = map(int, done.stdout.split())
    assert heard == 1, 'the two must hear each other'
    return sent


@pytest.mark.system
@pytest.mark.skipif(not shutil.which('unshare') or not shutil.which('ip'), reason='util-linux')
def test_nothing_is_sent_to_other_machines_unless_that_is_asked_for() -> None:
    assert sent_to_others({'ROS_AUTOMATIC_DISCOVERY_RANGE': 'SUBNET'}) > 1000
    assert sent_to_others(LOCAL) == 0
    assert sent_to_others(OURS) == 0
