"""Claims about contact and trust. The A1's threshold is 15 N and it weighs 122 N."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.estimation.config import EstimatorConfig
from quad_learner.estimation.contact import ContactDetector
from quad_learner.robot.kinematics import LegKinematics, LegState
from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import SensorSample

DT = 1.0 / 120.0
UP = np.array((0.0, 0.0, 1.0))
WEIGHT_N = 122.2
Build = Callable[..., SensorSample]


@pytest.fixture
def detector(a1: RobotModel, estimator_config: EstimatorConfig) -> ContactDetector:
    return ContactDetector(a1, estimator_config, WEIGHT_N)


@pytest.fixture(scope='module')
def legs(a1: RobotModel) -> LegState:
    return LegKinematics(a1).solve(a1.stance, np.zeros_like(a1.stance))


def _effort(legs: LegState, force: tuple[float, float, float]) -> np.ndarray:
    """Returns the torques that make the ground push each foot with `force` [N]."""
    rows = legs.jacobian.reshape(12, 12)
    return -np.tile(force, 4) @ rows


def test_contact_begins_at_the_threshold_and_ends_below_it(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    # Up: 14 is too little, 16 enough. Down: 12 still holds, 8 does not (release at 60%: 9 N).
    seen = []
    for tick, force in enumerate((14.0, 16.0, 12.0, 8.0, 12.0)):
        detector.update(standing(tick, foot_force=np.full(4, force)), legs, UP, DT)
        seen.append(bool(detector.contact[0]))
    assert seen == [False, True, True, False, False]


def test_each_foot_is_judged_alone(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    sample = standing(0, foot_force=np.array((0.0, 50.0, 0.0, 50.0)))
    trust = detector.update(sample, legs, UP, DT)
    assert detector.contact.tolist() == [False, True, False, True]
    assert trust[0] == trust[2] == 0.0


def test_trust_rises_after_touch_down_to_nearly_one(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    trust = [detector.update(standing(tick), legs, UP, DT)[0] for tick in range(12)]
    assert 0.0 < trust[0] < 0.4
    assert trust == sorted(trust)
    assert trust[-1] > 0.95


def test_a_light_foot_is_trusted_less(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    light = _effort(legs, (0.0, 0.0, 16.0))
    for tick in range(12):
        sample = standing(tick, foot_force=np.full(4, 16.0), joint_effort=light)
        trust = detector.update(sample, legs, UP, DT)
    assert trust[0] == pytest.approx(16.0 / (WEIGHT_N / 4.0), rel=0.05)


def test_a_foot_at_the_edge_of_friction_is_hardly_trusted(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    load = WEIGHT_N / 4.0
    sliding = _effort(legs, (0.8 * load, 0.0, load))
    for tick in range(12):
        trust = detector.update(standing(tick, joint_effort=sliding), legs, UP, DT)
    # (0.8 / 0.5)^4 = 6.55
    assert trust[0] == pytest.approx(1.0 / 7.55, rel=0.05)


def test_sideways_means_across_the_worlds_vertical(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    # A body that leans by 0.5 rad: a force along the world's vertical is not sideways.
    up = np.array((np.sin(0.5), 0.0, np.cos(0.5)))
    load = WEIGHT_N / 4.0
    upward = _effort(legs, tuple(load * up))
    for tick in range(12):
        trust = detector.update(standing(tick, joint_effort=upward), legs, up, DT)
    assert trust[0] > 0.95


def test_torques_stand_in_for_foot_sensors(
    a1: RobotModel, estimator_config: EstimatorConfig, standing: Build, legs: LegState
) -> None:
    blind = dataclasses.replace(a1, has_foot_force=False)
    detector = ContactDetector(blind, estimator_config, WEIGHT_N)
    none = np.zeros(4)
    detector.update(standing(0, foot_force=none), legs, UP, DT)
    assert detector.contact.all()
    detector.update(standing(1, foot_force=none, joint_effort=np.zeros(12)), legs, UP, DT)
    assert not detector.contact.any()


def test_reset_forgets_contacts(
    detector: ContactDetector, standing: Build, legs: LegState
) -> None:
    detector.update(standing(0), legs, UP, DT)
    detector.reset()
    assert not detector.contact.any()
