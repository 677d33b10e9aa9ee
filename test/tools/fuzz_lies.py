"""What a broken world of the fuzz says that is not so: a method for each kind of fault."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
from numpy.typing import NDArray

from quad_learner.robot.model import RobotModel
from quad_learner.robot.signals import Health, SensorSample
from quad_learner.safety.state import SafetyInputs

ODD = (np.nan, np.inf, -np.inf, 1e308, -1e308, 5e-324, -0.0, 57.3, -3.0)
STEPS_A_MOTOR = 50
"""steps after which it would be another motor that fails: longer than a fault lasts"""


class Lies:
    """The faults of a world, which is given what would be told and a number from 0 to 1."""

    robot: RobotModel
    inputs: SafetyInputs
    angle: NDArray[np.float64]
    speed: NDArray[np.float64]
    now_ns: int
    count: int

    def names(self) -> list[str]:
        """Returns the methods that are faults."""
        return sorted(name for name in dir(self) if name.startswith('bad_'))

    def bad_silence(self, told: dict[str, Any], pick: float) -> None:
        names = ('sample', 'estimate', 'policy', 'reset', 'battery', 'warmth')
        name = names[int(pick * 1e3) % len(names)]
        told.pop(name, None)
        told.pop(f'{name}_received_ns', None)

    def bad_sample(self, told: dict[str, Any], pick: float) -> None:
        fields = dataclasses.fields(SensorSample)[1:]
        field = fields[int(pick * 1e4) % len(fields)].name
        self.spoil(told, 'sample', field, pick)

    def bad_target(self, told: dict[str, Any], pick: float) -> None:
        field = ('position', 'kp', 'kd')[int(pick * 1e4) % 3]
        self.spoil(told, ('policy', 'reset')[int(pick * 1e5) % 2], field, pick)

    def bad_number(self, told: dict[str, Any], pick: float) -> None:
        """A request or a stamp that nobody comes to in a lifetime, or one that is long past."""
        name, lie = ('policy', 'reset')[int(pick * 1e4) % 2], (10**15, 1, -1)[int(pick * 1e5) % 3]
        field = ('request', 'time_ns')[int(pick * 1e3) % 2]
        told[name] = dataclasses.replace(told[name], **{field: lie})

    def bad_source(self, told: dict[str, Any], pick: float) -> None:
        told['policy'] = told['reset']

    def bad_warmth(self, told: dict[str, Any], pick: float) -> None:
        warm = np.full(len(self.robot.joints), 30.0)
        warm[: 1 + int(pick * 1e5) % 12] = (90.0, np.nan, np.inf, -273.0, 1e6)[int(pick * 1e4) % 5]
        told['health'] = Health(self.now_ns, self.robot.battery_full_voltage, 0.9, warm)

    def bad_battery(self, told: dict[str, Any], pick: float) -> None:
        charge = (0.01, np.nan, np.inf, 50.0, -1.0)[int(pick * 1e4) % 5]
        health = self.inputs.health
        if health is not None:
            told['health'] = dataclasses.replace(
                health, time_ns=self.now_ns, battery_charge=charge
            )

    def bad_posture(self, told: dict[str, Any], pick: float) -> None:
        half = 3.0 * pick
        lean = np.array((np.sin(half), 0.0, 0.0, np.cos(half)))
        told['sample'] = dataclasses.replace(told['sample'], orientation=lean)

    def bad_hand(self, told: dict[str, Any], pick: float) -> None:
        """Somebody lifts it level."""
        in_the_air = np.zeros(len(self.robot.feet))
        told['sample'] = dataclasses.replace(told['sample'], foot_force=in_the_air)

    def bad_estimate(self, told: dict[str, Any], pick: float) -> None:
        told['estimate'] = dataclasses.replace(told['estimate'], healthy=False)

    def bad_speed(self, told: dict[str, Any], pick: float) -> None:
        self.speed = self.speed * 1.5 + 10.0 * pick

    def bad_jump(self, told: dict[str, Any], pick: float) -> None:
        self.angle = self.angle + (pick - 0.5)

    def bad_motor(self, told: dict[str, Any], pick: float) -> None:
        """One makes no torque, whatever it is told."""
        torque = told['sample'].joint_effort.copy()
        torque[self.count // STEPS_A_MOTOR % torque.size] = 0.0
        told['sample'] = dataclasses.replace(told['sample'], joint_effort=torque)

    def bad_stiffness(self, told: dict[str, Any], pick: float) -> None:
        for name in ('policy', 'reset'):
            kp, kd = self.robot.kp * 4.0 * pick, self.robot.kd * 4.0 * (1.0 - pick)
            told[name] = dataclasses.replace(told[name], kp=kp, kd=kd)

    def bad_swing(self, told: dict[str, Any], pick: float) -> None:
        """Bang-bang at the highest rate there is."""
        swing = self.robot.stance + (3.0 * pick if self.count % 2 else -3.0 * pick)
        for name in ('policy', 'reset'):
            told[name] = dataclasses.replace(told[name], position=swing)

    def bad_order(self, told: dict[str, Any], pick: float) -> None:
        late = self.now_ns - int(pick * 2e8)
        told['sample'] = dataclasses.replace(told['sample'], time_ns=late)

    def bad_clock(self, told: dict[str, Any], pick: float) -> None:
        self.now_ns += int((pick - 0.5) * 1e9)

    def bad_operator(self, told: dict[str, Any], pick: float) -> None:
        told['operator_stop'] = True

    def bad_follower(self, told: dict[str, Any], pick: float) -> None:
        """The robot follows nobody."""
        told['let_go'] = True

    def bad_nonsense(self, told: dict[str, Any], pick: float) -> None:
        """`_broken` hands something over that is no input at all."""

    def spoil(self, told: dict[str, Any], name: str, field: str, pick: float) -> None:
        values = np.array(getattr(told[name], field), float)
        values[int(pick * 1e6) % values.size] = ODD[int(pick * 1e7) % len(ODD)]
        if pick > 0.9:
            values = values[:-1]
        told[name] = dataclasses.replace(told[name], **{field: values})

    def broken(self) -> Any:
        kind = self.count % 3
        return (None, dataclasses.replace(self.inputs, sample='noon'), 7)[kind]  # type: ignore[arg-type]
