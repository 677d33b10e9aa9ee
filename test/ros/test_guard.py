"""What an error of a callback comes to, told without a node."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from quad_learner.ros.guard import READING, Guard
from quad_learner.ros.messages import MessageError


def fails(error: Exception) -> Any:
    """Returns a callback that raises."""

    def callback(_: Any) -> None:
        raise error

    return callback


def test_what_goes_well_is_handed_on_and_nothing_is_counted() -> None:
    heard: list[Any] = []
    guard = Guard(lambda _: False, heard.append)
    guard.guarded('odom', heard.append)('message')
    assert heard == ['message']
    assert not guard.caught


def test_an_error_is_counted_by_topic_and_the_newest_is_kept_in_words() -> None:
    guard = Guard(lambda _: True, lambda _: None)
    for topic, error in (
        ('odom', KeyError('a')),
        ('odom', ValueError('b')),
        ('joy', OSError('c')),
    ):
        guard.guarded(topic, fails(error))('message')
    assert guard.caught == {'odom': 2, 'joy': 1}
    assert guard.last == 'joy: OSError: c'


def test_what_a_node_does_not_survive_it_does_not_survive() -> None:
    guard = Guard(lambda error: isinstance(error, READING), lambda _: None)
    for error in (MessageError('no'), struct.error('short'), OverflowError('far')):
        guard.guarded('odom', fails(error))('message')
    assert guard.caught == {'odom': 3}
    with pytest.raises(RuntimeError, match='a mistake of ours'):
        guard.guarded('odom', fails(RuntimeError('a mistake of ours')))('message')
    for end in (KeyboardInterrupt(), SystemExit()):
        with pytest.raises(type(end)):
            guard.guarded('odom', fails(end))('message')  # type: ignore[arg-type]


def test_a_flood_of_errors_is_told_once_in_ten_seconds_with_where_it_happened(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now_s, said = [0.0], list[str]()
    monkeypatch.setattr('quad_learner.ros.guard.steady_ns', lambda: int(now_s[0] * 1e9))
    guard = Guard(lambda _: True, said.append)
    for tick in range(2100):  # 21 s
        now_s[0] = tick / 100.0
        guard.guarded('odom', fails(ValueError(f'number {tick}')))('message')
    first_words = [words.splitlines()[0] for words in said]
    assert first_words == [
        f'passed over a message, {n + 1} so far: odom: ValueError: number {n}'
        for n in (0, 1000, 2000)
    ]
    assert all('test_guard.py' in words and 'in callback' in words for words in said)


def test_an_error_that_quotes_a_message_is_cut_short() -> None:
    guard = Guard(lambda _: True, lambda _: None)
    guard.guarded('odom', fails(ValueError('x' * 10**6)))('message')
    assert len(guard.last) == 200
