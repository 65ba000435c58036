"""What is compared: a model, and a way to sample it on a CPU."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final, Literal

from ostinato.models import registry
from ostinato.models.benching.roofline import Precision
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.sampling.contract import Sampler, SamplerError

Engine = Literal["native", "speculative", "torch", "naive"]
ENGINES: Final[tuple[Engine, ...]] = ("native", "speculative", "torch", "naive")
UNPLAYED: Final = ("torch", "naive")
"""Timed alone: a note takes minutes or hours, and sounds as the kernel's does, which the contract holds to them."""


@dataclass(frozen=True)
class Way:
    """A model and a sampler of it."""

    checkpoint: Checkpoint
    engine: Engine
    precision: Precision

    @property
    def _chosen(self) -> bool:
        """Whether its engine has several precisions."""
        return self.engine in ("native", "speculative")

    @property
    def name(self) -> str:
        """As tables and legends call it."""
        precision = f" {self.precision}" if self._chosen else ""
        return f"{self.checkpoint.config.name}, {self.engine}{precision}"

    @property
    def quick(self) -> bool:
        """Whether it can be timed for many streams and many hops in bearable time."""
        return self.engine != "naive"

    @property
    def plays(self) -> bool:
        """Whether notes can be played in it in bearable time."""
        return self.engine not in UNPLAYED

    def open(self, slots: int) -> Sampler:
        """A sampler with so many slots. Raises SamplerError."""
        precision = self.precision if self._chosen else "auto"
        return open_sampler(self.checkpoint, self.engine, "cpu", slots, precision)[0]


def shipped() -> tuple[str, ...]:
    """The models that were trained; others join by being shipped in `models/pretrained`."""
    return tuple(name for name in registry.names() if name not in registry.RANDOM)


def ways_of(models: Sequence[str], engines: Sequence[Engine] = ENGINES) -> list[Way]:
    """Every way that can be had of these models, a model after the other.

    Raises:
        UnknownModelError: where one is not known.
    """
    found = []
    for name in models:
        checkpoint = registry.load_name_or_folder(name)
        found += [way for engine in engines for way in _ways(checkpoint, engine) if _can_be_had(way)]
    return found


def _ways(checkpoint: Checkpoint, engine: Engine) -> Iterator[Way]:
    yield Way(checkpoint, engine, "float32")
    drafted = engine == "speculative" and checkpoint.draft and checkpoint.draft.calibration
    if checkpoint.calibration and (engine == "native" or drafted):
        yield Way(checkpoint, engine, "int8")


def _can_be_had(way: Way) -> bool:
    if way.engine in ("torch", "naive") and find_spec("torch") is None:
        return False
    try:
        way.open(1)
    except SamplerError:
        return False
    return True
