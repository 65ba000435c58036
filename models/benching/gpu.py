"""What the fused kernel makes of a GPU: `python -m ostinato.models.benching.gpu`.

For each model and number of streams: from nothing to the first block, a lone hop as a live server asks for it, a block
of as many hops as one launch draws, the kernel's own share of that block, and the memory of a stream. Beside them, the
captured graph of the torch sampler. All in one process on one card, so that the figures can be compared.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median

import numpy as np
import torch

from ostinato.models import registry
from ostinato.models.benching.timing import steady_frames
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.sampling.contract import Sampler
from ostinato.models.sampling.fused import LONGEST_LAUNCH, FusedSampler
from ostinato.models.sampling.torch_sampler import TorchSampler

STREAMS = (1, 16, 256, 1024, 1280, 2048, 4096)
TORCH_STREAMS = (1, 64)
LONE_HOPS, BLOCKS = 60, 12


@dataclass(frozen=True)
class Figures:
    """One sampler on one card. Microseconds are of one sample of all streams; real time below `real_time_us`."""

    card: str
    engine: str
    precision: str
    model: str
    streams: int
    first_s: float  # from the checkpoint to the first hop, whatever was compiled meanwhile
    hop_us: float  # one hop a call, the median call
    worst_hop_us: float
    block_us: float  # `LONGEST_LAUNCH` hops a call
    kernel_us: float | None  # of that block, what the kernel took of it
    real_time_us: float
    bytes_a_stream: int

    def __str__(self) -> str:
        kernel = "" if self.kernel_us is None else f", kernel {self.kernel_us:.2f}"
        return (
            f"{self.model:<8} {self.engine:<6} {self.streams:>5} streams: hop by hop {self.hop_us:.2f} µs a sample "
            f"(worst {self.worst_hop_us:.2f}), in blocks {self.block_us:.2f}{kernel}; RTF "
            f"{self.hop_us / self.real_time_us:.3f} and {self.block_us / self.real_time_us:.3f}; first hop after "
            f"{self.first_s:.2f} s; {self.bytes_a_stream / 1024:.0f} KiB a stream"
        )


def measure(models: Sequence[str], streams: Sequence[int]) -> Iterator[Figures]:
    """Figures as they come."""
    for model in models:
        checkpoint = registry.load_name_or_folder(model)
        for count in streams:
            yield _figures(checkpoint, count, "fused")
        for count in TORCH_STREAMS:
            yield _figures(checkpoint, count, "torch")


def _figures(checkpoint: Checkpoint, count: int, engine: str) -> Figures:
    torch.cuda.empty_cache()
    before = torch.cuda.memory_allocated()
    began = time.perf_counter()
    sampler: Sampler
    sampler = FusedSampler(checkpoint, count) if engine == "fused" else TorchSampler(checkpoint, count, "cuda")
    for slot in range(count):
        sampler.reset(slot, slot + 1)
    sampler.advance(range(count), steady_frames(count, 1))
    first_s = time.perf_counter() - began
    hop, rate = checkpoint.config.network.hop, checkpoint.config.network.sample_rate
    fused = engine == "fused"
    lone = _calls_s(sampler, count, 1, LONE_HOPS if fused else 5)
    blocks = _calls_s(sampler, count, LONGEST_LAUNCH, BLOCKS) if fused else lone
    samples = LONGEST_LAUNCH * hop if fused else hop
    return Figures(
        card=torch.cuda.get_device_name(),
        engine=sampler.build.engine,
        precision=sampler.build.precision,
        model=checkpoint.config.name,
        streams=count,
        first_s=first_s,
        hop_us=1e6 * median(lone) / hop,
        worst_hop_us=1e6 * max(lone) / hop,
        block_us=1e6 * median(blocks) / samples,
        kernel_us=_kernel_us(sampler, count, samples) if fused else None,
        real_time_us=1e6 / rate,
        bytes_a_stream=(torch.cuda.memory_allocated() - before) // count,
    )


def _calls_s(sampler: Sampler, count: int, hops: int, calls: int) -> list[float]:
    """Seconds of each call, after two that warm up."""
    frames, taken = steady_frames(count, hops), list[float]()
    for _ in range(calls + 2):
        began = time.perf_counter()
        drawn = sampler.advance(range(count), frames)
        taken.append(time.perf_counter() - began)
        if not np.isfinite(drawn).all():
            raise ArithmeticError("a sampler drew what is no number")
    return taken[2:]


def _kernel_us(sampler: Sampler, count: int, samples: int) -> float | None:
    """Microseconds a sample that the kernel itself takes of a block; None where nobody profiles."""
    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CUDA]) as profile:
        sampler.advance(range(count), steady_frames(count, LONGEST_LAUNCH))
    spent = [event.device_time_total for event in profile.key_averages() if event.key.startswith("draw_block")]
    return float(spent[0]) / samples if spent else None


def main() -> None:
    """Measure, print a line for each, and write all of them as JSON where asked to."""
    parser = argparse.ArgumentParser(description="What the fused kernel makes of this GPU.")
    parser.add_argument("--model", action="append", help="may be repeated; default: r64, default")
    parser.add_argument("--streams", action="append", type=int, help=f"may be repeated; default: {STREAMS}")
    parser.add_argument("--json", type=Path, help="where to write every figure")
    given = parser.parse_args()
    found = []
    for figures in measure(given.model or ("r64", "default"), given.streams or STREAMS):
        print(figures, flush=True)
        found.append(asdict(figures))
    if given.json:
        given.json.write_text(json.dumps(found, indent=1), encoding="utf-8")


if __name__ == "__main__":
    main()
