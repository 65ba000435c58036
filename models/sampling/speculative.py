"""Exact speculative sampling on the native kernel: a draft proposes, the model judges a window of proposals at once.

What is drawn is distributed as the model alone would draw it, whatever the draft (Leviathan et al. 2023): a draft
that proposes badly costs time and nothing else. The bits are others than the plain sampler's, for the noise is used
otherwise; they depend on the model, the draft, the window, the precision and, in float32, the instruction set alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.sampling.contract import Build, SamplerError, Snapshot, check_snapshot
from ostinato.models.sampling.native import NativeSampler, Precision

MOST_WINDOW: Final = 16  # what the kernel prepares together
SAME: Final = ("sample_rate", "hop", "head", "pre_emphasis")  # of both networks, besides the instruments


@dataclass(frozen=True)
class Tally:
    """What became of all windows since the sampler was made."""

    windows: int = 0
    proposed: int = 0  # proposals that were judged; those after a refused one are not
    accepted: int = 0
    enumerated: int = 0  # remainders that were drawn the long way

    @property
    def acceptance(self) -> float:
        """The share of judged proposals that were taken."""
        return self.accepted / self.proposed if self.proposed else float("nan")

    @property
    def per_window(self) -> float:
        """Samples that a window yields in the mean: each judged proposal is one, taken or drawn anew."""
        return self.proposed / self.windows if self.windows else float("nan")


class SpeculativeSampler:
    """A pool of streams over one WaveNet, sampled through a draft of it.

    Args:
        checkpoint: the model.
        draft: a smaller one of the same sample rate, hop, head, pre-emphasis and instruments.
        slots: size of the pool, at least 1.
        window: proposals that are judged at once, 1..16.
        isa, threads, precision: as the native sampler's; of both.

    Raises:
        SamplerError: where one of these can't be had; the message names it.
    """

    def __init__(
        self,
        checkpoint: Checkpoint,
        draft: Checkpoint,
        slots: int,
        window: int = 4,
        isa: str | None = None,
        threads: int = 1,
        precision: Precision = "float32",
    ) -> None:
        if not 1 <= window <= MOST_WINDOW:
            raise SamplerError(f"window: {window}, expected 1..{MOST_WINDOW}")
        check_draft(checkpoint.config, draft.config)
        self.config: ModelConfig = checkpoint.config
        self.slots, self.window = slots, window
        self._model = NativeSampler(checkpoint, slots, isa, threads, precision, window)
        self._draft = NativeSampler(draft, slots, isa, threads, precision, window)
        self.tally = Tally()

    @property
    def build(self) -> Build:
        """What it runs on."""
        return replace(self._model.build, engine="speculative")

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot."""
        for sampler in (self._model, self._draft):
            sampler.reset(slot, key)

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots: controls [b, frames, channels] -> [b, frames * hop]."""
        out, found = self._model.advance_through(self._draft, self.window, slots, controls)
        self.tally = Tally(*(a + b for a, b in zip(astuple(self.tally), found, strict=True)))
        return out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> the model's head parameters [frames * hop, P]."""
        parameters = self._model.probe(slot, controls, forced)
        self._draft.probe(slot, controls, forced)
        return parameters

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state: the model's and the draft's."""
        parts = {"state": self._model, "draft": self._draft}
        return Snapshot("speculative", {name: part.snapshot(slot).arrays["state"] for name, part in parts.items()})

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot. Refuses one of another model's or draft's shape, or of another window."""
        before = self.snapshot(slot)
        check_snapshot(state, "speculative", {name: array.shape for name, array in before.arrays.items()})
        try:
            self._put(slot, state)
        except SamplerError:
            self._put(slot, before)
            raise

    def _put(self, slot: int, state: Snapshot) -> None:
        for name, part in (("state", self._model), ("draft", self._draft)):
            part.restore(slot, Snapshot("native", {"state": state.arrays[name]}))


def check_draft(model: ModelConfig, draft: ModelConfig) -> None:
    """Refuse a draft whose proposals the model can't judge. Raises SamplerError naming what differs."""
    for name, config in (("model", model), ("draft", draft)):
        if config.strategy != "wavenet":
            raise SamplerError(f"{name}: a {config.strategy}; the speculative engine draws from a wavenet alone")
    for name in SAME:
        ours, theirs = getattr(model.network, name), getattr(draft.network, name)
        if ours != theirs:
            raise SamplerError(f"draft: its {name} is {theirs!r}, the model's {ours!r}")
    entries = [c.network.global_.entries if c.network.global_ else 0 for c in (model, draft)]
    if entries[0] != entries[1]:
        raise SamplerError(f"draft: {entries[1]} instruments, the model has {entries[0]}")
