"""Parameters of driving (config/drive.yaml)."""

from __future__ import annotations

from dataclasses import dataclass

from quad_learner.configuration import parameter

AXES = 3
"""numbers of a command: ahead, to the left, turn left"""


@dataclass(frozen=True)
class DriveConfig:
    """How the learned policies follow a command.

    Raises:
        ValueError: `joy_axes` does not name an axis for each number of a command.
    """

    command_age_max_s: float = parameter('Age from which a command means stand.', 's', 0.05, 10.0)
    blend_s: float = parameter('Time in which one motion goes over into another.', 's', 0.0, 2.0)
    idle_s: float = parameter('Standing so long, the seat is given back.', 's', 0.0, 3600.0)
    dead_share: float = parameter('Share of the full command below which it stands.', '', 0.0, 0.9)
    switch_share: float = parameter('Lead that another task needs to take over.', '', 0.0, 1.0)
    joy_axes: tuple[int, ...] = parameter('Axes: ahead, to the left, turn left.', '', 0, 63)
    joy_enable: int = parameter('Button that must be held; −1: none.', '', -1, 63)
    trial_s: float = parameter(
        'Time for which a policy that is new here, or fell, has a share of its actions.',
        's',
        0.0,
        60.0,
    )
    trial_reach: float = parameter('Of the actions, open meanwhile.', '', 0.1, 1.0)
    key_hold_s: float = parameter('How long a press of a key counts.', 's', 0.1, 5.0)

    def __post_init__(self) -> None:
        if len(self.joy_axes) != AXES:
            raise ValueError(
                f'joy_axes = {list(self.joy_axes)} must be three axes: ahead, to the left, '
                'turn left'
            )
