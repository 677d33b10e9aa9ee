"""A function on a GPU, recorded once as a CUDA graph and replayed.

An update of networks as small as these is some hundred operations of a few microseconds each, and
the way through Python, torch and the driver to start one takes as long. A graph starts them all
at once. What may be recorded works on tensors that stay where they are, asks the host for nothing
on its way and always does the same (https://docs.pytorch.org/docs/stable/notes/cuda.html,
"CUDA Graphs").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

WARM_UPS = 3
"""runs before the recording, as in torch's notes: libraries set themselves up in them"""


def recorded(function: Callable[[], Tensor]) -> Callable[[], Tensor]:
    """Returns what does the same as `function`, but for Python, at each call.

    `function` is run a few times on the way: whatever it writes to is to be put right after.

    Args:
        function: returns one tensor; the one returned here is written over by the next call.
    """
    beside = torch.cuda.Stream()
    beside.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(beside):
        for _ in range(WARM_UPS):
            function()
    torch.cuda.current_stream().wait_stream(beside)
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        result = function()

    def replay() -> Tensor:
        graph.replay()
        return result

    return replay
