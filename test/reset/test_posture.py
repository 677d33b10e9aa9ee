import math

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from quad_learner.reset.posture import posture

QUARTER = math.pi / 2


# Worked by hand: what a person would say of a body turned so.
@pytest.mark.parametrize(
    'axis, angle, tilt, lean',
    [
        ('x', 0.0, 0.0, 0.0),
        ('x', QUARTER, QUARTER, QUARTER),
        ('x', -QUARTER, QUARTER, -QUARTER),
        ('x', 0.75 * math.pi, 0.75 * math.pi, 0.75 * math.pi),
        ('x', math.pi, math.pi, math.pi),
        ('y', 0.4, 0.4, 0.0),
        ('z', 2.0, 0.0, 0.0),
    ],
)
def test_a_turn_about_one_axis_reads_as_that_turn(
    axis: str, angle: float, tilt: float, lean: float
) -> None:
    found = posture(Rotation.from_euler(axis, angle).as_quat())
    assert found.tilt == pytest.approx(tilt, abs=1e-9)
    assert found.lean == pytest.approx(lean, abs=1e-9)


def test_a_body_with_its_right_side_down_leans_to_the_right() -> None:
    orientation = Rotation.from_euler('x', 1.0)
    right_in_world = orientation.apply([0.0, -1.0, 0.0])
    assert right_in_world[2] < 0.0
    assert posture(orientation.as_quat()).lean > 0.0


@pytest.mark.parametrize('seed', range(5))
def test_tilt_is_the_angle_between_the_verticals_whatever_the_heading(seed: int) -> None:
    orientation = Rotation.random(rng=np.random.default_rng(seed))
    turned = Rotation.from_euler('z', 1.7) * orientation
    cosine = float(orientation.apply([0.0, 0.0, 1.0])[2])
    assert math.cos(posture(orientation.as_quat()).tilt) == pytest.approx(cosine, abs=1e-9)
    assert posture(turned.as_quat()).tilt == pytest.approx(math.acos(cosine), abs=1e-6)
    assert posture(turned.as_quat()).lean == pytest.approx(
        posture(orientation.as_quat()).lean, abs=1e-9
    )
