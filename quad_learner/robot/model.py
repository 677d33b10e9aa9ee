"""The robot as data: joints, limits, stance, gains, feet, rates, thresholds, read from its YAML.

Nothing else in the package knows a joint count or a link name. Adding a robot is adding a file to
`config/robots/`; docs/new_robot.md explains each entry.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.resources import urdf_places
from quad_learner.robot.entries import Entries, read_yaml
from quad_learner.robot.names import file_of

Array = NDArray[np.float64]

_PER_JOINT = (
    'position_min',
    'position_max',
    'speed_max',
    'torque_max',
    'stance',
    'kp',
    'kd',
    'kd_damping',
    'action_box',
)
"""entries of `joints` that hold a number a joint"""
_TURNS = ('position_min', 'position_max', 'action_box')
"""those that are angles, where somebody may have written degrees"""
_ANGLES = ('fall_roll', 'fall_pitch', 'constraint_roll', 'constraint_pitch')
"""entries of `limits`"""
_ENDS = ('link_a', 'point_a', 'link_b', 'point_b')
"""entries of a loop closure"""
_TURN_MOST = 4.0 * math.pi
"""[rad] two turns, a limit of a joint: beyond it somebody wrote degrees"""
_FOOT_LARGEST = 0.3
"""[m] radius of a foot: beyond it somebody wrote millimetres"""


@dataclass(frozen=True)
class LoopClosure:
    """Two links held together at a point: a joint that the URDF's tree cannot express."""

    link_a: str
    point_a: tuple[float, float, float]
    """in the frame of `link_a` [m]"""
    link_b: str
    point_b: tuple[float, float, float]
    """in the frame of `link_b` [m]"""


@dataclass(frozen=True)
class RobotModel:
    """One robot. Arrays are read-only, in the order of `joints` (or `feet`), SI units."""

    name: str
    urdf: Path
    base_link: str
    imu_offset: Array
    joints: tuple[str, ...]
    position_min: Array
    position_max: Array
    speed_max: Array
    torque_max: Array
    stance: Array
    kp: Array
    kd: Array
    kd_damping: Array
    position_overrun: float
    """how far beyond its limits a joint can be turned, where nothing stops it [rad]"""
    action_box: Array
    """the policy's reach on either side of the stance [rad], (joints,)"""
    feet: tuple[str, ...]
    """link names, one foot a leg"""
    foot_offset: Array
    """of the middle of each foot from its link's origin, in the link's frame [m], (3,)"""
    foot_radius: float
    foot_force_threshold: float
    """above it a foot is on the ground [N]"""
    height: float
    """of the root link above level ground in the stance [m]"""
    spawn_height: float
    physics_hz: int
    command_hz: int
    policy_hz: int
    fall_roll: float
    fall_pitch: float
    constraint_roll: float
    constraint_pitch: float
    has_foot_force: bool
    has_motor_temperature: bool
    has_joint_torque: bool
    """efforts are measured, so that a motor that makes none can be told from one that rests"""
    power_max: float
    """of all motors together, driving and braking, at any instant [W]"""
    power_continuous: float
    """the same in the mean [W]"""
    battery_full_voltage: float
    battery_empty_voltage: float
    battery_capacity: float
    """[W·h]"""
    motor_temperature_max: float
    """[°C]"""
    loop_closures: tuple[LoopClosure, ...]
    sections: Mapping[str, Any]
    """what the file holds for single parts (such as `reset`), read by those parts"""
    identity: str = ''
    """which of several robots of its kind; '' where there is but one"""

    @property
    def joints_hash(self) -> int:
        """CRC-32 of the joint names in order and `identity`: tells a command meant for others."""
        names = ','.join(self.joints)
        return zlib.crc32((f'{names}@{self.identity}' if self.identity else names).encode())

    @property
    def ticks_per_decision(self) -> int:
        """Command ticks from one policy decision to the next."""
        return self.command_hz // self.policy_hz

    @property
    def substeps(self) -> int:
        """Physics steps in a command tick."""
        return self.physics_hz // self.command_hz


def load(robot: str) -> RobotModel:
    """Returns the robot called `robot`: a name in `config/robots/` or a path to a YAML file.

    Raises:
        ConfigurationError: no such robot, no such URDF, or an entry is missing, unknown or wrong.
    """
    path = file_of(robot)
    return _Reader(Entries(path, read_yaml(path))).model()


class _Reader:
    """Reads one robot file, naming the file and the entry in each error."""

    _KNOWN = (
        'name',
        'urdf',
        'rates_hz',
        'base_link',
        'imu_offset',
        'joint_order',
        'joint_names',
        'joints',
        'feet',
        'height',
        'spawn_height',
        'limits',
        'sensors',
        'power',
        'battery',
        'motor_temperature_max',
        'loop_closures',
    )
    _SECTIONS = ('passive', 'reset', 'simulation', 'oscillator', 'mirror')
    """read by the parts that need them"""
    _WITHIN: Mapping[str, tuple[str, ...]] = {
        'rates_hz': ('physics', 'command', 'policy'),
        'joints': (*_PER_JOINT, 'position_overrun'),
        'feet': ('links', 'offset', 'radius', 'force_threshold'),
        'limits': _ANGLES,
        'sensors': ('foot_force', 'motor_temperature', 'joint_torque'),
        'power': ('peak', 'continuous'),
        'battery': ('full_voltage', 'empty_voltage', 'capacity'),
    }
    """what the entries hold that hold entries"""

    def __init__(self, entries: Entries) -> None:
        self._entries = entries
        entries.only((*self._KNOWN, *self._SECTIONS))
        for name, known in self._WITHIN.items():
            entries.only(known, name)

    def model(self) -> RobotModel:
        """Returns the robot.

        Raises:
            ConfigurationError: an entry is missing or out of bounds.
        """
        entries, legs = self._entries, self._legs()
        joints, feet = self._joints(legs), self._feet(legs)
        values: dict[str, Any] = {name: self._per_joint(name, legs, joints) for name in _PER_JOINT}
        self._check_joints(joints, values)
        rates = self._rates()
        peak, continuous = self._falling('power', 'peak', 'continuous')
        full_voltage, empty_voltage = self._voltages()
        return RobotModel(
            name=entries.text('name'),
            urdf=self._urdf(entries.text('urdf')),
            base_link=entries.text('base_link'),
            imu_offset=entries.numbers('imu_offset', entries.get('imu_offset'), 3),
            joints=tuple(joints),
            **values,
            position_overrun=self._overrun(),
            feet=tuple(feet),
            foot_offset=self._foot_offset(),
            foot_radius=entries.number('feet', 'radius', above=0.0, most=_FOOT_LARGEST),
            foot_force_threshold=entries.number('feet', 'force_threshold', above=0.0),
            height=entries.number('height', above=0.0),
            spawn_height=entries.number('spawn_height', above=0.0),
            physics_hz=rates['physics'],
            command_hz=rates['command'],
            policy_hz=rates['policy'],
            **self._angles(),
            has_foot_force=entries.switch('sensors', 'foot_force'),
            has_motor_temperature=entries.switch('sensors', 'motor_temperature'),
            has_joint_torque=entries.switch('sensors', 'joint_torque'),
            power_max=peak,
            power_continuous=continuous,
            battery_full_voltage=full_voltage,
            battery_empty_voltage=empty_voltage,
            battery_capacity=entries.number('battery', 'capacity', above=0.0),
            motor_temperature_max=entries.number('motor_temperature_max', above=0.0),
            loop_closures=tuple(self._closures(legs)),
            sections={k: v for k, v in entries.content.items() if k in self._SECTIONS},
        )

    def _legs(self) -> list[str]:
        order = self._entries.get('joint_order')
        if not isinstance(order, list) or not order or len(set(map(str, order))) != len(order):
            raise self._entries.error('joint_order', order, 'must be a list that names each leg')
        return [str(leg) for leg in order]

    def _joints(self, legs: list[str]) -> list[str]:
        joints = self._expand(legs, 'joint_names')
        if len(set(joints)) != len(joints):
            rule = (
                'each joint must be named once: the joints of a leg with {leg} in its place, or '
                'where the names follow no pattern a list of them for each leg'
            )
            raise self._entries.error('joint_names', joints, rule)
        return joints

    def _feet(self, legs: list[str]) -> list[str]:
        feet = self._expand(legs, 'feet', 'links')
        if len(set(feet)) != len(feet) or len(feet) != len(legs):
            raise self._entries.error('feet.links', feet, f'must be one link for each of {legs}')
        return feet

    def _expand(self, legs: list[str], *keys: str) -> list[str]:
        """Returns names, leg by leg: patterns for every leg alike, or a list of names a leg."""
        name, found = '.'.join(keys), self._entries.get(*keys)
        if not isinstance(found, list) or not found:
            raise self._entries.error(name, found, 'must be a list of names')
        if not any(isinstance(item, list) for item in found):
            return [self._filled(name, item, leg) for leg in legs for item in found]
        sizes = {len(item) if isinstance(item, list) else 0 for item in found}
        if len(found) != len(legs) or len(sizes) != 1 or 0 in sizes:
            rule = f'must be one list for each of {legs}, all as long'
            raise self._entries.error(name, found, rule)
        return [str(item) for leg in found for item in leg]

    def _filled(self, name: str, pattern: Any, leg: str) -> str:
        text = str(pattern).replace('{leg}', leg)
        if '{' in text or '}' in text:
            raise self._entries.error(name, pattern, 'may hold {leg} and no other braces')
        return text

    def _per_joint(self, name: str, legs: list[str], joints: list[str]) -> Array:
        whole, value = f'joints.{name}', self._entries.get('joints', name)
        a_leg = len(joints) // len(legs)
        if not isinstance(value, list) or len(value) not in (a_leg, len(joints)):
            rule = (
                f'must be {len(joints)} finite numbers, one for each joint, or {a_leg}, one for '
                'each of joint_names'
            )
            raise self._entries.error(whole, value, rule)
        once = self._entries.numbers(whole, value, len(value))
        repeated = np.tile(once, len(joints) // len(value))
        repeated.setflags(write=False)
        return repeated

    def _overrun(self) -> float:
        if 'position_overrun' not in self._entries.get('joints'):
            return 0.0
        value = self._entries.number('joints', 'position_overrun')
        if value < 0.0:
            raise self._entries.error('joints.position_overrun', value, 'must be 0 or more')
        return value

    def _foot_offset(self) -> Array:
        value = self._entries.get('feet').get('offset', [0.0, 0.0, 0.0])
        return self._entries.numbers('feet.offset', value, 3)

    def _check_joints(self, joints: list[str], values: Mapping[str, Array]) -> None:
        low, high, stance = values['position_min'], values['position_max'], values['stance']
        far = f'must be within ±{_TURN_MOST:.2f} rad; degrees?'
        rules = [
            *((name, np.abs(values[name]) <= _TURN_MOST, far) for name in _TURNS),
            *(
                (name, values[name] > 0.0, 'must be above 0')
                for name in ('speed_max', 'torque_max', 'kp', 'kd', 'kd_damping', 'action_box')
            ),
            ('position_min', low < high, 'must be below position_max'),
            ('stance', (low <= stance) & (stance <= high), 'must be within the limits'),
        ]
        for name, kept, rule in rules:
            if not kept.all():
                joint = int(np.argmin(kept))
                bounds = f' {low[joint]:g} … {high[joint]:g}' if name == 'stance' else ''
                raise self._entries.error(
                    f'joints.{name}',
                    self._entries.get('joints', name),
                    f'{rule}{bounds}; {values[name][joint]:g} of {joints[joint]} is not',
                )

    def _rates(self) -> dict[str, int]:
        rates = {key: self._entries.whole('rates_hz', key) for key in self._WITHIN['rates_hz']}
        if rates['physics'] % rates['command'] or rates['command'] % rates['policy']:
            rule = 'physics must be a multiple of command, and command of policy'
            raise self._entries.error('rates_hz', rates, rule)
        return rates

    def _angles(self) -> dict[str, Any]:
        angles = {
            name: self._entries.number('limits', name, above=0.0, most=math.pi) for name in _ANGLES
        }
        for axis in ('roll', 'pitch'):
            if angles[f'constraint_{axis}'] > angles[f'fall_{axis}']:
                rule = f'must be at most fall_{axis} = {angles[f"fall_{axis}"]:g} [rad]'
                name = f'constraint_{axis}'
                raise self._entries.error(f'limits.{name}', angles[name], rule)
        return dict(angles)

    def _falling(self, section: str, upper: str, lower: str) -> tuple[float, float]:
        """Returns two numbers of a section, the second above 0 and no larger than the first."""
        high, low = (self._entries.number(section, key) for key in (upper, lower))
        if not 0.0 < low <= high:
            rule = f'{lower} must be above 0 and at most {upper}'
            raise self._entries.error(section, {upper: high, lower: low}, rule)
        return high, low

    def _voltages(self) -> tuple[float, float]:
        """Returns those of the full and of the empty battery, which must differ [V]."""
        voltages = self._falling('battery', 'full_voltage', 'empty_voltage')
        if voltages[0] == voltages[1]:
            rule = 'empty_voltage must be below full_voltage'
            raise self._entries.error('battery', voltages, rule)
        return voltages

    def _urdf(self, name: str) -> Path:
        beside, shipped = urdf_places(name, self._entries.path.parent)
        for place in (beside, shipped):
            if place.is_file():
                return place
        rule = f'there is no such file at {beside} nor at {shipped}'
        raise self._entries.error('urdf', name, rule)

    def _closures(self, legs: Sequence[str]) -> list[LoopClosure]:
        """Returns each closure once a leg, or once where it names no {leg}."""
        items = self._entries.get('loop_closures')
        if not isinstance(items, list):
            raise self._entries.error('loop_closures', items, 'must be a list, [] for none')
        for item in items:
            if not isinstance(item, dict) or set(item) != set(_ENDS):
                rule = f'must hold exactly {", ".join(_ENDS)}'
                raise self._entries.error('loop_closures', item, rule)
        return [
            self._closure(item, leg)
            for leg in legs
            for item in items
            if leg == legs[0] or '{leg}' in f'{item["link_a"]}{item["link_b"]}'
        ]

    def _closure(self, item: Mapping[str, Any], leg: str) -> LoopClosure:
        links = [self._filled('loop_closures', item[key], leg) for key in ('link_a', 'link_b')]
        a, b = (
            self._entries.numbers(f'loop_closures.{key}', item[key], 3).tolist()
            for key in ('point_a', 'point_b')
        )
        return LoopClosure(links[0], (a[0], a[1], a[2]), links[1], (b[0], b[1], b[2]))
