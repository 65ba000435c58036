"""A model ready to be played: its sampler, which slots are free, and what a step of it costs."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

import numpy as np

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.controls import ControlSpec, VoiceTimeline, control_specs
from ostinato.models.sampling.choose import DeviceName, EngineName, open_sampler
from ostinato.models.sampling.contract import Build, Sampler

WARM_UP_S: Final = 0.2  # of work, at most, spent on measuring
WARM_UP_HOPS: Final = 256


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

    def warm_up(self) -> float:
        """The real-time factor of one stream, measured; the first hop, which fills caches, is left out."""
        network = self.card.config.network
        voice = VoiceTimeline(note=60.0, velocity=0.8, instrument=0, onset=0)
        level = np.array([self.card.config.temperature])
        spent, hops = 0.0, 0
        self.sampler.reset(0, 0)
        for hop in range(WARM_UP_HOPS):
            frames = voice.frames(
                hop * network.hop,
                1,
                hop=network.hop,
                sample_rate=network.sample_rate,
                bend=np.zeros(1),
                temperature=level,
            )
            began = time.perf_counter()
            self.sampler.advance([0], frames[None])
            if hop:
                spent, hops = spent + time.perf_counter() - began, hops + 1
            if hops and spent > WARM_UP_S:
                break
        return spent / (hops * network.hop) * network.sample_rate
