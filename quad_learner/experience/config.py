"""Parameters of the monitor node (config/monitor.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter


@dataclass(frozen=True)
class MonitorConfig:
    """What is written down of a run and shown of it."""

    walk_speed_m_s: float = parameter(
        'True speed from which on the robot walks.', 'm/s', 0.01, 5.0
    )
    print_period_s: float = parameter('Wall time between progress lines.', 's', 0.2, 600.0)
