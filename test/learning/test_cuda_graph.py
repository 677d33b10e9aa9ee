"""The order in which a function is recorded, told by a stand-in for CUDA."""

from __future__ import annotations

import torch
from torch import Tensor

from quad_learner.learning.cuda_graph import recorded


def test_a_function_is_warmed_up_apart_recorded_once_and_replayed(no_gpu: list[str]) -> None:
    result = torch.zeros(4)

    def function() -> Tensor:
        no_gpu.append('run')
        return result

    replay = recorded(function)
    assert no_gpu == [
        'beside waits for main',
        *('beside begins', 'run', 'run', 'run', 'beside ends'),
        'main waits for beside',
        *('recording begins', 'run', 'recording ends'),
    ]
    no_gpu.clear()
    assert replay() is replay() is result
    assert no_gpu == ['replay', 'replay']
