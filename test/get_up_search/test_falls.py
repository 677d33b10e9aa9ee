"""Claims about attempts in simulation: a good motion gets the robot up, a bad one does not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from quad_learner.get_up_search import falls
from quad_learner.get_up_search.falls import Fall, World, drop, get_up, lay, roll, tuck
from quad_learner.get_up_search.workers import attempts, spread, with_motions
from quad_learner.reset.motion import Keyframe, motion
from quad_learner.reset.posture import posture
from quad_learner.robot import rotations
from quad_learner.robot.model import RobotModel, load
from quad_learner.simulation.in_process import InProcessGraph

FOLDED = [{'seconds': 0.5, 'right': [0.0, 1.4, -2.64], 'left': [0.0, 1.4, -2.64]}]
"""legs that do not move turn nobody over"""


@pytest.fixture(scope='module')
def a1() -> RobotModel:
    return load('a1')


@pytest.fixture(scope='module')
def on_back(world: World, a1: RobotModel) -> Fall:
    generator, tilt = np.random.default_rng(0), 0.0
    while tilt < 2.8:  # level on its back is 3.1; some that are dropped so roll on
        fall, tilt = tuck(world, a1, drop(world, a1, 'back', generator))
    return fall


def test_the_a1s_motion_gets_it_off_its_back_and_legs_that_stay_folded_do_not(
    world: World, a1: RobotModel, on_back: Fall
) -> None:
    good = roll(world, a1, on_back, motion(a1).from_back)
    assert good.up
    assert good.last_tilt < 0.75
    assert 0.7 < good.seconds < 4.7
    assert not good.stops
    folded = with_motions(a1, from_back=FOLDED)
    bad = roll(world, folded, on_back, motion(folded).from_back)
    assert not bad.up
    assert bad.lowest_tilt > 2.5
    assert bad.work < good.work


def test_who_is_laid_on_a_side_lies_on_it_and_has_not_been_dropped(
    world: World, a1: RobotModel
) -> None:
    generator = np.random.default_rng(0)
    for kind, lean in (('right', 1.0), ('left', -1.0)):
        fall = lay(world, a1, kind, generator)
        slant = posture(fall.orientation)
        assert 0.75 < slant.tilt < 2.35
        assert np.sign(slant.lean) == lean
        # Neither hurled about nor spread by a blow: the legs are still near the fold.
        assert np.abs(fall.joints - motion(a1).fold).max() < 1.0


@pytest.mark.parametrize('terrain', ['slope', 'doormat', 'rubble'])
def test_who_is_laid_on_uneven_ground_lies_on_top_of_it(
    world: World, a1: RobotModel, terrain: str
) -> None:
    simulation = replace(world.parts.simulation, terrain=terrain)
    uneven = replace(world, parts=replace(world.parts, simulation=simulation))
    generator, flat = np.random.default_rng(4), lay(world, a1, 'left', np.random.default_rng(4))
    fall = lay(uneven, a1, 'left', generator)
    assert np.hypot(*fall.position[:2]) > 0.1, 'somewhere, not always in the middle'
    rise = {
        'slope': math.tan(simulation.terrain_slope_rad) * fall.position[0],
        'doormat': 0.0,
        'rubble': 0.5 * simulation.terrain_height_m,
    }[terrain]
    assert fall.position[2] - rise == pytest.approx(flat.position[2], abs=0.06)


def test_a_motion_without_end_is_looked_at_for_a_bounded_time(
    world: World, a1: RobotModel, on_back: Fall
) -> None:
    slow = with_motions(a1, from_back=[{**FOLDED[0], 'seconds': 60.0}])
    a_second = (Keyframe(1.0, a1.stance),)
    assert roll(world, slow, on_back, a_second).seconds == 5.0


def test_poses_with_a_leg_in_the_trunk_are_told(
    world: World, a1: RobotModel, on_back: Fall
) -> None:
    through = [{**FOLDED[0], 'left': [-0.78, 2.6, -2.0]}]  # over the back, and inwards
    jammed = with_motions(a1, from_back=through)
    tried = motion(jammed).from_back + motion(a1).from_back
    assert roll(world, jammed, on_back, tried).jams == 1


def test_a_robot_that_lies_upright_on_a_leg_is_not_up(world: World) -> None:
    caught = [
        {'seconds': 0.49, 'right': [5.37, -1.54], 'left': [-0.32, -1.28]},
        {'seconds': 0.41, 'right': [2.65, 1.93], 'left': [0.14, -5.38]},
    ]
    # A hop would free the leg: it counts where the robot has none.
    robot = with_motions(load('minitaur'), from_side=[], from_back=caught, rise=[])
    generator, tilt = np.random.default_rng(0), 0.0
    while tilt < 2.8:
        fall, tilt = tuck(world, robot, drop(world, robot, 'back', generator))
    outcome = roll(world, robot, fall, motion(robot).from_back)
    assert not outcome.up
    assert outcome.last_tilt < 0.75
    assert outcome.astray > 0.4


def test_off_a_side_the_way_over_the_back_is_as_good_where_a_motion_leads_on_from_there(
    world: World,
) -> None:
    onto_its_back = [
        {'seconds': 0.25, 'right': [2.6] * 4, 'left': [-2.6] * 4},
        {'seconds': 0.31, 'right': [-0.4, 5.6, 5.6, -0.4], 'left': [-5.6, 0.4, 0.4, -5.6]},
    ]
    minitaur = with_motions(load('minitaur'), from_side=onto_its_back)
    moves = motion(minitaur)
    on_side = np.array(rotations.quaternion_from_rpy(np.pi / 2, 0.0, 0.0))
    fall = Fall(np.array([0.0, 0.0, 0.2]), on_side, moves.fold, friction=0.8, seed=0)
    over = roll(world, minitaur, fall, moves.from_side)
    assert over.up
    assert over.last_tilt < 0.2
    astray = roll(world, with_motions(minitaur, from_back=[]), fall, moves.from_side)
    assert not astray.up
    assert astray.last_tilt > 2.7
    assert astray.seconds < over.seconds


def test_the_whole_get_up_ends_on_the_feet(world: World, a1: RobotModel, on_back: Fall) -> None:
    outcome = get_up(world, a1, on_back)
    assert outcome.up
    assert outcome.last_tilt < 0.2


def test_a_robot_that_was_dropped_on_a_side_lies_there(world: World, a1: RobotModel) -> None:
    generator = np.random.default_rng(0)
    tilts = [
        tuck(world, a1, drop(world, a1, kind, generator))[1] for kind in ('right', 'left', 'right')
    ]
    assert np.median(tilts) == pytest.approx(np.pi / 2, abs=0.3), tilts


def test_an_attempt_ends_alike_whatever_was_tried_before(
    world: World, a1: RobotModel, on_back: Fall
) -> None:
    present = a1.sections['reset']['from_back']
    with spread(1) as mapped:
        run = attempts(world, a1, 'from_back', [on_back], mapped)
        first, _, second = run([(present, 0), (FOLDED, 0), (present, 0)])
    assert first == second


@pytest.mark.parametrize(('sunk', 'drawn'), [(0, 1), (3, 4), (1000, 10)])
def test_a_drop_that_leaves_a_foot_under_the_ground_is_drawn_again_but_not_for_ever(
    world: World, a1: RobotModel, monkeypatch: pytest.MonkeyPatch, sunk: int, drawn: int
) -> None:
    answers = iter([True] * sunk + [False])
    monkeypatch.setattr(falls, 'is_sunk', lambda *_: next(answers))
    thrown = []

    def throw(graph: InProcessGraph, kind: str, generator: np.random.Generator) -> None:
        thrown.append(graph.sim.world)
        assert kind == 'back'

    monkeypatch.setattr(falls, '_throw', throw)
    generator = np.random.default_rng(2)
    fall = drop(world, a1, 'back', generator)
    assert len(thrown) == drawn
    # Friction and seed are drawn for each, and the last ones are the fall's.
    again = np.random.default_rng(2)
    pairs = [(again.uniform(0.5, 1.0), again.integers(2**31)) for _ in range(drawn)]
    assert (fall.friction, fall.seed) == pairs[-1]
    assert generator.random() == again.random()
