"""What real time leaves: the arithmetic of one sample after another, and where each installed model stands.

At a sample rate f a stream's samples are 1 / f apart, and none can be drawn before the one before it. What a sample
costs, times f, is the work of a second of audio, the real-time factor; what is left of 1 is for more streams, and
for everything else that a server does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ostinato.models import registry
from ostinato.models.benching.timing import Stopwatch, time_in_turn
from ostinato.models.sampling.choose import open_sampler


@dataclass(frozen=True)
class Budget:
    """A cost per sample against real time.

    Args:
        sample_rate: Hz.
        us_per_sample: microseconds that one sample of one stream costs.
        block: samples that are drawn at once, at least 1.
    """

    sample_rate: float
    us_per_sample: float
    block: int

    @property
    def sample_us(self) -> float:
        """From one sample to the next."""
        return 1e6 / self.sample_rate

    @property
    def left_us(self) -> float:
        """Of a sample's time, after its cost; negative where it is not enough."""
        return self.sample_us - self.us_per_sample

    @property
    def rtf(self) -> float:
        """Work per second of audio."""
        return self.us_per_sample / self.sample_us

    @property
    def work_ms_per_s(self) -> float:
        """Milliseconds of work a second of audio."""
        return 1e3 * self.rtf

    @property
    def streams(self) -> int:
        """That one core carries in real time, one after another, with nothing left for anything else."""
        return int(1 / self.rtf)

    @property
    def block_ms(self) -> float:
        """How long a block sounds, which is the least time from an event to what is heard of it."""
        return 1e-3 * self.block * self.sample_us

    @property
    def block_work_ms(self) -> float:
        """How long it takes to draw."""
        return self.block_ms * self.rtf

    def to_json(self) -> dict[str, Any]:
        """Every figure, by its name."""
        names = ("sample_us", "left_us", "rtf", "work_ms_per_s", "streams", "block_ms", "block_work_ms")
        return {**vars(self), **{name: getattr(self, name) for name in names}}


@dataclass(frozen=True)
class Standing:
    """Where a model stands on this machine, on one core."""

    model: str
    strategy: str
    engine: str
    precision: str
    macs_per_sample: int
    alone: Budget  # one stream
    together: Budget  # one of `at_once`, each sample's share of the step
    at_once: int

    def to_json(self) -> dict[str, Any]:
        """Every figure, by its name."""
        own = {name: value for name, value in vars(self).items() if not isinstance(value, Budget)}
        return {**own, "alone": self.alone.to_json(), "together": self.together.to_json()}


def standings(models: tuple[str, ...], *, block: int, seconds: float, at_once: int = 16) -> list[Standing]:
    """Time each model's fastest sampler here, alone and with others, for about so many seconds each.

    Raises:
        UnknownModelError: where a model is not known.
        SamplerError: where none can draw it.
    """
    checkpoints = [registry.load_name_or_folder(name) for name in models]
    samplers = [[open_sampler(c, slots=count)[0] for count in (1, at_once)] for c in checkpoints]
    watches = [[Stopwatch(s, s.slots) for s in pair] for pair in samplers]
    time_in_turn([watch for pair in watches for watch in pair], seconds)
    found = []
    for checkpoint, pair, timed in zip(checkpoints, samplers, watches, strict=True):
        config, rate = checkpoint.config, checkpoint.config.network.sample_rate
        alone, together = (Budget(rate, w.timing.median_us / s.slots, block) for s, w in zip(pair, timed, strict=True))
        build = pair[0].build
        row = (config.name, config.strategy, build.engine, build.precision, config.network.macs_per_sample)
        found.append(Standing(*row, alone, together, at_once))
    return found


def explained(budget: Budget) -> str:
    """The arithmetic, in words."""
    left = f"{budget.left_us:.3f} µs are left" if budget.left_us >= 0 else f"{-budget.left_us:.3f} µs are missing"
    streams = f"one core carries {budget.streams} such streams" if budget.streams else "one core carries none"
    return (
        f"At {budget.sample_rate:g} Hz a sample has {budget.sample_us:.3f} µs.\n"
        f"At {budget.us_per_sample:g} µs a sample {left}: {budget.work_ms_per_s:.1f} ms of work a second of audio, "
        f"RTF {budget.rtf:.4f}; {streams}.\n"
        f"A block of {budget.block} samples sounds for {budget.block_ms:.3f} ms and is drawn in "
        f"{budget.block_work_ms:.3f} ms."
    )


def table(rows: list[Standing]) -> str:
    """Where models stand, for people."""
    head = (
        f"{'model':<10} {'strategy':<9} {'sampler':<16} {'MACs':>9}  {'alone':>9} {'RTF':>7}  {'of 16':>9} {'RTF':>7}  "
        f"streams"
    )
    lines = [
        f"{r.model:<10} {r.strategy:<9} {f'{r.engine} {r.precision}':<16} {r.macs_per_sample:>9,}  "
        f"{r.alone.us_per_sample:>6.2f} µs {r.alone.rtf:>7.4f}  {r.together.us_per_sample:>6.2f} µs "
        f"{r.together.rtf:>7.4f}  {r.together.streams:>7}"
        for r in rows
    ]
    return "\n".join([head, *lines])
