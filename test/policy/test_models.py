from __future__ import annotations

from collections.abc import Callable

import pytest

from quad_learner.policy.models import ModelQueue
from quad_learner.policy.onnx_policy import PolicyError

Make = Callable[..., bytes]


@pytest.fixture
def queue(model: Make) -> ModelQueue:
    """Returns a queue with models for the steps from 0, 40 and 60 on, as a learner sends them."""
    queue = ModelQueue()
    for version, start, end in ((0, 0, 40), (1, 40, 60), (2, 60, 80)):
        queue.add(model(version=version, use_from=start, use_until=end), now_ns=version)
    return queue


def test_a_model_is_handed_out_from_its_step_on_and_once(queue: ModelQueue) -> None:
    handed = {step: queue.due(step) for step in (0, 1, 39, 40, 41, 59, 60)}
    versions = {step: policy.card.version for step, policy in handed.items() if policy}
    assert versions == {0: 0, 40: 1, 60: 2}


def test_no_model_is_handed_out_before_its_step(model: Make) -> None:
    queue = ModelQueue()
    queue.add(model(version=5, use_from=100), now_ns=1)
    assert queue.due(99) is None
    policy = queue.due(100)
    assert policy is not None
    assert policy.card.version == 5


def test_a_late_policy_skips_to_the_model_of_its_step(queue: ModelQueue) -> None:
    policy = queue.due(65)
    assert policy is not None
    assert policy.card.version == 2
    assert queue.due(66) is None, 'the older ones are gone'


def test_the_queue_says_until_when_the_last_model_is_valid(queue: ModelQueue) -> None:
    assert queue.valid_until == 0, 'nothing may drive before the first model'
    queue.due(0)
    assert queue.valid_until == 40
    queue.due(45)
    assert queue.valid_until == 60


def test_real_time_takes_the_newest_and_drops_the_rest(queue: ModelQueue) -> None:
    policy = queue.newest()
    assert policy is not None
    assert policy.card.version == 2
    assert queue.newest() is None
    assert queue.due(60) is None


def test_garbage_is_refused_and_changes_nothing(queue: ModelQueue) -> None:
    with pytest.raises(PolicyError):
        queue.add(b'garbage', now_ns=9_000_000_000)
    assert queue.age_s(3_000_000_002) == pytest.approx(3.0)
    policy = queue.newest()
    assert policy is not None
    assert policy.card.version == 2


def test_the_age_of_no_model_is_negative() -> None:
    assert ModelQueue().age_s(5) < 0.0
