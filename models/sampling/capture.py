"""Work on a GPU recorded once as a CUDA graph, and replayed by one call instead of a launch for each step of it."""

from __future__ import annotations

from collections.abc import Callable

import torch


def captured(work: Callable[[], None], device: torch.device) -> Callable[[], None]:
    """A replay of `work`, which runs three times first.

    `work` reads and writes at fixed addresses, asks nothing of the host and branches on no value. It runs on a stream
    of its own first, so that what libraries allocate at their first call is there before the capture. The graph is
    replayed on the stream that also resets, restores and reads: they keep their order by themselves.
    """
    side: torch.cuda.Stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            work()
    torch.cuda.current_stream().wait_stream(side)
    graph: torch.cuda.CUDAGraph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        work()
    return graph.replay
