"""A node's process ends, whatever its middleware does."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from quad_learner.ros.process import GOODBYE_S

DOMAIN = 71  # of no other test
NODE = """
import sys
import threading
from rclpy.node import Node
from quad_learner.ros.process import run

class Stubborn(Node):
    finished = False

    def __init__(self):
        super().__init__('stubborn')
        print('up', flush=True)

    def close(self):
        print('closed', flush=True)

    def destroy_node(self):
        if {hangs}:
            threading.Event().wait()
        super().destroy_node()

sys.exit(run(Stubborn))
"""


@pytest.mark.timeout(60)
@pytest.mark.parametrize('hangs', [False, True])
def test_a_node_ends_after_its_last_words_even_where_the_middleware_hangs(
    tmp_path: Path, hangs: bool
) -> None:
    script = tmp_path / 'stubborn.py'
    script.write_text(NODE.format(hangs=hangs))
    environment = {
        **os.environ,
        'ROS_DOMAIN_ID': str(DOMAIN),
        'ROS_AUTOMATIC_DISCOVERY_RANGE': 'LOCALHOST',
        'PYTHONPATH': str(Path(__file__).resolve().parents[2]),
    }
    process = subprocess.Popen(
        [sys.executable, str(script)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == 'up\n'
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    said, problem = process.communicate(timeout=40.0)
    assert said == 'closed\n'
    if hangs:
        assert time.monotonic() - began >= GOODBYE_S
        assert process.returncode == 1
        assert 'destroy_node' in problem, 'it says where it hung'
    else:
        assert process.returncode == 0, problem
