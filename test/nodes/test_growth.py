"""A node that takes ever more of the machine says so in its diagnostics."""

from __future__ import annotations

from typing import Any

import pytest
from diagnostic_msgs.msg import DiagnosticStatus

from quad_learner import process_size
from quad_learner.nodes.reset import ResetNode
from quad_learner.ros import graph_node, topics

HELD_BYTES = 64 << 20
"""four times what is allowed: what else this process gives back meanwhile must not hide it"""


def test_a_node_whose_memory_grows_says_so(bench: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph_node, 'SIZE_PERIOD_S', 0.05)
    monkeypatch.setattr(process_size, 'WARM_UP_S', 0.1)
    bench.listen(topics.DIAGNOSTICS)
    bench.start(ResetNode, 'reset')

    def newest() -> DiagnosticStatus | None:
        told = [s for m in bench.heard['/diagnostics'] for s in m.status]
        return told[-1] if told and 'memory_mib' in {v.key for v in told[-1].values} else None

    bench.until(lambda: newest() and len(bench.heard['/diagnostics']) >= 2, 'two reports')
    before = newest()
    assert 'grown' not in before.message
    held = b'.' * HELD_BYTES
    bench.until(lambda: 'has grown by' in newest().message, 'the alarm')
    assert newest().level == DiagnosticStatus.WARN
    values = {v.key: v.value for v in newest().values}
    assert float(values['memory_mib']) > HELD_BYTES / 2**20
    del held
