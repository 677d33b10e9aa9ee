"""Benchmarks that start graphs may run beside each other: none speaks in another's domain."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from quad_learner.exclusive import is_domain

BENCHMARKS = Path(__file__).resolve().parents[2] / 'benchmarks'
NAMED = re.compile(r"^DOMAIN = '(\d+)'$", re.MULTILINE)
WRITTEN_OUT = re.compile(r"ROS_DOMAIN_ID['\"]\]?\s*[:=]\s*['\"]")


def test_each_benchmark_has_a_ros_domain_of_its_own() -> None:
    texts = [path.read_text() for path in sorted(BENCHMARKS.glob('*.py'))]
    domains = Counter(number for text in texts for number in NAMED.findall(text))
    assert len(domains) >= 5
    assert set(domains.values()) == {1}, domains
    assert all(is_domain(number) and number != '0' for number in domains)
    assert not any(WRITTEN_OUT.search(text) for text in texts), 'give it the name DOMAIN'
