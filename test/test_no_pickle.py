"""Nothing that is loaded can run code: not one way to an unpickler, neither written nor taken."""

from __future__ import annotations

import ast
import pickle  # noqa: TID251  # to see that nobody else does
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import quad_learner
from quad_learner import configuration
from quad_learner.experience.log import ExperienceLog
from quad_learner.experience.reader import ExperienceReader
from quad_learner.learning import checkpoint
from quad_learner.learning.export import policy_onnx
from quad_learner.learning.learner import Learner
from quad_learner.learning.learner_config import LearnerConfig
from quad_learner.policy.onnx_policy import OnnxPolicy
from quad_learner.resources import config_directory

MODULES = frozenset(
    {'_pickle', 'cPickle', 'cloudpickle', 'dbm', 'dill', 'joblib', 'jsonpickle', 'marshal'}
    | {'pickle', 'pickletools', 'shelve'}
)
CALLS = frozenset(
    {'eval', 'exec', 'compile', '__import__', 'torch.load', 'torch.jit.load', 'torch.save'}
    | {'np.load', 'numpy.load', 'np.save', 'np.fromfile', 'pd.read_pickle', 'yaml.load'}
    | {'yaml.unsafe_load', 'yaml.full_load'}
)


def _sources() -> list[Path]:
    return sorted(Path(quad_learner.__file__).parent.rglob('*.py'))


def _reached(source: str) -> list[str]:
    """Returns the forbidden modules and calls in `source`."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found += [name.name for name in node.names]
        elif isinstance(node, ast.ImportFrom):
            found += [node.module or '', *(f'{node.module}.{name.name}' for name in node.names)]
        elif isinstance(node, ast.Call):
            found.append(ast.unparse(node.func))
        elif isinstance(node, ast.Attribute):
            found.append(ast.unparse(node))
    return [name for name in found if name in CALLS or name.split('.')[0] in MODULES]


@pytest.mark.parametrize(
    'source',
    [
        'import pickle',
        'from pickle import loads',
        'import torch\ntorch.load("x")',
        'import numpy as np\nnp.load("x", allow_pickle=True)',
        'from torch import load',
        'import yaml\nyaml.load("x")',
        'load = torch.load',
        'import shelve as innocent',
    ],
)
def test_the_search_finds_what_it_looks_for(source: str) -> None:
    assert _reached(source)


def test_no_source_reaches_an_unpickler() -> None:
    assert len(_sources()) > 100
    reached = {path.name: _reached(path.read_text()) for path in _sources()}
    assert {name: found for name, found in reached.items() if found} == {}


class _Touches:
    """Touches a file when it is unpickled."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self._path,)


def test_all_that_a_run_keeps_is_loaded_without_an_unpickler(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoint, log, model and parameters are written and read with every unpickler barred."""

    def barred(*_: Any, **__: Any) -> None:
        raise AssertionError('something was unpickled')

    for name in ('load', 'loads', 'Unpickler'):
        monkeypatch.setattr(pickle, name, barred)
    monkeypatch.setattr(torch, 'load', barred)
    config = configuration.read(
        LearnerConfig,
        config_directory() / 'learner.yaml',
        {'critic_width': 8, 'actor_width': 8, 'replay_capacity': 1000, 'mirror': False},
    )
    learner = Learner(3, 2, config, 0)
    checkpoint.save(tmp_path / 'checkpoint', learner, 1)
    checkpoint.load(tmp_path / 'checkpoint', learner)
    assert OnnxPolicy(policy_onnx(learner.actor)).answer(np.zeros(3, np.float32)).mean.size == 2
    log = ExperienceLog(tmp_path / 'experience.mcap', lambda: 0)
    log.open()
    log.append(1, b'step', 0)
    log.close()
    assert len(list(ExperienceReader(tmp_path / 'experience.mcap').records())) == 1


@pytest.mark.parametrize('name', ['state.safetensors', 'manifest.json', 'SHA256SUMS'])
def test_a_pickle_in_a_checkpoints_place_runs_nothing(tmp_path: Path, name: str) -> None:
    config = configuration.read(
        LearnerConfig,
        config_directory() / 'learner.yaml',
        {'critic_width': 8, 'actor_width': 8, 'replay_capacity': 1000, 'mirror': False},
    )
    learner = Learner(3, 2, config, 0)
    path = checkpoint.save(tmp_path / 'checkpoint', learner, 1)
    hostile, trace = pickle.dumps(_Touches(tmp_path / 'trace')), tmp_path / 'trace'
    (path / name).write_bytes(hostile)
    with pytest.raises(checkpoint.CheckpointError):
        checkpoint.load(tmp_path / 'checkpoint', learner)
    (tmp_path / 'experience.mcap').write_bytes(hostile)
    assert list(ExperienceReader(tmp_path / 'experience.mcap').records()) == []
    assert not trace.exists()
    pickle.loads(hostile)
    assert trace.exists(), 'the fixture does what it should not be let to do'
