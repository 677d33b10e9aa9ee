"""Claims about what is written down of a robot whose motion is known."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from quad_learner.robot import rotations
from quad_learner.robot.signals import JointCommand
from quad_learner.simulation.bout_recorder import BoutRecorder
from quad_learner.simulation.robot import SimulatedRobot

Build = Callable[..., SimulatedRobot]
Order = Callable[..., JointCommand]
Errors = dict[str, Any]


def record(simulated: SimulatedRobot, command: JointCommand, ticks: int) -> BoutRecorder:
    recorder = BoutRecorder(simulated)
    recorder.begin()
    for tick in range(ticks):
        if tick % simulated.robot.ticks_per_decision == 0:
            recorder.act(np.zeros(len(simulated.robot.joints), np.float32))
        simulated.step(command)
        recorder.tick()
    return recorder


def test_a_robot_that_stands_is_written_down_as_one_that_stands(
    build: Build, order: Order, exact: Errors
) -> None:
    simulated = build(**exact, payload_mass_kg=2.0)
    hold = order(simulated.robot)
    for _ in range(120):
        simulated.step(hold)
    recorder = record(simulated, hold, 60)
    bout = recorder.bout()
    assert recorder.four_legs
    assert bout.contact.shape == (60, 4)
    assert bout.contact.all()
    assert set(bout.others) == {()}
    assert bout.action.shape == (20, 12)
    assert bout.height == pytest.approx(simulated.truth().position[2], abs=3e-3)
    assert abs(bout.way) < 0.01
    # Half a second: 15 J for the computers; 0.6 W/(N·m)² of some 6 N·m in each knee and less in
    # the other joints, which hardly move.
    assert 15.0 + 0.5 * 4 * 0.6 * 4.0**2 < bout.drawn < 15.0 + 0.5 * 12 * 0.6 * 6.0**2
    assert bout.work < 0.01 * bout.drawn


def test_the_mass_is_that_of_the_urdf_and_the_payload(build: Build) -> None:
    import pinocchio

    bare, laden = build(), build(payload_mass_kg=3.0)
    model = pinocchio.buildModelFromUrdf(str(bare.robot.urdf), pinocchio.JointModelFreeFlyer())
    own = sum(inertia.mass for inertia in model.inertias)
    assert bare.world.mass() == pytest.approx(own)
    assert laden.world.mass() == pytest.approx(own + 3.0)


def test_a_robot_let_down_lies_on_more_than_its_feet(build: Build, exact: Errors) -> None:
    simulated = build(**exact)
    recorder = BoutRecorder(simulated)
    recorder.begin()
    recorder.act(np.zeros(12, np.float32))
    for _ in range(120):
        simulated.step(None)
        recorder.tick()
    bout = recorder.bout()
    assert bout.others[0] == ()
    assert bout.others[-1]
    assert bout.height[-1] < 0.5 * bout.height[0]


def test_feet_come_in_the_order_of_the_gaits_and_the_way_along_the_heading(
    build: Build, exact: Errors
) -> None:
    simulated = build(**exact)
    recorder = BoutRecorder(simulated)
    recorder.begin()
    recorder.act(np.zeros(12, np.float32))
    # Rolled to the right and a hand's breadth ahead: the right feet, which this robot names
    # first, are down, and the left ones in the air.
    tilted = rotations.quaternion_from_rpy(0.35, 0.0, 0.0)
    for height in np.arange(0.40, 0.20, -0.002):
        simulated.place(np.array((0.1, 0.0, height)), tilted, simulated.robot.stance)
        simulated.step(None)
        if simulated.feet_truth().contact.sum() == 2:
            break
    recorder.tick()
    bout = recorder.bout()
    assert bout.contact.tolist() == [[False, True, False, True]]
    assert bout.way == pytest.approx(0.1, abs=0.01)
    assert bout.roll[0] == pytest.approx(0.35, abs=0.02)
