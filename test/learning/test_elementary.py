"""exp and log within compiled loops against numpy's in double precision."""

from __future__ import annotations

import numpy as np

from quad_learner.learning.elementary import exp, log1p


def test_exp_is_right_to_the_last_places() -> None:
    at = np.linspace(-86.0, 86.0, 10001).astype(np.float32)
    found = np.array([exp(x) for x in at])
    np.testing.assert_allclose(found, np.exp(at.astype(np.float64)), rtol=3e-7)


def test_exp_ends_at_numbers_and_keeps_what_is_none() -> None:
    assert 0.0 < exp(-np.inf) < 1e-37
    assert 1e37 < exp(np.inf) < np.inf
    assert np.isnan(exp(np.nan))


def test_log_is_right_to_the_last_places() -> None:
    at = np.linspace(0.0, 1.0, 10001).astype(np.float32)
    found = np.array([log1p(x) for x in at])
    np.testing.assert_allclose(found, np.log1p(at.astype(np.float64)), rtol=3e-7)
    assert np.isnan(log1p(np.nan))
