"""A model ready to be played: its sampler, which slots are free, and what a step of it costs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.controls import ControlSpec, control_specs
from ostinato.models.sampling.choose import DeviceName, EngineName, PrecisionName, open_sampler
from ostinato.models.sampling.contract import Build, Sampler
from ostinato.server.cost import RunningCost, StepCost, measure_cost


@dataclass(frozen=True)
class SamplerConfig:
    """How a model's sampler is opened."""

    engine: EngineName = "auto"
    device: DeviceName = "auto"
    slots: int = 32
    precision: PrecisionName = "auto"
    threads: int = 1  # at most; they are one team, whatever the number of models, since one model is drawn at a time


@dataclass(frozen=True)
class Card:
    """What a server tells of a model it serves; made before any sampler is opened."""

    config: ModelConfig
    controls: tuple[ControlSpec, ...]
    parameters: int

    @classmethod
    def of(cls, checkpoint: Checkpoint) -> Card:
        """The card of a checkpoint."""
        config = checkpoint.config
        specs = control_specs(temperature=config.temperature, instruments=len(config.instruments))
        return cls(config, specs, checkpoint.parameters)


@dataclass(frozen=True)
class WarmUp:
    """What a model showed when it was loaded, or measured again."""

    model: str
    build: Build
    why: str  # this sampler
    rtf: float  # of one stream
    live_voices: int  # that fit into real time, if this model alone is played


class Pool:
    """One model's sampler and its free slots. Belongs to the engine's thread."""

    def __init__(self, checkpoint: Checkpoint, config: SamplerConfig) -> None:
        self.card: Final = Card.of(checkpoint)
        self.sampler: Sampler
        self.sampler, self.why = open_sampler(
            checkpoint, config.engine, config.device, config.slots, config.precision, config.threads
        )
        self._free = list(range(config.slots))
        self.cost = RunningCost(StepCost())  # nothing is promised before `measure`

    @property
    def uneven(self) -> bool:
        """Whether what a step costs follows what is drawn: how many of a draft's proposals the model takes."""
        return self.build.engine == "speculative"

    @property
    def build(self) -> Build:
        """What the sampler runs on."""
        return self.sampler.build

    @property
    def free(self) -> int:
        """Slots that nobody has reserved."""
        return len(self._free)

    def reserve(self, count: int) -> tuple[int, ...] | None:
        """So many slots, the lowest that are free; None where there are fewer."""
        if count > len(self._free):
            return None
        return tuple(heapq.heappop(self._free) for _ in range(count))

    def release(self, slots: Iterable[int]) -> None:
        """Give slots back."""
        for slot in slots:
            heapq.heappush(self._free, slot)

    def measure(self, seconds: float) -> None:
        """Measure what steps cost, for so long at most, or one hop where that alone is longer.

        Takes slots for it, so nobody may have reserved any.
        """
        self.cost = RunningCost(measure_cost(self.sampler, seconds))

    @property
    def live_voices(self) -> int:
        """How many voices it can play at once in real time, with nothing else to do."""
        return self.cost.measured.live_voices

    def showed(self, name: str) -> WarmUp:
        """What was measured last, to be told under the name that the model is served by."""
        return WarmUp(name, self.build, self.why, self.cost.measured.rtf(1), self.live_voices)
