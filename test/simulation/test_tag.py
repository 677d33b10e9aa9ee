"""Claims about the camera that stands in for motion capture."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.robot.model import load
from quad_learner.simulation.config import SimulationConfig
from quad_learner.simulation.tag import Tag
from quad_learner.simulation.truth import GroundTruth

Configure = Callable[..., SimulationConfig]
TRUTH = GroundTruth(
    time_ns=0,
    position=np.array([1.5, -0.5, 0.3]),
    orientation=Rotation.from_euler('ZYX', (0.7, 0.1, -0.2)).as_quat(),
    velocity_world=np.zeros(3),
    angular_velocity_world=np.zeros(3),
)


def tag(configure: Configure, seed: int = 0, **changed: float) -> Tag:
    return Tag(load('a1'), configure(**changed), np.random.default_rng(seed))


def test_there_is_none_unless_it_is_asked_for(configure: Configure) -> None:
    none = tag(configure)
    assert not none.sees
    assert not any(none.is_due(tick * 12_500_000) for tick in range(200))


def test_it_sees_as_often_as_it_says_but_not_at_the_very_start(configure: Configure) -> None:
    twice = tag(configure, external_pose_hz=2.0)
    due = [tick for tick in range(161) if twice.is_due(tick * 12_500_000)]
    assert due == [40, 80, 120, 160]  # ticks of 80 Hz


def test_without_errors_it_sees_the_truth(configure: Configure) -> None:
    exact = tag(
        configure, external_pose_hz=1.0, external_pose_noise_m=0.0, external_pose_noise_rad=0.0
    )
    assert exact.see(TRUTH) == pytest.approx((1.5, -0.5, 0.7))


def test_its_errors_are_as_large_as_it_says(configure: Configure) -> None:
    rough = tag(
        configure, external_pose_hz=1.0, external_pose_noise_m=0.1, external_pose_noise_rad=0.02
    )
    seen = np.array([rough.see(TRUTH) for _ in range(4000)])
    np.testing.assert_allclose(seen.mean(0), (1.5, -0.5, 0.7), atol=0.01)
    np.testing.assert_allclose(seen.std(0), (0.1, 0.1, 0.02), rtol=0.1)
