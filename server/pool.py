"""A model ready to be played: its sampler, which slots are free, and what a step of it costs."""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.controls import ControlSpec, control_specs
from ostinato.models.sampling.choose import DeviceName, EngineName, open_sampler
from ostinato.models.sampling.contract import Build, Sampler
from ostinato.server.cost import LIVE_SHARE, StepCost, step_rtf

MEASURE_S: Final = 0.1  # for one voice, and again for several
SEVERAL: Final = 8


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


class Pool:
    """One model's sampler and its free slots. Belongs to the engine's thread."""

    def __init__(self, checkpoint: Checkpoint, engine: EngineName, device: DeviceName, slots: int) -> None:
        self.card: Final = Card.of(checkpoint)
        self.sampler: Sampler
        self.sampler, self.why = open_sampler(checkpoint, engine, device, slots)
        self._free = list(range(slots))
        self.cost: StepCost
        self.measure()

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

    def measure(self) -> None:
        """Measure what a step costs, 300 ms at most unless the model is far slower than real time.

        Takes slots for it, so nobody may have reserved any.
        """
        width = min(SEVERAL, self.sampler.slots)
        one = several = step_rtf(self.sampler, 1, MEASURE_S)
        if one <= LIVE_SHARE and width > 1:
            several = step_rtf(self.sampler, width, MEASURE_S)
        else:
            width = 1
        self.cost = StepCost(one, several, width)

    @property
    def live_voices(self) -> int:
        """How many voices it can play at once in real time, with nothing else to do."""
        return self.cost.live_voices(self.sampler.slots)
