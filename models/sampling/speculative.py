"""Exact speculative sampling on the native kernel: a draft proposes, the model judges a window of proposals at once.

What is drawn is distributed as the model alone would draw it, whatever the draft (Leviathan et al. 2023): a draft
that proposes badly costs time and nothing else. The bits are others than the plain sampler's, for the noise is used
otherwise; they depend on the model, the draft, the window, the precision and, in float32, the instruction set alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.sampling.contract import (
    Build,
    SamplerError,
    Snapshot,
    at_own_temperature,
    check_controls,
    check_forced,
    check_instruments,
    check_slots,
    check_snapshot,
    own_temperatures,
)
from ostinato.models.sampling.native import Precision, open_pool

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
        self._own_temperatures = own_temperatures(checkpoint.config)
        self._pool = open_pool(checkpoint, slots, isa, threads, precision, window)
        self._draft = open_pool(draft, slots, isa, threads, precision, window)
        self._precision: Final = precision
        self.tally = Tally()

    @property
    def build(self) -> Build:
        """What it runs on."""
        return Build("speculative", self._precision, self._pool.isa, "cpu", self._pool.threads)

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot."""
        check_slots([slot], self.slots)
        for pool in (self._pool, self._draft):
            pool.reset(slot, key & (2**64 - 1))

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots: controls [b, frames, channels] -> [b, frames * hop]."""
        check_slots(slots, self.slots)
        count = check_controls(controls, (len(slots),))
        check_instruments(controls, self.config)
        out = np.empty((len(slots), count * self.config.network.hop), dtype=np.float32)
        controls = np.ascontiguousarray(at_own_temperature(controls, self._own_temperatures))
        found = self._pool.speculate(self._draft, np.asarray(slots, dtype=np.int64), controls, out, self.window)
        t = self.tally
        before = (t.windows, t.proposed, t.accepted, t.enumerated)
        self.tally = Tally(*(a + b for a, b in zip(before, found, strict=True)))
        return out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> the model's head parameters [frames * hop, P]."""
        check_slots([slot], self.slots)
        samples = check_controls(controls, ()) * self.config.network.hop
        check_forced(forced, samples)
        check_instruments(controls, self.config)
        heard = np.empty(samples, dtype=np.float32)
        controls, forced = np.ascontiguousarray(controls), np.ascontiguousarray(forced)
        parameters = np.empty((samples, self.config.network.head.parameters), dtype=np.float32)
        self._draft.probe(slot, controls, forced, heard, parameters)
        self._pool.probe(slot, controls, forced, heard, parameters)
        return parameters

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state: the model's and the draft's."""
        check_slots([slot], self.slots)
        arrays = {}
        for name, pool in (("state", self._pool), ("draft", self._draft)):
            arrays[name] = np.empty(pool.state_bytes, dtype=np.uint8)
            pool.save(slot, arrays[name])
        return Snapshot("speculative", arrays)

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot. Refuses one of another model's or draft's shape, or of another window."""
        check_slots([slot], self.slots)
        sizes = {"state": (self._pool.state_bytes,), "draft": (self._draft.state_bytes,)}
        check_snapshot(state, "speculative", sizes)
        before = self.snapshot(slot)
        try:
            self._put(slot, state)
        except (TypeError, ValueError) as error:
            self._put(slot, before)
            raise SamplerError(f"state: {error}") from error

    def _put(self, slot: int, state: Snapshot) -> None:
        self._pool.restore(slot, np.ascontiguousarray(state.arrays["state"]))
        self._draft.restore(slot, np.ascontiguousarray(state.arrays["draft"]))


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
