"""Updates by torch's own operations, against the compiled ones; on a GPU where there is one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from quad_learner.configuration import ConfigurationError
from quad_learner.experience.steps import Steps
from quad_learner.experience.transition import Transition
from quad_learner.learning import checkpoint
from quad_learner.learning import learner as learner_module
from quad_learner.learning.device_updater import DeviceUpdater
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.learning.updater import Batch, Parts, Terms

ConfigBuilder = Callable[..., LearnerConfig]
Learned = dict[str, Tensor]

needs_cuda = pytest.mark.skipif(not torch.cuda.is_available(), reason='no GPU for CUDA here')
DEVICES = ('cpu', pytest.param('cuda', marks=needs_cuda))

PLAIN: dict[str, Any] = {
    'critic_kind': 'layer_norm',
    'dropout': 0.0,
    'reward_error_max': 0.5,
    'margin_error_max': 0.4,
    'target_smoothing': 0.05,
    'saturation_pull': 0.5,
    'fallen_margin_rad': -0.2,
    'initial_multiplier': 2.0,
}
"""Errors are cut off, actions saturated and steps fell, so that everything has a part in it."""
SETTINGS: tuple[dict[str, Any], ...] = (
    {},
    {'dropout': 0.2},
    {'reward_critics': 3, 'safety_critics': 1},
    {'reward_critics': 1, 'safety_critics': 3},
    {'safety_pessimism': 'mean_minus_std', 'safety_pessimism_std': 2.0},
    {'target_smoothing': 1.0},
    {'reward_error_max': 1e6, 'margin_error_max': 0.01},
    {'center_values': False},
    {'saturation_pull': 5.0},
    {'box_start': 0.4},
    {'rescale_by_multiplier': False},
    {'constrained': False},
    {'actor_period': 1, 'adam_beta1': 0.9},
    {'n_step': 3},
)


BOUNDS = {'cpu': (2e-5, 1e-3), 'cuda': (1e-3, 5e-2)}
"""How far the first update, and fifty, may be apart; seen on a processor: 5e-6 and 2e-6. Where
sums are taken in another order, a unit may one day be dead in one and alive in the other."""


@pytest.fixture
def walked(steps: list[Transition]) -> list[Transition]:
    """Returns steps of which one in ten ends in a fall."""
    return [replace(step, terminated=number % 10 == 9) for number, step in enumerate(steps)]


def _there(learner: Learner, device: str) -> Learner:
    """Returns the same learner, whose updates are now made by the device updater."""
    updater = DeviceUpdater(learner.config, learner.parts, torch.device(device))
    if device == 'cuda':
        updater.record()
    learner.updater = updater
    return learner


def _learner(config: LearnerConfig, walked: list[Transition], device: str = '') -> Learner:
    """Returns one that has seen `walked`; its updates are compiled unless a device is named."""
    learner = Learner(3, 2, config, 0)
    for step in walked:
        learner.ingest(step)
    return _there(learner, device) if device else learner


def _copies(learner: Learner) -> Learned:
    return {name: tensor.clone() for name, tensor in learner.learned_tensors().items()}


def _changed(one: Learned, other: Learned) -> set[str]:
    return {name for name in one if not torch.equal(one[name], other[name])}


def _apart(one: Learned, other: Learned, start: Learned) -> float:
    """Returns how far two are apart at most, as a share of how far the first has come."""
    names = [name for name in one if not name.endswith('step')]
    return max(float((one[n] - other[n]).norm() / (one[n] - start[n]).norm()) for n in names)


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('changes', SETTINGS, ids=str)
def test_its_updates_are_the_compiled_ones(
    make_config: ConfigBuilder, walked: list[Transition], changes: dict[str, Any], device: str
) -> None:
    config = make_config(**{**PLAIN, **changes})
    compiled, there = _learner(config, walked), _learner(config, walked, device)
    start = _copies(compiled)
    for updates, bound in zip((1, 49), BOUNDS[device], strict=True):
        for _ in range(updates):
            seen, other = compiled.update(), there.update()
        np.testing.assert_allclose(other, seen, rtol=bound, atol=bound)
        assert _apart(_copies(compiled), _copies(there), start) < bound
    made = [_copies(learner)['critic.step'] for learner in (compiled, there)]
    assert torch.equal(*made)


Spoil = Callable[[Learner, Learned], None]


def _no_center(learner: Learner, _: Learned) -> None:
    learner.mean_reward.value = float('nan')


def _no_target(_: Learner, learned: Learned) -> None:
    learned['critic_memory.target'][0] = float('nan')


def _an_endless_target(_: Learner, learned: Learned) -> None:
    # The last numbers are the members' biases; the least of the others hides it in the minimum.
    learned['critic_memory.target'][-4] = float('inf')


def _a_runaway_of_reward(_: Learner, learned: Learned) -> None:
    learned['critic.vector'][-4] = 1e6


def _a_runaway_of_margin(_: Learner, learned: Learned) -> None:
    learned['critic.vector'][-1] = -1e6


@pytest.mark.parametrize('device', ['', *DEVICES])
@pytest.mark.parametrize(
    'spoil',
    [_no_center, _no_target, _an_endless_target, _a_runaway_of_reward, _a_runaway_of_margin],
)
def test_an_update_of_critics_that_is_not_sound_moves_nothing_and_is_counted(
    make_config: ConfigBuilder, walked: list[Transition], spoil: Spoil, device: str
) -> None:
    learner = _learner(make_config(**PLAIN), walked, device)
    learner.update()
    learned = _copies(learner)
    spoil(learner, learned)
    learner.restore_learned(learned)
    prices = learner.dual_state()
    assert [learner.update().skipped for _ in range(2)] == [1, 2]
    assert torch.equal(learner.learned_tensors()['critic.step'], learned['critic.step'])
    for name, tensor in learner.learned_tensors().items():
        assert torch.equal(tensor.nan_to_num(7.0), learned[name].nan_to_num(7.0)), name
    assert learner.dual_state() == prices


@pytest.mark.parametrize('device', ['', *DEVICES])
@pytest.mark.parametrize('price', [1.0, float('inf')])
@pytest.mark.parametrize('bias', [0.0, float('inf')])
def test_an_actor_moves_by_what_is_finite_alone(
    make_config: ConfigBuilder, walked: list[Transition], price: float, bias: float, device: str
) -> None:
    """An endless value hides behind the least one of the other member, and must be seen."""
    learner = _learner(make_config(**PLAIN), walked, device)
    before = _copies(learner)
    before['critic.vector'][-4] = bias
    learner.restore_learned(before)
    chance = np.random.default_rng(0)
    inputs = chance.standard_normal((2, 16, 5), np.float32)
    batch = Batch(*inputs, *chance.standard_normal((5, 16), np.float32))
    terms = Terms(0.1, price, 0.0, 0.0, largest_reward=1.0, largest_margin=1.0)
    _, moved = learner.updater.update_actor(batch, terms)
    sound = price == 1.0 and bias == 0.0
    assert moved == sound
    parts = {'actor.vector', 'actor.mean', 'actor.square', 'actor.step'}
    assert _changed(before, _copies(learner)) == (parts if sound else set())


@pytest.mark.parametrize('device', DEVICES)
def test_too_many_bad_updates_bring_the_last_good_ones_back(
    make_config: ConfigBuilder, walked: list[Transition], device: str
) -> None:
    config = make_config(**PLAIN, skips_before_rollback=2, snapshot_period=1)
    learner = _learner(config, walked, device)
    for _ in range(5):
        learner.update()
    good = _copies(learner)
    learner.restore_learned({**good, 'critic.vector': torch.full_like(good['critic.vector'], 1e9)})
    assert [learner.update().rollbacks for _ in range(2)] == [0, 1]
    assert not _changed(good, _copies(learner))
    assert learner.update().skipped == 2
    assert 'critic.vector' in _changed(good, _copies(learner))


@pytest.mark.parametrize('device', DEVICES)
def test_what_is_not_finite_is_not_given_away(
    make_config: ConfigBuilder, walked: list[Transition], device: str
) -> None:
    learner = _learner(make_config(**PLAIN), walked, device)
    learner.update()
    good = _copies(learner)
    learner.restore_learned({**good, 'actor.vector': good['actor.vector'] / 0.0})
    learner.recover()
    assert not _changed(good, _copies(learner))
    learner.update()
    assert all(tensor.isfinite().all() for tensor in learner.learned_tensors().values())


@pytest.mark.parametrize('device', DEVICES)
@pytest.mark.parametrize('saved_there', [True, False])
def test_a_checkpoint_of_one_is_taken_up_by_the_other(
    make_config: ConfigBuilder,
    walked: list[Transition],
    tmp_path: Path,
    saved_there: bool,
    device: str,
) -> None:
    config = make_config(**{**PLAIN, 'dropout': 0.2})
    saved = _learner(config, walked, device if saved_there else '')
    resumed = Learner(3, 2, config, seed=99)
    if not saved_there:
        _there(resumed, device)
    start = _copies(saved)
    for _ in range(7):
        saved.update()
    checkpoint.save(tmp_path, saved, version=1)
    checkpoint.load(tmp_path, resumed)
    resumed.rebuild(Steps.of(walked))
    assert not _changed(_copies(saved), _copies(resumed))
    for _ in range(20):
        seen, other = saved.update(), resumed.update()
    bound = BOUNDS[device][1]
    np.testing.assert_allclose(other, seen, rtol=bound, atol=bound)
    assert _apart(_copies(saved), _copies(resumed), start) < bound


@pytest.mark.parametrize('device', DEVICES)
def test_what_goes_there_and_comes_back_is_the_same_to_the_bit(
    make_config: ConfigBuilder, walked: list[Transition], device: str
) -> None:
    learner = _learner(make_config(**PLAIN), walked, device)
    learned = _copies(learner)
    for name in set(learned) - {'actor.step', 'critic.step'}:
        learned[name].uniform_(generator=torch.Generator().manual_seed(len(name)))
    learner.restore_learned(learned)
    learner.mean_reward.value = float('nan')
    learner.update()  # moves nothing, and says that the device knows more
    for tensor in (learner.actor_adam.vector, learner.critic_adam.vector):
        tensor.zero_()
    assert not _changed(learned, _copies(learner))


@pytest.mark.parametrize('device', DEVICES)
def test_the_robot_is_given_what_was_learned_there(
    make_config: ConfigBuilder, walked: list[Transition], device: str
) -> None:
    learner = _learner(make_config(**PLAIN), walked, device)
    first = learner.propose().flat.vector.clone()
    learner.update()
    second = learner.propose().flat.vector.clone()
    assert not torch.equal(second, first)
    assert torch.equal(second, learner.learned_tensors()['actor.vector'])


@pytest.mark.parametrize('changes', SETTINGS, ids=str)
def test_a_turn_asks_the_host_for_nothing(
    make_config: ConfigBuilder, changes: dict[str, Any]
) -> None:
    """Tensors of the device `meta` hold no numbers: to read or to mix them with others fails."""
    learner = Learner(3, 2, make_config(**{**PLAIN, **changes}), 0)
    updater = DeviceUpdater(learner.config, learner.parts, torch.device('meta'))
    for result in (updater._move_critics(), updater._move_actor()):
        assert (result.shape, result.device.type) == ((4,), 'meta')
        with pytest.raises(NotImplementedError, match='meta'):
            result.tolist()


def test_a_gpu_that_is_not_there_is_refused(
    make_config: ConfigBuilder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, 'is_available', lambda: False)
    config = make_config(**PLAIN, device='cuda')
    with pytest.raises(ConfigurationError, match=r"device = 'cuda': .*set device: cpu .*yaml"):
        Learner(3, 2, config, 0)


def test_recording_changes_nothing_that_was_learned(
    make_config: ConfigBuilder, walked: list[Transition], no_gpu: list[str]
) -> None:
    learner = _learner(make_config(**PLAIN), walked, 'cpu')
    for _ in range(3):
        learner.update()
    updater = learner.updater
    assert isinstance(updater, DeviceUpdater)
    learned = [there.clone() for _, there in updater._pairs]
    updater.record()
    assert no_gpu.count('recording begins') == 2
    for before, both in zip(learned, updater._pairs, strict=True):
        assert all(torch.equal(each, before) for each in both)
    no_gpu.clear()
    learner.updates = 0
    learner.update()
    assert no_gpu == ['replay', 'replay']


def test_a_gpu_that_is_there_is_recorded_at_the_start(
    make_config: ConfigBuilder, no_gpu: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    def instead(config: LearnerConfig, parts: Parts, device: torch.device) -> DeviceUpdater:
        asked.append(device)
        return DeviceUpdater(config, parts, torch.device('cpu'))

    monkeypatch.setattr(torch.cuda, 'is_available', lambda: True)
    monkeypatch.setattr(learner_module, 'DeviceUpdater', instead)
    Learner(3, 2, make_config(**PLAIN, device='cuda'), 0)
    assert (asked, no_gpu.count('recording begins')) == ([torch.device('cuda')], 2)


@needs_cuda
@pytest.mark.parametrize('changes', [{}, {'dropout': 0.2, 'safety_pessimism': 'mean_minus_std'}])
def test_graphs_learn_what_the_same_operations_one_by_one_learn(
    make_config: ConfigBuilder, walked: list[Transition], changes: dict[str, Any]
) -> None:
    config = make_config(**{**PLAIN, **changes})
    graphs, eager = _learner(config, walked, 'cuda'), _learner(config, walked)
    eager.updater = DeviceUpdater(config, eager.parts, torch.device('cuda'))
    start = _copies(graphs)
    for _ in range(200):
        seen, other = graphs.update(), eager.update()
    np.testing.assert_allclose(other, seen, rtol=5e-2, atol=5e-2)
    assert _apart(_copies(graphs), _copies(eager), start) < 5e-2
    assert graphs.skipped == eager.skipped == 0


@needs_cuda
def test_graphs_take_no_more_memory_once_they_run(
    make_config: ConfigBuilder, walked: list[Transition]
) -> None:
    learner = Learner(3, 2, make_config(**PLAIN, device='cuda'), 0)
    for step in walked:
        learner.ingest(step)
    taken = []
    for updates in (5, 200):
        for _ in range(updates):
            learner.update()
        learner.learned_tensors()
        taken.append((torch.cuda.memory_allocated(), torch.cuda.memory_reserved()))
    assert taken[0] == taken[1]
