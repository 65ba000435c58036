"""How long a sample takes: every sampler over every model, in one run on one machine.

A step is one sample of all streams together. `rtf` is seconds of work per second of audio of that whole step, so
below 1 is faster than real time; ratios of one run carry over to other machines, microseconds do not.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.sampling.contract import Sampler, Snapshot

Engine = Literal["naive", "torch", "native"]
ENGINES: Final[tuple[Engine, ...]] = ("naive", "torch", "native")
STREAMS: Final = (1, 8)
SECONDS_A_ROW: Final = 1.0
MOST_BLOCKS: Final = 200


@dataclass(frozen=True)
class Row:
    """One measurement."""

    engine: str
    precision: str
    isa: str
    model: str
    slots: int  # streams advanced together
    threads: int
    step_us: float  # one sample of all streams
    us_per_sample: float  # step_us / slots
    rtf: float  # step_us / microseconds of a sample at the model's rate
    speedup_vs_torch: float | None  # same model and streams, this run
    macs_per_sample: int

    def as_dict(self) -> dict[str, str | int | float | None]:
        """For JSON."""
        return asdict(self)


def single_thread() -> None:
    """Hold torch to one thread, so that samplers are compared core for core."""
    import torch

    torch.set_num_threads(1)


def make_sampler(engine: Engine, checkpoint: Checkpoint, slots: int) -> Sampler:
    """A sampler of an engine on the CPU."""
    match engine:
        case "naive":
            from ostinato.models.sampling.naive import NaiveSampler

            return NaiveSampler(checkpoint, slots)
        case "torch":
            from ostinato.models.sampling.torch_sampler import TorchSampler

            return TorchSampler(checkpoint, slots)
        case "native":
            from ostinato.models.sampling.native import NativeSampler

            return NativeSampler(checkpoint, slots)


def steady_frames(streams: int, frames: int) -> NDArray[np.float32]:
    """Control frames of held notes a semitone apart: float32 [streams, frames, channels]."""
    out = np.zeros((streams, frames, len(FRAME)), dtype=np.float32)
    out[..., FRAME.index("note")] = 60 + np.arange(streams)[:, None] % 24
    out[..., FRAME.index("velocity")] = 0.7
    out[..., FRAME.index("gate")] = 1
    out[..., FRAME.index("since_onset")] = 0.5
    out[..., FRAME.index("temperature")] = 0.7
    return out


def with_history(state: Snapshot, samples: int) -> Snapshot:
    """A naive stream's state as if it had run for `samples` samples of silence."""
    widened = {
        name: np.zeros((samples, array.shape[1]), dtype=array.dtype) if name in ("inputs", "conditions") else array
        for name, array in state.arrays.items()
    }
    return Snapshot(state.engine, widened)


def step_seconds(sampler: Sampler, streams: int, seconds: float) -> float:
    """Median time of one step over the blocks that fit into `seconds`, after one block of warm-up."""
    slots = list(range(streams))
    for slot in slots:
        sampler.reset(slot, slot + 1)
        if sampler.build.engine == "naive":  # in its steady state: a full receptive field behind it
            field = sampler.config.network.receptive_field
            sampler.restore(slot, with_history(sampler.snapshot(slot), field))
    frames = steady_frames(streams, 1 if sampler.build.engine != "native" else 4)
    samples = frames.shape[1] * sampler.config.network.hop
    times: list[float] = []
    end = time.perf_counter() + seconds
    if sampler.build.engine != "naive":
        sampler.advance(slots, frames)
    while not times or (time.perf_counter() < end and len(times) < MOST_BLOCKS):
        began = time.perf_counter()
        sampler.advance(slots, frames)
        times.append((time.perf_counter() - began) / samples)
    return float(np.median(times))


def measure(engine: Engine, checkpoint: Checkpoint, streams: int, torch_us: float | None) -> Row:
    """One row; `torch_us` is the torch sampler's `us_per_sample` of the same model and streams."""
    sampler = make_sampler(engine, checkpoint, streams)
    step_us = 1e6 * step_seconds(sampler, streams, SECONDS_A_ROW)
    network, build = checkpoint.config.network, sampler.build
    if engine == "torch":
        torch_us = step_us / streams
    return Row(
        engine=build.engine,
        precision=build.precision,
        isa=build.isa,
        model=checkpoint.config.name,
        slots=streams,
        threads=build.threads,
        step_us=round(step_us, 3),
        us_per_sample=round(step_us / streams, 3),
        rtf=round(step_us * network.sample_rate / 1e6, 4),
        speedup_vs_torch=round(torch_us * streams / step_us, 2) if torch_us else None,
        macs_per_sample=network.macs_per_sample,
    )


def bench(
    models: Sequence[str] = ("default", "tiny", "r32", "r64"),
    engines: Sequence[Engine] = ENGINES,
    load: Callable[[str], Checkpoint] = registry.load_name_or_folder,
) -> Iterator[Row]:
    """Measure every engine over every model, one thread, 1 and 8 streams (naive: 1), yielding rows as they come.

    torch comes first for each model, since the others' `speedup_vs_torch` is against it.
    """
    if set(engines) - {"native"}:
        single_thread()
    for model in models:
        checkpoint = load(model)
        baseline: dict[int, float] = {}
        for engine in sorted(engines, key=("torch", "native", "naive").index):
            for streams in STREAMS if engine != "naive" else (1,):
                row = measure(engine, checkpoint, streams, baseline.get(streams))
                if engine == "torch":
                    baseline[streams] = row.us_per_sample
                yield row


HEADINGS: Final = ("model", "engine", "isa", "streams", "µs a step", "µs a stream-sample", "RTF", "against torch")


def cells(row: Row) -> tuple[str, ...]:
    """A row as the table shows it, in the order of `HEADINGS`."""
    speedup = "" if row.speedup_vs_torch is None else f"{row.speedup_vs_torch:,.2f}x"
    figures = f"{row.step_us:,.2f}", f"{row.us_per_sample:,.2f}", f"{row.rtf:,.3f}", speedup
    return (row.model, row.engine, row.isa, str(row.slots), *figures)
