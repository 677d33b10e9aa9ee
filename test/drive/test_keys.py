from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from quad_learner.drive.config import DriveConfig
from quad_learner.drive.keys import Keys

SECOND = 1_000_000_000
LARGEST = np.array([0.6, 0.3, 1.0])
STAND = [0.0, 0.0, 0.0]


@pytest.fixture
def keys(drive_config: Callable[..., DriveConfig]) -> Keys:
    return Keys(drive_config(key_hold_s=0.7), LARGEST)


@pytest.mark.parametrize(
    'key, asked',
    [
        ('w', [0.6, 0.0, 0.0]),
        ('s', [-0.6, 0.0, 0.0]),
        ('a', [0.0, 0.0, 1.0]),
        ('d', [0.0, 0.0, -1.0]),
        ('q', [0.6, 0.0, 1.0]),
        ('e', [0.6, 0.0, -1.0]),
        ('z', [0.0, 0.3, 0.0]),
        ('c', [0.0, -0.3, 0.0]),
        ('W', [0.6, 0.0, 0.0]),  # caps lock is no reason to stand
    ],
)
def test_a_key_asks_for_the_full_command_its_way(keys: Keys, key: str, asked: list[float]) -> None:
    assert keys.press(key, 0)
    np.testing.assert_allclose(keys.wanted(0), asked)


def test_nothing_is_asked_before_a_key_and_after_it_was_let_go(keys: Keys) -> None:
    np.testing.assert_array_equal(keys.wanted(0), STAND)
    keys.press('w', 10 * SECOND)
    np.testing.assert_array_equal(keys.wanted(10 * SECOND + 700_000_000), [0.6, 0.0, 0.0])
    np.testing.assert_array_equal(keys.wanted(10 * SECOND + 700_000_001), STAND)
    np.testing.assert_array_equal(keys.wanted(9 * SECOND), STAND)


def test_a_held_key_is_told_again_and_again_and_goes_on(keys: Keys) -> None:
    for tenth in range(30):
        keys.press('a', tenth * SECOND // 10)
    np.testing.assert_array_equal(keys.wanted(3 * SECOND), [0.0, 0.0, 1.0])


def test_space_stands_at_once(keys: Keys) -> None:
    keys.press('w', 0)
    assert keys.press(' ', 1)
    np.testing.assert_array_equal(keys.wanted(2), STAND)


def test_plus_and_minus_choose_a_tenth_to_all_of_the_full_command(keys: Keys) -> None:
    for _ in range(4):
        assert keys.press('-', 0)
    keys.press('w', 0)
    np.testing.assert_allclose(keys.wanted(0), [0.36, 0.0, 0.0])
    for _ in range(20):
        keys.press('-', 0)
    np.testing.assert_allclose(keys.wanted(0), [0.06, 0.0, 0.0])
    for _ in range(20):
        keys.press('+', 0)
    np.testing.assert_allclose(keys.wanted(0), [0.6, 0.0, 0.0])


@pytest.mark.parametrize('key', ['x', '\x1b', '\n', '�'])
def test_other_keys_mean_nothing_and_stop_nothing(keys: Keys, key: str) -> None:
    keys.press('w', 0)
    assert not keys.press(key, 1)
    np.testing.assert_allclose(keys.wanted(1), [0.6, 0.0, 0.0])
