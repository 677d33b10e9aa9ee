"""Work that can wait gives way to whoever wakes up."""

from __future__ import annotations

import os
import threading

from quad_learner.ros.background import run_only_when_idle


def test_only_the_thread_that_asks_gives_way() -> None:
    policies: list[int] = []

    def work() -> None:
        run_only_when_idle()
        policies.append(os.sched_getscheduler(threading.get_native_id()))

    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert policies == [os.SCHED_IDLE]
    assert os.sched_getscheduler(0) == os.SCHED_OTHER
