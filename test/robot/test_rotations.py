"""Claims about rotations, checked against scipy and hand-worked turns."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.robot import rotations

TURNS = Rotation.random(40, rng=np.random.default_rng(5))


def test_matrix_equals_that_of_scipy() -> None:
    for turn in TURNS:
        np.testing.assert_allclose(
            rotations.matrix_from_quaternion(turn.as_quat()), turn.as_matrix(), atol=1e-12
        )


def test_roll_pitch_and_yaw_are_fixed_axis_angles() -> None:
    for turn in TURNS:
        angles = rotations.roll_pitch_yaw(turn.as_quat())
        np.testing.assert_allclose(angles, turn.as_euler('xyz'), atol=1e-9)


def test_quaternion_from_angles_equals_that_of_scipy() -> None:
    for turn in TURNS:
        quaternion = rotations.quaternion_from_rpy(*turn.as_euler('xyz'))
        assert abs(float(quaternion @ turn.as_quat())) == pytest.approx(1.0)


def test_the_opposite_quaternion_is_the_same_attitude() -> None:
    quaternion = rotations.quaternion_from_rpy(0.3, -0.2, 1.0)
    np.testing.assert_allclose(
        rotations.roll_pitch_yaw(-quaternion), rotations.roll_pitch_yaw(quaternion)
    )


def test_pitch_of_a_robot_that_looks_straight_up_is_a_quarter_turn() -> None:
    up = (0.0, -math.sqrt(0.5), 0.0, math.sqrt(0.5) + 1e-12)
    assert rotations.roll_pitch_yaw(up)[1] == pytest.approx(-math.pi / 2)


def test_a_quarter_turn_left_takes_forward_to_left() -> None:
    left = rotations.quaternion_from_rpy(0.0, 0.0, math.pi / 2)
    np.testing.assert_allclose(rotations.rotate(left, (1.0, 0.0, 0.0)), (0, 1, 0), atol=1e-12)
    np.testing.assert_allclose(rotations.rotate_back(left, (0.0, 1.0, 0.0)), (1, 0, 0), atol=1e-12)


def test_product_turns_by_the_right_one_first() -> None:
    roll = rotations.quaternion_from_rpy(math.pi / 2, 0.0, 0.0)
    yaw = rotations.quaternion_from_rpy(0.0, 0.0, math.pi / 2)
    # Rolled first, the left hand points up, and yaw leaves it there.
    np.testing.assert_allclose(
        rotations.rotate(rotations.multiply(yaw, roll), (0.0, 1.0, 0.0)), (0, 0, 1), atol=1e-12
    )


@pytest.mark.parametrize('angle', [0.0, 1e-12, 1e-4, 1.0, 3.0])
def test_rotation_vector_turns_by_its_length(angle: float) -> None:
    quaternion = rotations.quaternion_from_rotation_vector((0.0, 0.0, angle))
    assert rotations.roll_pitch_yaw(quaternion)[2] == pytest.approx(angle, abs=1e-15)


def test_skew_matrix_is_the_cross_product() -> None:
    a, b = np.array((1.0, -2.0, 0.5)), np.array((0.3, 4.0, -1.0))
    np.testing.assert_allclose(rotations.skew(a) @ b, np.cross(a, b))


def test_a_quaternion_without_length_is_no_rotation() -> None:
    assert rotations.normalised((0.0, 0.0, 0.0, 0.0)) == (0.0, 0.0, 0.0, 1.0)


def test_normalised_has_unit_length_and_keeps_its_direction() -> None:
    assert rotations.normalised((0.0, 0.0, 3.0, 4.0)) == pytest.approx((0.0, 0.0, 0.6, 0.8))
