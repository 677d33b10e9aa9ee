"""A small robot with round numbers, and a bench that drives the safety core in virtual time."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from quad_learner.robot import model
from quad_learner.robot.command_judge import CommandJudge, Witness
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Estimate, Health, JointCommand, JointTarget, SensorSample
from quad_learner.safety.config import SafetyConfig
from quad_learner.safety.core import SafetyCore
from quad_learner.safety.modes import Authority, Mode, Reason
from quad_learner.safety.state import SafetyInputs

Array = NDArray[np.float64]
PERIOD_NS = 10_000_000
"""100 commands a second: the small robot's rate."""
MINUTE_NS = 60_000_000_000
LEVEL = np.array([0.0, 0.0, 0.0, 1.0])

VALUES: dict[str, Any] = {
    'sample_age_max_s': 0.05,
    'estimate_age_max_s': 0.06,
    'target_age_max_s': 0.08,
    'health_age_max_s': 2.0,
    'command_lifetime_s': 0.1,
    'bad_in_row': 2,
    'bad_in_window': 3,
    'bad_window': 10,
    'confirm_samples': 2,
    'position_overrun_rad': 0.5,
    'position_jump_rad': 0.25,
    'over_speed_scale': 1.5,
    'angular_velocity_max_rad_s': 40.0,
    'specific_force_max_m_s2': 400.0,
    'quaternion_norm_error': 0.02,
    'frozen_time_s': 0.2,
    'frozen_motion_rad': 0.05,
    'aloft_time_s': 0.2,
    'motor_lost_time_s': 0.05,
    'motor_load_share': 0.2,
    'motor_torque_share': 0.25,
    'motor_stall_share': 0.6,
    'motor_stall_speed_rad_s': 0.1,
    'motor_stall_time_s': 2.0,
    'place_jump_m': 0.1,
    'place_speed_max_m_s': 2.0,
    'fence_m': 0.0,
    'fence_braking_m_s2': 2.0,
    'shake_share': 0.6,
    'boxed_time_s': 1.0,
    'position_margin_rad': 0.1,
    'policy_target_speed_rad_s': 5.0,
    'reset_target_speed_rad_s': 2.0,
    'policy_torque_share': 0.5,
    'reset_torque_share': 1.0,
    'kp_scale_max': 2.0,
    'kd_scale_min': 0.5,
    'kd_scale_max': 3.0,
    'clip_tolerance_rad': 0.001,
    'clip_tolerance_gain': 0.01,
    'handover_tilt_rad': 0.3,
    'handover_joint_error_rad': 0.4,
    'clear_time_s': 0.5,
    'rearm_interval_s': 2.0,
    'hold_time_s': 0.2,
    'latch_after_s': 1.0,
    'latch_trips': 3,
    'latch_window_s': 60.0,
    'temperature_missing_stops': True,
    'temperature_derate_share': 0.8,
    'temperature_torque_floor': 0.5,
    'temperature_hysteresis_c': 10.0,
    'battery_missing_stops': True,
    'battery_charge_min': 0.2,
    'battery_charge_hysteresis': 0.1,
}


def small_robot() -> RobotModel:
    """Two joints, one foot, numbers that can be worked by hand."""
    return dataclasses.replace(
        model.load('a1'),
        joints=('left', 'right'),
        position_min=np.array([-1.0, -2.0]),
        position_max=np.array([1.0, 2.0]),
        speed_max=np.array([20.0, 20.0]),
        torque_max=np.array([10.0, 20.0]),
        stance=np.array([0.0, 0.5]),
        kp=np.array([10.0, 10.0]),
        kd=np.array([1.0, 1.0]),
        kd_damping=np.array([2.0, 2.0]),
        action_box=np.array([0.5, 0.5]),
        feet=('toe',),
        command_hz=100,
        policy_hz=50,
        fall_roll=0.8,
        fall_pitch=0.7,
        has_foot_force=True,
        foot_force_threshold=20.0,
        has_motor_temperature=True,
        has_joint_torque=False,
        motor_temperature_max=100.0,
        battery_empty_voltage=20.0,
        power_max=1000.0,
        power_continuous=900.0,
    )


def settings(**changes: Any) -> SafetyConfig:
    """The parameters of these tests, some changed; none is read from the shipped file."""
    return SafetyConfig(**{**VALUES, **changes})


class Bench:
    """A standing robot with everybody well; tests change what they are about, then tick."""

    def __init__(self, robot: RobotModel, config: SafetyConfig, start_ns: int = MINUTE_NS) -> None:
        self.robot = robot
        self.core = SafetyCore(robot, config)
        self.judge = CommandJudge(robot, dataclasses.asdict(config))
        self.state = self.core.initial(epoch=7)
        self.now_ns = start_ns
        self.silent: set[str] = set()
        """of sample, estimate, policy, reset, battery and warmth"""
        self.sample: dict[str, Any] = {
            'joint_position': robot.stance.copy(),
            'joint_velocity': np.zeros(len(robot.joints)),
            'joint_effort': np.zeros(len(robot.joints)),
            'orientation': LEVEL,
            'angular_velocity': np.zeros(3),
            'specific_force': np.array([0.0, 0.0, 9.81]),
            'foot_force': np.full(len(robot.feet), 50.0),
        }
        self.estimate: dict[str, Any] = {'healthy': True}
        self.health: dict[str, Any] = {
            'battery_voltage': 24.0,
            'battery_charge': 0.9,
            'motor_temperature': np.full(len(robot.joints), 40.0),
        }
        self.wish: dict[str, dict[str, Any]] = {
            name: {
                'source': source,
                'request': 0,
                'position': robot.stance.copy(),
                'kp': robot.kp,
                'kd': robot.kd,
            }
            for name, source in (('policy', Authority.POLICY), ('reset', Authority.RESET))
        }
        self.inputs = SafetyInputs()
        self.stop = self.resume = self.let_go = False
        self.frozen = False
        self.may_fail = False
        """a step that cannot be evaluated is what the test is about"""
        self.late_ns = 0
        """by which samples, and all that answers them, bear an older stamp than their receipt"""
        self._count = 0

    @property
    def command(self) -> JointCommand:
        return self.state.command

    @property
    def code(self) -> str:
        """I, S or H (standby limp or holding), P or R (who drives), T (soft stop), L (latched)."""
        held = bool(self.command.kp.any())
        return {
            Mode.INIT: 'I',
            Mode.STANDBY: 'H' if held else 'S',
            Mode.ACTIVE: 'P' if self.command.authority is Authority.POLICY else 'R',
            Mode.SOFT_STOP: 'T',
            Mode.LATCHED_STOP: 'L',
        }[self.command.mode]

    def ask(self, name: str) -> None:
        """Raises the request of `name`: a fresh wish to drive."""
        self.wish[name]['request'] += 1

    def lean(self, roll: float = 0.0, pitch: float = 0.0) -> None:
        """Leans the body about one axis [rad]."""
        half = (roll + pitch) / 2.0
        axis = np.array([roll != 0.0, pitch != 0.0, False], float)
        self.sample['orientation'] = np.append(np.sin(half) * axis, np.cos(half))

    def tick(self, count: int = 1, dt_ns: int = PERIOD_NS) -> JointCommand:
        """Lets time pass and steps the core, everybody speaking who is not silent."""
        for _ in range(count):
            self.now_ns += dt_ns
            self._count += 1
            self.inputs = self._refreshed()
            _, self.state = self.core.step(self.state, self.inputs, self.now_ns)
            assert self.may_fail or Reason.INTERNAL not in self.command.reasons
            found = self.judge.check(self.command, self.now_ns, self._witness())
            assert not found, found
        return self.command

    def _witness(self) -> Witness:
        """What is known of the last step. A step that failed may leave no memory to ask."""
        watch, driver = self.state.watch, self.command.authority.name.lower()
        health = self.inputs.health
        return Witness(
            None if watch is None else watch.sample,
            getattr(self.inputs, driver, None),
            None if health is None else health.motor_temperature,
            self.inputs.operator_resume,
        )

    def make(self, name: str) -> Any:
        """What `name` says now."""
        now = self.now_ns - (0 if name == 'health' else self.late_ns)
        if name == 'sample':
            # A living sensor never says the same twice.
            noise = 0.0 if self.frozen else 1e-6 * (self._count % 2)
            changed = {
                key: self.sample[key] + noise for key in ('joint_velocity', 'angular_velocity')
            }
            return SensorSample(time_ns=now, **{**self.sample, **changed})
        if name == 'estimate':
            rest: dict[str, Any] = {
                'position': np.zeros(3),
                'orientation': LEVEL,
                'velocity_body': np.zeros(3),
                'angular_velocity': np.zeros(3),
                'position_covariance': np.eye(3),
                'velocity_covariance': np.eye(3),
                'contact': np.ones(len(self.robot.feet), np.bool_),
            }
            return Estimate(time_ns=now, **{**rest, **self.estimate})
        if name == 'health':
            return Health(time_ns=now, **self.health)
        return JointTarget(time_ns=now, **self.wish[name])

    def _refreshed(self) -> SafetyInputs:
        fresh: dict[str, Any] = {}
        for name in ('sample', 'estimate', 'policy', 'reset'):
            if name not in self.silent:
                fresh[name] = self.make(name)
                fresh[f'{name}_received_ns'] = self.now_ns
        for quantity in {'battery', 'warmth'} - self.silent:
            fresh['health'] = self.make('health')
            fresh[f'{quantity}_received_ns'] = self.now_ns
        flags = {'operator_stop': self.stop, 'operator_resume': self.resume}
        flags['let_go'] = self.let_go
        self.stop = self.resume = False
        return dataclasses.replace(self.inputs, **fresh, **flags)


MakeBench = Callable[..., Bench]


def bench_in(code: str, **changes: Any) -> Bench:
    """A bench brought into a mode by the shortest honest way; see `Bench.code`."""
    bench = Bench(small_robot(), settings(**changes))
    if code == 'I':
        bench.silent = {'sample'}
        bench.tick()
        return bench
    bench.tick(2)
    if code in 'HPRT':
        name = 'reset' if code == 'R' else 'policy'
        bench.ask(name)
        bench.tick()
    if code == 'H':
        bench.wish['policy']['request'] = 0
        bench.tick()
    if code == 'T':
        well = bench.wish['policy']['position']
        bench.wish['policy']['position'] = np.full(len(bench.robot.joints), np.nan)
        bench.tick()
        bench.wish['policy']['position'] = well
        bench.tick(60)
    if code == 'L':
        bench.stop = True
        bench.tick()
        bench.tick(60)
    assert bench.code == code
    return bench


@pytest.fixture
def bench() -> Bench:
    """A standing robot on standby, about to be asked for."""
    return bench_in('S')


@pytest.fixture
def make_bench() -> MakeBench:
    """Builds a bench in a mode: `make_bench('P', hold_time_s=0.1)`."""
    return bench_in


@pytest.fixture(scope='session')
def small() -> SimpleNamespace:
    """The small robot, the parameters of these tests, and how to make others."""
    return SimpleNamespace(robot=small_robot(), config=settings(), settings=settings)


@pytest.fixture(scope='session')
def bench_on() -> Callable[..., Bench]:
    """Builds a fresh bench on a robot with some facts changed."""
    return lambda robot, **facts: Bench(dataclasses.replace(robot, **facts), settings())


@pytest.fixture(scope='session')
def a1() -> RobotModel:
    """The robot that the package ships."""
    return model.load('a1')
