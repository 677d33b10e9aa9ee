from __future__ import annotations

from collections.abc import Iterator

import gymnasium
import numpy as np
import pytest
from gymnasium.utils.env_checker import check_env

from quad_learner.configuration import ConfigurationError
from quad_learner.gymnasium_env import ID, WalkEnv
from quad_learner.safety.modes import Reason

SHORT = {'episode_s': 0.5}  # twenty steps


@pytest.fixture
def env() -> Iterator[WalkEnv]:
    env = WalkEnv(**SHORT)
    yield env
    env.close()


def walked(env: WalkEnv, steps: int, seed: int | None) -> list[np.ndarray]:
    """Returns what is seen under actions that are the same each time."""
    chance = np.random.default_rng(0)
    observations = [env.reset(seed=seed)[0]]
    for _ in range(steps):
        action = chance.uniform(-0.5, 0.5, env.action_space.shape).astype(np.float32)
        observations.append(env.step(action)[0])
    return observations


def test_it_is_registered_under_its_name() -> None:
    made = gymnasium.make(ID, **SHORT)
    assert isinstance(made.unwrapped, WalkEnv)
    made.close()


@pytest.mark.slow
def test_it_keeps_the_rules_of_gymnasium(env: WalkEnv) -> None:
    check_env(env, skip_render_check=True)


@pytest.mark.slow
def test_the_same_seed_gives_the_same_walk_and_another_does_not(env: WalkEnv) -> None:
    first, again, other = (walked(env, 5, seed) for seed in (3, 3, 4))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


@pytest.mark.slow
def test_an_episode_is_cut_by_time_and_the_next_begins_without_being_carried(
    env: WalkEnv,
) -> None:
    env.reset(seed=1)
    for step in range(20):
        _, reward, terminated, truncated, info = env.step(np.zeros(12, np.float32))
        assert (terminated, truncated) == (False, step == 19)
        assert np.isfinite(reward)
        assert info['constraint'] > 0.0, 'it stands'
    before = info['true_position']
    _, info = env.reset()
    assert np.linalg.norm(info['true_position'][:2] - before[:2]) < 0.2
    assert env.graph is not None
    assert env.graph.sim.human_resets == env.graph.sim.placements == 0


@pytest.mark.slow
def test_a_fall_is_one_trip_with_its_time_and_reason() -> None:
    env = WalkEnv(episode_s=3.0)
    env.reset(seed=1)
    graph = env.graph
    assert graph is not None
    assert graph.trips == []
    graph.sim.push(np.array((0.0, 40.0, 0.0)))  # some 3 m/s sideways for its 12.5 kg
    over = False
    while not over:
        _, _, fell, cut, _ = env.step(np.zeros(12, np.float32))
        over = fell or cut
    assert fell
    ((time_ns, reasons),) = graph.trips
    assert reasons & Reason.TILT
    # It is known at the next decision.
    assert 0 < graph.sim.time_ns - time_ns <= 2 * 10**9 // env.robot.policy_hz
    env.close()


def test_the_rhythm_alone_goes_almost_nowhere() -> None:
    """A policy that knows nothing yet begins there: what the rhythm drifts it has to unlearn."""
    env = WalkEnv(episode_s=5.0)
    _, before = env.reset(seed=3)
    over = False
    while not over:
        _, _, terminated, over, after = env.step(np.zeros(env.action_space.shape, np.float32))
        assert not terminated
    env.close()
    drift = np.linalg.norm((after['true_position'] - before['true_position'])[:2]) / 5.0
    assert drift < 0.06, 'm/s'


@pytest.mark.slow
def test_an_episode_may_be_given_up_half_way(env: WalkEnv) -> None:
    env.reset(seed=1)
    env.step(np.zeros(12, np.float32))
    observation, _ = env.reset()
    assert env.observation_space.contains(observation)
    _, _, terminated, truncated, _ = env.step(np.zeros(12, np.float32))
    assert not (terminated or truncated)


@pytest.mark.slow
def test_a_step_after_the_end_of_an_episode_is_a_mistake_that_shows(env: WalkEnv) -> None:
    env.reset(seed=1)
    for _ in range(20):
        env.step(np.zeros(12, np.float32))
    with pytest.raises(RuntimeError, match='after the end of the episode'):
        env.step(np.zeros(12, np.float32))


def test_a_step_before_the_first_reset_is_a_mistake_that_shows(env: WalkEnv) -> None:
    with pytest.raises(RuntimeError, match='call reset first'):
        env.step(np.zeros(12, np.float32))


def test_an_unknown_robot_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="robot 'b2' is not known; choose one of a1"):
        WalkEnv(robot='b2')


def test_a_misspelt_parameter_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r"'epissode_s'; did you mean 'episode_s'"):
        WalkEnv(epissode_s=1.0)


def test_a_parameter_out_of_range_is_refused() -> None:
    with pytest.raises(ConfigurationError, match=r'episode_s = -1\.0 must be within'):
        WalkEnv(episode_s=-1.0)


def test_battery_and_heat_are_told_while_samples_are_lost() -> None:
    # Told at 3 s and handed on at 3.5 s, of which no sample is heard.
    env = WalkEnv(faults=['dropped_sample@2.9+0.8'], episode_s=10.0)
    env.reset(seed=3)
    graph = env.graph
    assert graph is not None
    assert graph.sim.time_ns < 2_900_000_000
    while graph.sim.time_ns < 3_700_000_000:
        env.step(np.zeros(env.action_space.shape))
    assert graph._health is not None
    assert graph._health.time_ns == 3_000_000_000
    env.close()
