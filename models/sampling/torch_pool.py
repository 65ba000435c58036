"""What the torch samplers have in common: a pool of slots in tensors, and calls that go through it hop by hop.

The whole padded pool is computed at every step and slots that are not named are masked, so a stream meets the same
matrix shapes whatever its neighbours do. On CUDA one hop is captured as a graph and replayed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, SteeredConfig
from ostinato.models.controls import FRAME
from ostinato.models.sampling.capture import captured
from ostinato.models.sampling.contract import (
    Build,
    Snapshot,
    at_own_temperature,
    check_controls,
    check_forced,
    check_instruments,
    check_slots,
    check_snapshot,
    own_temperatures,
)
from ostinato.models.steered import NetworkState, SteeredNetwork

AnyNetwork = TypeVar("AnyNetwork", bound=SteeredNetwork)


def load_weights(network: AnyNetwork, checkpoint: Checkpoint, device: torch.device) -> AnyNetwork:
    """Give a network a checkpoint's weights, and freeze them."""
    network.load_state_dict({k: torch.from_numpy(v.copy()) for k, v in checkpoint.tensors.items()}, strict=True)
    return network.to(device).eval().requires_grad_(False)


@dataclass(frozen=True)
class SlotState:
    """All that the slots of a pool remember, one row a slot; written in place."""

    network: NetworkState
    key: Tensor  # int64 [slots]
    phase: Tensor  # int64 [slots], 2^64 a turn
    output: Tensor  # float32 [slots]: last sample heard, for the inverse of pre-emphasis
    amplitudes: Tensor  # float32 [slots, 2 K]: the tone's at the last hop's end

    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by name, each with the slots first."""
        own = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "network"}
        return {**own, **self.network.tensors()}


@dataclass(frozen=True)
class HopBuffers:
    """What one hop reads and writes at fixed addresses, so that a CUDA graph can be replayed over it."""

    active: Tensor  # bool [slots]
    frames: Tensor  # float32 [slots, len(FRAME)]
    forced: Tensor  # float32 [slots, hop]: NaN where the sample is to be drawn
    heard: Tensor  # float32 [slots, hop]
    parameters: Tensor  # float32 [slots, hop, P]

    @classmethod
    def blank(cls, config: SteeredConfig, slots: int, device: torch.device) -> HopBuffers:
        """Buffers with no slot active."""
        return cls(
            active=torch.zeros(slots, dtype=torch.bool, device=device),
            frames=torch.zeros(slots, len(FRAME), device=device),
            forced=torch.full((slots, config.hop), torch.nan, device=device),
            heard=torch.zeros(slots, config.hop, device=device),
            parameters=torch.zeros(slots, config.hop, config.head.parameters, device=device),
        )


class TorchPool(ABC):
    """A pool of streams over one network, in torch; how a hop is drawn, each kind of network has its own."""

    _state: SlotState

    def __init__(self, checkpoint: Checkpoint, slots: int, device: str = "cpu") -> None:
        self.config: ModelConfig = checkpoint.config
        self._own_temperatures = own_temperatures(checkpoint.config)
        self.slots = slots
        self._device = torch.device(device)
        self._buffers = HopBuffers.blank(checkpoint.config.network, slots, self._device)
        self._prepare(checkpoint)
        self._draw_hop: Callable[[], None] = self._hop if device == "cpu" else self._capture()

    @abstractmethod
    def _prepare(self, checkpoint: Checkpoint) -> None:
        """Make the network, and `_state` in silence."""

    @abstractmethod
    def _hop(self) -> None:
        """One hop of every active slot, from and into the buffers.

        Everything at fixed addresses, nothing asked of the host and no branch on a value, so that it can be captured.
        """

    def _given_hop(self) -> None:
        """The same of samples that are all forced; another computation where a hop is drawn at once."""
        self._draw_hop()

    @property
    def build(self) -> Build:
        """What it runs on."""
        isa = "torch" if self._device.type == "cpu" else "cuda"
        return Build("torch", "float32", isa, self._device.type, torch.get_num_threads())

    def reset(self, slot: int, key: int) -> None:
        """Begin a new stream in a slot."""
        check_slots([slot], self.slots)
        for tensor in self._state.tensors().values():
            tensor[slot] = 0
        self._state.key[slot] = noise.as_int64(key)
        self._state.phase[slot] = noise.as_int64(noise.phase_start(key))

    def advance(self, slots: Sequence[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        """Draw the next samples of these slots: controls [b, frames, channels] -> [b, frames * hop]."""
        check_slots(slots, self.slots)
        count = check_controls(controls, (len(slots),))
        check_instruments(controls, self.config)
        controls = at_own_temperature(controls, self._own_temperatures)
        hop = self.config.network.hop
        out = np.empty((len(slots), count * hop), dtype=np.float32)
        rows = self._choose(slots)
        self._buffers.forced.fill_(torch.nan)
        frames = torch.from_numpy(controls.copy()).to(self._device)
        for f in range(count):
            self._buffers.frames[rows] = frames[:, f]
            self._draw_hop()
            out[:, f * hop : (f + 1) * hop] = self._buffers.heard[rows].cpu().numpy()
        return out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> head parameters [frames * hop, P]."""
        check_slots([slot], self.slots)
        count = check_controls(controls, ())
        hop = self.config.network.hop
        check_forced(forced, count * hop)
        check_instruments(controls, self.config)
        out = np.empty((count * hop, self.config.network.head.parameters), dtype=np.float32)
        self._choose([slot])
        for f in range(count):
            here = slice(f * hop, (f + 1) * hop)
            self._buffers.frames[slot] = torch.from_numpy(controls[f].copy()).to(self._device)
            self._buffers.forced[slot] = torch.from_numpy(forced[here].copy()).to(self._device)
            self._given_hop()
            out[here] = self._buffers.parameters[slot].cpu().numpy()
        return out

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state."""
        check_slots([slot], self.slots)
        arrays = {name: tensor[slot].cpu().numpy().copy() for name, tensor in self._state.tensors().items()}
        return Snapshot("torch", arrays)

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot."""
        check_slots([slot], self.slots)
        tensors = self._state.tensors()
        check_snapshot(state, "torch", {name: tuple(t.shape[1:]) for name, t in tensors.items()})
        for name, tensor in tensors.items():
            tensor[slot] = torch.from_numpy(np.asarray(state.arrays[name]))

    def _choose(self, slots: Sequence[int]) -> Tensor:
        """Make these slots the active ones; their rows, int64 [b], on the device once for all hops of a call."""
        rows = torch.tensor(list(slots), dtype=torch.int64, device=self._device)
        self._buffers.active.fill_(False)
        self._buffers.active.index_fill_(0, rows, True)
        return rows

    def _uniforms(self, samples: int) -> Tensor:
        """The draws of each slot's next so many samples: float32 [slots, samples, draws]."""
        draws = self.config.network.head.draws
        clock = self._state.network.clock[:, None, None] + torch.arange(samples, device=self._device)[:, None]
        block = torch.arange((draws + 3) // 4, device=self._device)
        words = torch.stack(noise.words_of(self._state.key[:, None, None], clock, block, noise.PURPOSE_SAMPLE), dim=-1)
        return noise.uniform(words.flatten(2)[..., :draws]).to(torch.float32)  # type: ignore[no-any-return]

    def _capture(self) -> Callable[[], None]:
        """One hop as a CUDA graph. It is recorded with no slot active, so it changes no state."""
        self._buffers.active.fill_(False)
        return captured(self._hop, self._device)
