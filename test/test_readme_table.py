from __future__ import annotations

import re
from pathlib import Path

from quad_learner.robot.model import load
from quad_learner.ros import topics

ROOT = Path(__file__).resolve().parent.parent
README = (ROOT / 'README.md').read_text()
ROW = re.compile(r'^\| `([^`]+)` \| (\w+)/(\w+) \| ([^|]+) \| ([^|]+) \|', re.MULTILINE)
METRIC = 'learner/<metric>'


def told() -> dict[str, tuple[str, str, str]]:
    """Returns type, rate and sender of each topic in the README's table."""
    return {
        name: (f'{package}/{kind}', rate.strip(), node.strip())
        for name, package, kind, rate, node in ROW.findall(README)
    }


def is_metric(topic: topics.Topic) -> bool:
    return topic.name in {f'learner/{name}' for name in topics.METRICS}


def rate_of(topic: topics.Topic) -> str:
    a1 = load('a1')
    named = {topics.COMMAND_RATE: a1.command_hz, topics.POLICY_RATE: a1.policy_hz}
    rate = named[topic.rate] if isinstance(topic.rate, str) else topic.rate
    return f'{rate:g} Hz' if rate else 'events'


def test_the_readme_lists_every_topic_with_its_type_rate_and_sender() -> None:
    rows = told()
    wanted = {}
    for topic in topics.TABLE:
        package, kind = topic.type.__module__.split('.')[0], topic.type.__name__
        name = METRIC if is_metric(topic) else topic.name
        wanted[name] = (f'{package}/{kind}', rate_of(topic), topic.publisher_node)
    assert rows == wanted


def test_the_readme_names_every_metric() -> None:
    (row,) = [line for line in README.splitlines() if f'`{METRIC}`' in line]
    for name in topics.METRICS:
        assert re.search(rf'\b{name}\b', row), name


def test_the_readme_names_every_service() -> None:
    for service in topics.SERVICES:
        assert f'`{service.name}`' in README, service.name


def test_every_folder_and_file_that_the_readme_names_is_there() -> None:
    named = re.findall(r'`((?:config|launch|docs|test|benchmarks|quad_learner)/[\w./-]*)`', README)
    assert named
    for path in named:
        assert (ROOT / path).exists(), path
