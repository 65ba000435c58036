"""Every sampler over every model, in one run on one machine.

A step is one sample of all streams together. `rtf` is seconds of work per second of audio of that whole step, so
below 1 is faster than real time; ratios of one run carry over to other machines, microseconds do not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from ostinato.models import registry
from ostinato.models.benching.interference import Watch
from ostinato.models.benching.limits import Limits
from ostinato.models.benching.roofline import PRECISIONS, Precision, Work, roofline_us, work_of_step
from ostinato.models.benching.timing import Stopwatch, time_in_turn
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import WaveNetConfig
from ostinato.models.sampling.choose import WAVENET_ALONE, open_sampler
from ostinato.models.sampling.contract import Build

Engine: TypeAlias = Literal["torch", "native", "fused", "naive"]
Device: TypeAlias = Literal["cpu", "cuda"]
ENGINES: Final[dict[Device, tuple[Engine, ...]]] = {"cpu": ("torch", "native", "naive"), "cuda": ("torch", "fused")}
"""What each device is measured with, in the order of the rows."""


@dataclass(frozen=True)
class Plan:
    """What is measured.

    Args:
        models: names or checkpoint folders.
        engines: None takes all of the device.
        precisions: of the native engine; int8 is left out where a model has no calibration, unless it alone is asked
            for.
        streams: advanced together, one after another; naive takes only one, unless it is asked for by name.
        threads: of each sampler.
        seconds: about so long for each row.
    """

    models: tuple[str, ...] = ("default", "tiny", "r16", "r32", "r64")
    engines: tuple[Engine, ...] | None = None
    precisions: tuple[Precision, ...] = PRECISIONS
    streams: tuple[int, ...] = (1, 8, 16)
    threads: int = 1
    device: Device = "cpu"
    seconds: float = 1.0

    @property
    def measured_engines(self) -> tuple[Engine, ...]:
        """In the order of the rows."""
        return ENGINES[self.device] if self.engines is None else self.engines


@dataclass(frozen=True)
class Row:
    """One measurement."""

    engine: str
    precision: str
    isa: str
    device: str
    model: str
    slots: int  # streams advanced together
    threads: int
    step_us: float  # one sample of all streams, the median block
    best_us: float  # the same, the fastest block
    us_per_sample: float  # step_us / slots
    rtf: float  # step_us / microseconds of a sample at the model's rate
    speedup_vs_torch: float | None  # same model and streams, this run
    macs_per_sample: int
    weight_bytes: int | None  # of a step; None where `roofline_us` is
    roofline_us: float | None  # of a step at this machine's limits; native engine alone
    fraction_of_roofline: float | None  # roofline_us / step_us


@dataclass(frozen=True)
class _Subject:
    """One sampler of a comparison, and what its step asks of the machine where that bounds it."""

    build: Build
    precision: Precision
    streams: int
    stopwatch: Stopwatch
    work: Work | None


def measure(plan: Plan, limits: Limits | None, watch: Watch) -> Iterator[Row]:
    """Rows as they come, those of one model and number of streams together; without limits they have no roofline.

    Raises:
        SamplerError: where a sampler of the plan can't be had.
        UnknownModelError: where a model is not known.
    """
    engines = plan.measured_engines
    if set(engines) - {"native"}:
        hold_torch_to(plan.threads)
    for model in plan.models:
        checkpoint = registry.load_name_or_folder(model)
        for streams in plan.streams:
            yield from _compare(plan, checkpoint, streams, limits)
            watch.look()


def _roofline_us(subject: _Subject, limits: Limits) -> float | None:
    if subject.work is None:
        return None
    multiplying = limits.multiply_adds_g_per_s[subject.precision]
    return roofline_us(subject.work, limits.read_gb_per_s["L2"], multiplying, subject.build.threads)


def hold_torch_to(threads: int) -> None:
    """Give torch so many threads, so that samplers are compared core for core."""
    import torch

    torch.set_num_threads(threads)


def _compare(plan: Plan, checkpoint: Checkpoint, streams: int, limits: Limits | None) -> list[Row]:
    """The rows of one model and number of streams, timed in turn."""
    subjects = [
        _subject(plan, checkpoint, engine, precision, streams)
        for engine in plan.measured_engines
        if engine != "naive" or streams == 1 or plan.engines
        if plan.engines or engine not in WAVENET_ALONE or checkpoint.config.strategy == "wavenet"
        for precision in _precisions(plan, checkpoint, engine)
    ]
    time_in_turn([subject.stopwatch for subject in subjects], plan.seconds)
    torch_us = next((s.stopwatch.timing.median_us for s in subjects if s.build.engine == "torch"), None)
    return [_row(subject, checkpoint, torch_us, limits) for subject in subjects]


def _precisions(plan: Plan, checkpoint: Checkpoint, engine: Engine) -> tuple[Precision, ...]:
    """int8 wants a calibration; where it alone is asked for, its lack is told when the sampler is opened."""
    if engine != "native" or (checkpoint.calibration is None and len(plan.precisions) > 1):
        return ("float32",)
    return plan.precisions


def _subject(plan: Plan, checkpoint: Checkpoint, engine: Engine, precision: Precision, streams: int) -> _Subject:
    asked = precision if engine == "native" else "auto"  # the others have one of their own for each device
    sampler, _ = open_sampler(checkpoint, engine, plan.device, streams, asked, plan.threads)
    network = checkpoint.config.network
    work = (
        work_of_step(network, precision, streams) if engine == "native" and isinstance(network, WaveNetConfig) else None
    )
    return _Subject(sampler.build, precision, streams, Stopwatch(sampler, streams), work)


def _row(subject: _Subject, checkpoint: Checkpoint, torch_us: float | None, limits: Limits | None) -> Row:
    network, build, timing = checkpoint.config.network, subject.build, subject.stopwatch.timing
    least_us = _roofline_us(subject, limits) if limits else None
    return Row(
        engine=build.engine,
        precision=build.precision,
        isa=build.isa,
        device=build.device,
        model=checkpoint.config.name,
        slots=subject.streams,
        threads=build.threads,
        step_us=round(timing.median_us, 3),
        best_us=round(timing.best_us, 3),
        us_per_sample=round(timing.median_us / subject.streams, 3),
        rtf=round(timing.median_us * network.sample_rate / 1e6, 4),
        speedup_vs_torch=round(torch_us / timing.median_us, 2) if torch_us else None,
        macs_per_sample=network.macs_per_sample,
        weight_bytes=subject.work.weight_bytes if subject.work else None,
        roofline_us=round(least_us, 3) if least_us else None,
        fraction_of_roofline=round(least_us / timing.median_us, 3) if least_us else None,
    )
