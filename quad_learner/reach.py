"""Whether anybody beyond this machine can speak to the graph, told from the environment.

Source: the variables of ROS 2 Jazzy (rmw's discovery options) and those by which Fast DDS and
Cyclone DDS are told to do otherwise.
"""

from __future__ import annotations

from collections.abc import Mapping

from quad_learner.resources import config_directory

STAYS = ('LOCALHOST', 'OFF')
"""ranges of discovery that do not leave this machine"""
OVERRIDES = (
    'FASTDDS_DEFAULT_PROFILES_FILE',
    'FASTRTPS_DEFAULT_PROFILES_FILE',
    'CYCLONEDDS_URI',
    'ROS_DISCOVERY_SERVER',
)
"""may reach further whatever the range says"""
RANGE = 'ROS_AUTOMATIC_DISCOVERY_RANGE'
PROFILE = 'FASTRTPS_DEFAULT_PROFILES_FILE'
FAST_DDS = 'rmw_fastrtps_cpp'


def this_machine() -> dict[str, str]:
    """Returns the variables by which Fast DDS uses 127.0.0.1 alone, and no shared memory."""
    profile = config_directory() / 'tools' / 'this_machine.xml'
    return {'RMW_IMPLEMENTATION': FAST_DDS, RANGE: 'SYSTEM_DEFAULT', PROFILE: str(profile)}


def reach(environment: Mapping[str, str]) -> str:
    """Returns how others than this machine can be reached, in words; '' where they cannot.

    Args:
        environment: of the process, such as `os.environ`.
    """
    middleware = environment.get('RMW_IMPLEMENTATION', '')
    if middleware.startswith('rmw_zenoh'):
        return f'{middleware} takes no notice of ROS_AUTOMATIC_DISCOVERY_RANGE'
    ours = this_machine()
    bound = all(environment.get(name) == value for name, value in ours.items())
    for name in OVERRIDES:
        if environment.get(name) and not (bound and name == PROFILE):
            return f'{name} is set'
    if environment.get('ROS_LOCALHOST_ONLY') == '1':  # old, and where it is set it wins
        return ''
    if bound:
        return ''
    wide = environment.get(RANGE) or 'SUBNET'
    if wide not in STAYS:
        return f'{RANGE} is {wide}'
    peers = environment.get('ROS_STATIC_PEERS')
    return f'ROS_STATIC_PEERS names {peers}' if peers and wide != 'OFF' else ''


def is_secured(environment: Mapping[str, str]) -> bool:
    """Returns whether nobody without a certificate can join: SROS2, enforced.

    Args:
        environment: of the process, such as `os.environ`.
    """
    enabled = environment.get('ROS_SECURITY_ENABLE', '') == 'true'
    return enabled and environment.get('ROS_SECURITY_STRATEGY', '') == 'Enforce'
