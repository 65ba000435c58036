"""What every way of sampling promises, so that the server knows no model.

A sampler owns a fixed pool of slots. Each slot is one stream: its state is reset with a key, advanced by control
frames, and can be taken out and put back. The promises, each held by the contract suite in
`tests/models/sampling/test_contract.py`:

- same as the reference: `probe` gives the head parameters of the full parallel forward of its precision;
- chunk-free: any cutting of a stream into calls gives the same bits;
- neighbour-free: other slots, their number and their order change no bit (torch, fused: nothing beyond 1e-5);
- clean: after `reset` nothing of the former stream is left, and a slot not named in `advance` is untouched;
- resumable: `restore(snapshot)` goes on bit for bit;
- causal: a control at sample t changes nothing before t.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ostinato.models.config import ModelConfig
from ostinato.models.controls import FRAME


class SamplerError(ValueError):
    """A call that the contract does not allow; the message names the argument and its value."""


@dataclass(frozen=True)
class Snapshot:
    """The whole state of one slot, owned by the holder. Fits samplers of the same engine and model alone."""

    engine: str
    arrays: Mapping[str, NDArray[Any]]

    @property
    def nbytes(self) -> int:
        """Memory held."""
        return sum(a.nbytes for a in self.arrays.values())


@dataclass(frozen=True)
class Build:
    """Which sampler this is, for logs and the bench."""

    engine: str  # naive, torch, native, fused
    precision: str  # float32, float16, int8
    isa: str  # avx512, avx2, portable, torch, cuda, interpreter
    device: str  # cpu, cuda
    threads: int


class Sampler(Protocol):
    """A pool of streams over one model. Not thread-safe: one thread owns it."""

    @property
    def build(self) -> Build:
        """What it runs on."""
        ...

    @property
    def config(self) -> ModelConfig:
        """The model: sample rate, hop, instruments, release."""
        ...

    @property
    def slots(self) -> int:
        """Size of the pool."""
        ...

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot: silence, its noise and phase drawn from the 64-bit key."""
        ...

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots, all together.

        controls float32 [b, frames, len(FRAME)], one frame a hop -> float32 [b, frames * hop] in about [-1, 1],
        the caller's to keep. The temperature drawn at is the frame's times its instrument's own.
        """
        ...

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples instead of drawn ones.

        controls float32 [frames, len(FRAME)], forced float32 [frames * hop] (what a listener would hear) ->
        head parameters float32 [frames * hop, P]; row t was computed before sample t was seen. Where a hop is drawn
        at once, the rows of a hop depend on its other samples, and log probabilities add up to that of the hop.
        """
        ...

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state."""
        ...

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot, any slot, in place of what it held."""
        ...


def check_slots(slots: Sequence[int], pool: int) -> None:
    """Refuse slots outside the pool or named twice."""
    for slot in slots:
        if not 0 <= slot < pool:
            raise SamplerError(f"slots: {slot} is outside 0..{pool - 1}")
    if len(set(slots)) != len(slots):
        raise SamplerError(f"slots: {list(slots)} names one twice")


def check_controls(controls: NDArray[np.float32], leading: tuple[int, ...]) -> int:
    """Refuse controls that are not float32 [*leading, frames, len(FRAME)]; return frames."""
    if controls.dtype != np.float32:
        raise SamplerError(f"controls: {controls.dtype}, expected float32")
    if controls.ndim != len(leading) + 2 or controls.shape[:-2] != leading or controls.shape[-1] != len(FRAME):
        expected = ", ".join(map(str, (*leading, "frames", len(FRAME))))
        raise SamplerError(f"controls: shape {controls.shape}, expected [{expected}]")
    return int(controls.shape[-2])


def check_instruments(controls: NDArray[np.float32], config: ModelConfig) -> None:
    """Refuse controls [..., len(FRAME)] that name an instrument outside the embedding.

    Before they reach a device: there an index out of range ends every later call of the process.
    """
    entries = config.network.global_.entries if config.network.global_ else 0
    if not entries or not controls.size:
        return
    index = controls[..., FRAME.index("instrument")]
    if not (index.min() >= 0 and index.max() < entries):  # NaN fails too
        raise SamplerError(f"controls: instrument {index.min():g}..{index.max():g} is outside 0..{entries - 1}")


def own_temperatures(config: ModelConfig) -> NDArray[np.float32] | None:
    """What each instrument's draws are warmer by, [instruments]; None where all are 1. Taken once, by each sampler."""
    own = np.array([instrument.temperature for instrument in config.instruments], dtype=np.float32)
    return None if (own == 1).all() else own


def at_own_temperature(controls: NDArray[np.float32], own: NDArray[np.float32] | None) -> NDArray[np.float32]:
    """Controls [..., len(FRAME)] with the temperature of each frame's instrument multiplied into their own."""
    if own is None:
        return controls
    place = np.clip(np.nan_to_num(controls[..., FRAME.index("instrument")]), 0, len(own) - 1).astype(np.int64)
    controls = controls.copy()
    controls[..., FRAME.index("temperature")] *= own[place]
    return controls


def check_forced(forced: NDArray[np.float32], samples: int) -> None:
    """Refuse forced samples that are not float32 [samples]."""
    if forced.dtype != np.float32 or forced.shape != (samples,):
        raise SamplerError(f"forced: {forced.dtype} {forced.shape}, expected float32 ({samples},)")


def check_snapshot(state: Snapshot, engine: str, shapes: Mapping[str, tuple[int, ...]]) -> None:
    """Refuse a snapshot of another engine or of another model's shapes."""
    if state.engine != engine:
        raise SamplerError(f"state: a snapshot of engine {state.engine!r}, expected {engine!r}")
    found = {name: array.shape for name, array in state.arrays.items()}
    if found != dict(shapes):
        raise SamplerError(f"state: shapes {found}, expected {dict(shapes)}")
