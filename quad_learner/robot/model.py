"""The robot as data: joints, limits, stance, gains, feet, rates, thresholds, read from its YAML.

Nothing else in the package knows a joint count or a link name. Adding a robot is adding a file to
`config/robots/`; docs/new_robot.md explains each entry.
"""

from __future__ import annotations

import difflib
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray

from quad_learner.configuration import ConfigurationError
from quad_learner.resources import config_directory

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
    """link names"""
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


def robots() -> tuple[str, ...]:
    """Returns the names of the robots that the package ships."""
    return tuple(sorted(path.stem for path in (config_directory() / 'robots').glob('*.yaml')))


def load(robot: str) -> RobotModel:
    """Returns the robot called `robot`: a name in `config/robots/` or a path to a YAML file.

    Raises:
        ConfigurationError: no such robot, no such URDF, or an entry is missing, unknown or wrong.
    """
    path = Path(robot)
    if path.suffix not in ('.yaml', '.yml'):
        path = config_directory() / 'robots' / f'{robot}.yaml'
        if not path.is_file():
            raise ConfigurationError(
                f'robot {robot!r} is not known; choose one of {", ".join(robots())} '
                'or give the path of a robot YAML'
            )
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise ConfigurationError(f'robot file {path} cannot be read: {error}') from error
    return _Reader(path, content).model()


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

    def __init__(self, path: Path, content: Any) -> None:
        if not isinstance(content, dict):
            raise ConfigurationError(f'robot file {path} must be a mapping of entries')
        self._path = path
        self._content = content
        known = (*self._KNOWN, *self._SECTIONS)
        for name in content:
            if name not in known:
                close = difflib.get_close_matches(str(name), known, n=1)
                hint = f'did you mean {close[0]!r}?' if close else f'known: {", ".join(known)}'
                raise ConfigurationError(f'{path}: unknown entry {name!r}; {hint}')

    def model(self) -> RobotModel:
        """Returns the robot.

        Raises:
            ConfigurationError: an entry is missing or out of bounds.
        """
        legs = [str(leg) for leg in self._get('joint_order')]
        joints = self._expand(legs, self._get('joint_names'))
        values: dict[str, Any] = {
            name: self._per_joint(name, len(legs), len(joints)) for name in _PER_JOINT
        }
        self._check_joints(joints, values)
        rates = {key: self._whole('rates_hz', key) for key in ('physics', 'command', 'policy')}
        if rates['physics'] % rates['command'] or rates['command'] % rates['policy']:
            raise self._error(
                'rates_hz', rates, 'physics must be a multiple of command, and command of policy'
            )
        limits = ('fall_roll', 'fall_pitch', 'constraint_roll', 'constraint_pitch')
        angles: dict[str, Any] = {name: self._number('limits', name) for name in limits}
        power = {key: self._number('power', key) for key in ('peak', 'continuous')}
        if not 0.0 < power['continuous'] <= power['peak']:
            raise self._error('power', power, 'continuous must be above 0 and at most peak')
        return RobotModel(
            name=str(self._get('name')),
            urdf=self._urdf(str(self._get('urdf'))),
            base_link=str(self._get('base_link')),
            imu_offset=self._array('imu_offset', self._get('imu_offset'), 3),
            joints=tuple(joints),
            **values,
            position_overrun=self._overrun(),
            feet=tuple(self._expand(legs, self._get('feet', 'links'))),
            foot_radius=self._number('feet', 'radius'),
            foot_force_threshold=self._number('feet', 'force_threshold'),
            height=self._number('height'),
            spawn_height=self._number('spawn_height'),
            physics_hz=rates['physics'],
            command_hz=rates['command'],
            policy_hz=rates['policy'],
            **angles,
            has_foot_force=bool(self._get('sensors', 'foot_force')),
            has_motor_temperature=bool(self._get('sensors', 'motor_temperature')),
            has_joint_torque=bool(self._get('sensors', 'joint_torque')),
            power_max=power['peak'],
            power_continuous=power['continuous'],
            battery_full_voltage=self._number('battery', 'full_voltage'),
            battery_empty_voltage=self._number('battery', 'empty_voltage'),
            battery_capacity=self._number('battery', 'capacity'),
            motor_temperature_max=self._number('motor_temperature_max'),
            loop_closures=tuple(self._closure(item, legs) for item in self._closures(legs)),
            sections={k: v for k, v in self._content.items() if k in self._SECTIONS},
        )

    def _error(self, name: str, value: Any, rule: str) -> ConfigurationError:
        return ConfigurationError(f'{self._path}: {name} = {value!r}: {rule}')

    def _get(self, *keys: str) -> Any:
        value: Any = self._content
        for depth, key in enumerate(keys):
            if not isinstance(value, dict) or key not in value:
                name = '.'.join(keys[: depth + 1])
                raise ConfigurationError(f'{self._path}: the entry {name!r} is missing')
            value = value[key]
        return value

    def _number(self, *keys: str) -> float:
        value = self._get(*keys)
        if (
            isinstance(value, bool)
            or not isinstance(value, (int, float))
            or not np.isfinite(value)
        ):
            raise self._error('.'.join(keys), value, 'must be a finite number')
        return float(value)

    def _whole(self, *keys: str) -> int:
        value = self._get(*keys)
        if isinstance(value, bool) or not isinstance(value, int) or value <= 0:
            raise self._error('.'.join(keys), value, 'must be a whole number above 0')
        return value

    def _array(self, name: str, value: Any, size: int) -> Array:
        try:
            array = np.array(value, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise self._error(name, value, 'must be a list of numbers') from error
        if array.shape != (size,) or not np.isfinite(array).all():
            raise self._error(name, value, f'must be {size} finite numbers')
        array.setflags(write=False)
        return array

    def _per_joint(self, name: str, legs: int, joints: int) -> Array:
        value = self._get('joints', name)
        repeated = (
            value * legs if isinstance(value, list) and len(value) * legs == joints else value
        )
        return self._array(f'joints.{name}', repeated, joints)

    def _overrun(self) -> float:
        if 'position_overrun' not in self._get('joints'):
            return 0.0
        value = self._number('joints', 'position_overrun')
        if value < 0.0:
            raise self._error('joints.position_overrun', value, 'must be 0 or more')
        return value

    def _check_joints(self, joints: list[str], values: Mapping[str, Array]) -> None:
        if len(set(joints)) != len(joints):
            raise self._error('joint_names', joints, 'each joint must be named once')
        for name in ('speed_max', 'torque_max', 'kp', 'kd', 'kd_damping', 'action_box'):
            if (values[name] <= 0.0).any():
                raise self._error(f'joints.{name}', values[name].tolist(), 'must be above 0')
        low, high, stance = values['position_min'], values['position_max'], values['stance']
        if (low >= high).any():
            raise self._error('joints.position_min', low.tolist(), 'must be below position_max')
        if (stance < low).any() or (stance > high).any():
            raise self._error('joints.stance', stance.tolist(), 'must be within the limits')

    def _expand(self, legs: list[str], patterns: Any) -> list[str]:
        return [str(pattern).format(leg=leg) for leg in legs for pattern in patterns]

    def _urdf(self, name: str) -> Path:
        beside = self._path.parent / name
        if beside.is_file():
            return beside
        try:
            import pybullet_data

            shipped = Path(pybullet_data.getDataPath()) / name
        except ImportError:
            shipped = Path('pybullet_data') / name
        if shipped.is_file():
            return shipped
        raise self._error('urdf', name, f'there is no such file at {beside} nor at {shipped}')

    def _closures(self, legs: list[str]) -> list[tuple[str, Mapping[str, Any]]]:
        return [(leg, item) for leg in legs for item in self._get('loop_closures')]

    def _closure(self, leg_item: tuple[str, Mapping[str, Any]], legs: list[str]) -> LoopClosure:
        leg, item = leg_item
        points = [
            self._array(f'loop_closures.{key}', item.get(key), 3) for key in ('point_a', 'point_b')
        ]
        a, b = (tuple(float(x) for x in point) for point in points)
        return LoopClosure(
            str(item['link_a']).format(leg=leg),
            (a[0], a[1], a[2]),
            str(item['link_b']).format(leg=leg),
            (b[0], b[1], b[2]),
        )
