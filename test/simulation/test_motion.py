"""Claims about rigid motion and the means of an inertial sensor."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from quad_learner.simulation.motion import BaseState, cross, inertial_means, rotation_vector

Vector = st.tuples(*[st.floats(-3.0, 3.0)] * 3)


def state(
    turn: Rotation, velocity: object = (0.0, 0.0, 0.0), rate: object = (0.0, 0.0, 0.0)
) -> BaseState:
    x, y, z, w = turn.as_quat()
    return BaseState(np.zeros(3), (x, y, z, w), np.array(velocity), np.array(rate))


@given(Vector, Vector)
def test_cross_is_numpys(a: tuple[float, ...], b: tuple[float, ...]) -> None:
    np.testing.assert_allclose(cross(np.array(a), np.array(b)), np.cross(a, b), atol=1e-12)


@given(Vector)
def test_rotation_vector_is_scipys(vector: tuple[float, ...]) -> None:
    turn = Rotation.from_rotvec(vector)
    x, y, z, w = turn.as_quat()
    for sign in (1.0, -1.0):  # both quaternions mean the same turn
        found = Rotation.from_rotvec(rotation_vector((sign * x, sign * y, sign * z, sign * w)))
        assert (found.inv() * turn).magnitude() < 1e-9


@pytest.mark.parametrize('angle', [0.0, 1e-12, 1e-6])
def test_a_tiny_turn_keeps_its_size(angle: float) -> None:
    np.testing.assert_allclose(
        rotation_vector((0.0, np.sin(angle / 2.0), 0.0, np.cos(angle / 2.0))), (0.0, angle, 0.0)
    )


def test_rest_reads_gravity_upwards_in_the_body() -> None:
    on_its_right_side = state(Rotation.from_euler('x', 90, degrees=True))
    rate, force = inertial_means(on_its_right_side, on_its_right_side, np.zeros(3), 0.01)
    np.testing.assert_allclose(rate, np.zeros(3))
    # Rolled by 90° about x the world's up is the body's y.
    np.testing.assert_allclose(force, (0.0, 9.81, 0.0), atol=1e-12)


def test_free_fall_reads_nothing() -> None:
    before, after = state(Rotation.identity()), state(Rotation.identity(), (0.0, 0.0, -0.0981))
    _, force = inertial_means(before, after, np.zeros(3), 0.01)
    np.testing.assert_allclose(force, np.zeros(3), atol=1e-12)


def test_a_sensor_off_the_axis_of_a_steady_spin_feels_the_pull_to_it() -> None:
    spin, arm, period = 3.0, 0.2, 1e-3
    before = state(Rotation.identity(), rate=(0.0, 0.0, spin))
    after = state(Rotation.from_rotvec((0.0, 0.0, spin * period)), rate=(0.0, 0.0, spin))
    rate, force = inertial_means(before, after, np.array((arm, 0.0, 0.0)), period)
    np.testing.assert_allclose(rate, (0.0, 0.0, spin), rtol=1e-9)
    # Centripetal acceleration ω² r towards the axis.
    np.testing.assert_allclose(force, (-spin * spin * arm, 0.0, 9.81), rtol=1e-5, atol=1e-9)
