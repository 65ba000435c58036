"""The fused Triton kernel behind the contract: whole blocks of many streams, one launch each.

On a CPU it runs under Triton's interpreter alone, for tests: `TRITON_INTERPRET=1` before the process starts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.fused.kernel import INTERPRETED
from ostinato.models.fused.launch import Outputs, State, launch
from ostinato.models.fused.packing import DTYPES, pack
from ostinato.models.fused.shape import LANES, Padded, Precision, ring_rows
from ostinato.models.fused.steering import Steering
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
from ostinato.models.sampling.torch_sampler import build_wavenet

LONGEST_LAUNCH: Final = 8
"""Hops of one launch: what the controls say of a block is held for the whole pool, a hop of each slot at a time."""


class FusedSampler:
    """A pool of streams over one WaveNet, every block of samples drawn by one launch.

    Args:
        checkpoint: the model.
        slots: size of the pool, at least 1.
        device: cuda, or cpu under the interpreter.
        precision: of the products and of what the layers remember; sums, noise and the tone are float32 in both.

    Raises:
        SamplerError: where the network is too large for the kernel, or the device is not one that it runs on.
    """

    def __init__(
        self, checkpoint: Checkpoint, slots: int, device: str = "cuda", precision: Precision = "float16"
    ) -> None:
        if slots < 1:
            raise SamplerError(f"slots: {slots}, expected at least 1")
        if device == "cpu" and not INTERPRETED:
            raise SamplerError("device: 'cpu' has no fused kernel but under Triton's interpreter (TRITON_INTERPRET=1)")
        self.config: ModelConfig = checkpoint.config
        self.slots = slots
        self._own_temperatures = own_temperatures(checkpoint.config)
        self._device, self._precision = torch.device(device), precision
        network = checkpoint.config.wavenet
        self._shape = Padded.of(network, precision)
        self._packed = pack(checkpoint, precision, self._device)
        self._state = silent(self._shape, sum(ring_rows(network)), slots, DTYPES[precision], self._device)
        reference = build_wavenet(checkpoint, self._device)
        self._steering = Steering(reference, self._packed, self._state.amplitudes, LONGEST_LAUNCH)
        # page-locked on a GPU: a copy into other memory goes through a buffer of the driver's, several times slower
        self._drawn = torch.empty(slots * LONGEST_LAUNCH * network.hop, pin_memory=self._device.type == "cuda")

    @property
    def build(self) -> Build:
        """What it runs on."""
        isa = "interpreter" if self._device.type == "cpu" else "cuda"
        return Build("fused", self._precision, isa, self._device.type, 1)

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
        hop = self.config.wavenet.hop
        out = np.empty((len(slots), count * hop), dtype=np.float32)
        if not len(slots):
            return out
        lanes = self._lanes(slots)
        for first in range(0, count, LONGEST_LAUNCH):
            block = controls[:, first : first + LONGEST_LAUNCH]
            samples = block.shape[1] * hop
            heard = torch.empty(len(slots), samples, device=self._device)
            self._launch(slots, lanes, block, Outputs(heard))
            drawn = self._drawn[: heard.numel()].view_as(heard)
            drawn.copy_(heard)
            out[:, first * hop : first * hop + samples] = drawn.numpy()
        return out

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> head parameters [frames * hop, P]."""
        check_slots([slot], self.slots)
        count = check_controls(controls, ())
        network, lanes = self.config.wavenet, self._lanes([slot])
        check_forced(forced, count * network.hop)
        check_instruments(controls, self.config)
        out = np.empty((count * network.hop, network.head.parameters), dtype=np.float32)
        for first in range(0, count, LONGEST_LAUNCH):
            block = controls[None, first : first + LONGEST_LAUNCH]
            here = slice(first * network.hop, (first + block.shape[1]) * network.hop)
            given = torch.from_numpy(forced[None, here].copy()).to(self._device)  # [1, T]
            parameters = torch.empty(*given.shape, network.head.parameters, device=self._device)
            self._launch([slot], lanes, block, Outputs(torch.empty_like(given), given, parameters))
            out[here] = parameters[0].cpu().numpy()
        return out

    def snapshot(self, slot: int) -> Snapshot:
        """A copy of a slot's state, without the padding."""
        check_slots([slot], self.slots)
        return Snapshot(self._engine, {name: t[slot].cpu().numpy().copy() for name, t in self._unpadded().items()})

    def restore(self, slot: int, state: Snapshot) -> None:
        """Put a state into a slot, any slot of a pool of the same precision."""
        check_slots([slot], self.slots)
        tensors = self._unpadded()
        check_snapshot(state, self._engine, {name: tuple(t.shape[1:]) for name, t in tensors.items()})
        for name, tensor in tensors.items():
            tensor[slot] = torch.from_numpy(np.array(state.arrays[name])).to(self._device)

    @property
    def _engine(self) -> str:
        return f"fused {self._precision}"

    def _unpadded(self) -> dict[str, Tensor]:
        """The state's tensors by name, their padded channels and harmonics left out, which are 0."""
        network, tensors = self.config.wavenet, self._state.tensors()
        harmonics = network.tone.harmonics if network.tone else 0
        rings = tensors["rings"][..., : network.residual_channels]
        return {**tensors, "amplitudes": tensors["amplitudes"][..., :harmonics], "rings": rings}

    def _lanes(self, slots: Sequence[int]) -> Tensor:
        """The slots, then -1 to a multiple of `LANES`: int32."""
        empty = -len(slots) % LANES
        return torch.tensor([*slots, *[-1] * empty], dtype=torch.int32, device=self._device)

    def _launch(self, slots: Sequence[int], lanes: Tensor, controls: NDArray[np.float32], out: Outputs) -> None:
        """One block: controls [b, F, channels] of these slots, F at least 1."""
        frames = self._steering(slots, controls)
        launch(self.config.wavenet, self._shape, self._packed, self._state, frames, lanes, out)


def silent(shape: Padded, rows: int, slots: int, dtype: torch.dtype, device: torch.device) -> State:
    """Every slot as after a reset with key 0, but for the phase."""
    return State(
        key=torch.zeros(slots, dtype=torch.int64, device=device),
        clock=torch.zeros(slots, dtype=torch.int64, device=device),
        phase=torch.zeros(slots, dtype=torch.int64, device=device),
        previous=torch.zeros(slots, device=device),
        output=torch.zeros(slots, device=device),
        amplitudes=torch.zeros(slots, 2, shape.waves, device=device),
        rings=torch.zeros(slots, rows, shape.residual, dtype=dtype, device=device),
    )
