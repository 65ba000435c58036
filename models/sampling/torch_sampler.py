"""The readable reference: cached ring state, one batched step a sample, in torch.

The whole padded pool is computed at every step and slots that are not named are masked, so a stream meets the same
matrix shapes whatever its neighbours do. On CUDA one hop is captured as a graph and replayed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, NetworkConfig
from ostinato.models.controls import FRAME
from ostinato.models.excitation import increment
from ostinato.models.networks import make_network
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
from ostinato.models.tone import Tone, gliding_tone
from ostinato.models.wavenet import WaveNet

AnyNetwork = TypeVar("AnyNetwork", bound=SteeredNetwork)


def build_network(checkpoint: Checkpoint, device: torch.device) -> SteeredNetwork:
    """The torch module of a checkpoint, its weights frozen."""
    return load_weights(make_network(checkpoint.config), checkpoint, device)


def build_wavenet(checkpoint: Checkpoint, device: torch.device) -> WaveNet:
    """The same of a WaveNet's. Raises ConfigError where it is of another strategy."""
    return load_weights(WaveNet(checkpoint.config.wavenet), checkpoint, device)


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
    previous: Tensor  # float32 [slots]: last sample in the model's domain, less its tone, in its scale
    output: Tensor  # float32 [slots]: last sample heard, for the inverse of pre-emphasis
    amplitudes: Tensor  # float32 [slots, 2 K]: the tone's at the last hop's end

    @classmethod
    def silent(cls, network: SteeredNetwork, slots: int, device: torch.device) -> SlotState:
        """Every slot as after a reset with key 0, but for the phase."""
        config = network.config
        return cls(
            network=network.silence(slots, device),
            key=torch.zeros(slots, dtype=torch.int64, device=device),
            phase=torch.zeros(slots, dtype=torch.int64, device=device),
            previous=torch.zeros(slots, device=device),
            output=torch.zeros(slots, device=device),
            amplitudes=torch.zeros(slots, 2 * config.tone.harmonics if config.tone else 0, device=device),
        )

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
    def blank(cls, config: NetworkConfig, slots: int, device: torch.device) -> HopBuffers:
        """Buffers with no slot active."""
        return cls(
            active=torch.zeros(slots, dtype=torch.bool, device=device),
            frames=torch.zeros(slots, len(FRAME), device=device),
            forced=torch.full((slots, config.hop), torch.nan, device=device),
            heard=torch.zeros(slots, config.hop, device=device),
            parameters=torch.zeros(slots, config.hop, config.head.parameters, device=device),
        )


class TorchSampler:
    """A pool of streams over one network, in torch."""

    def __init__(self, checkpoint: Checkpoint, slots: int, device: str = "cpu") -> None:
        self.config: ModelConfig = checkpoint.config
        self._own_temperatures = own_temperatures(checkpoint.config)
        self.slots = slots
        self._device = torch.device(device)
        self._network = build_network(checkpoint, self._device)
        self._state = SlotState.silent(self._network, slots, self._device)
        self._buffers = HopBuffers.blank(checkpoint.config.network, slots, self._device)
        self._draw_hop: Callable[[], None] = self._hop if device == "cpu" else self._capture()

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
            self._draw_hop()
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

    @torch.no_grad()
    def _hop(self) -> None:
        """One hop of every active slot, from and into the buffers.

        Everything at fixed addresses, nothing asked of the host and no branch on a value, so that it can be captured.
        """
        network, state, buffers = self._network, self._state, self._buffers
        steering = network.steer(buffers.frames)
        hop = network.begin_hop(state.network, buffers.active, state.previous, steering)
        for t in range(self.config.network.hop):
            self._sample(t, hop, steering.tone)
        if steering.tone is not None:
            state.amplitudes.copy_(torch.where(buffers.active[:, None], steering.tone.amplitudes, state.amplitudes))

    def _sample(self, t: int, hop: Any, tone: Tone | None) -> None:  # noqa: ANN401 (the network's own)
        network, state, buffers, net = self._network, self._state, self._buffers, self.config.network
        active, note = buffers.active, buffers.frames[:, FRAME.index("note")]
        uniforms = self._uniforms()
        waves = network.waves(state.phase, note)
        parameters = network.step_sample(state.network, active, t, state.previous, waves, hop)
        centre, scale = torch.zeros_like(state.previous), torch.ones_like(state.previous)
        if tone is not None:
            centre = gliding_tone(state.amplitudes, tone.amplitudes, waves, (t + 1) / net.hop)
            scale = tone.log_scale.exp()
            parameters = network.place(parameters, centre, tone.log_scale)  # [slots, P]
        temperature = buffers.frames[:, FRAME.index("temperature")]
        drawn = network.distribution.sample(parameters, uniforms, temperature)
        forced = buffers.forced[:, t]
        heard = torch.where(forced.isnan(), drawn + net.pre_emphasis * state.output, forced)
        sample = torch.where(forced.isnan(), drawn, forced - net.pre_emphasis * state.output)
        buffers.parameters[:, t] = parameters
        buffers.heard[:, t] = heard
        state.previous.copy_(torch.where(active, (sample - centre) / scale, state.previous))
        state.output.copy_(torch.where(active, heard, state.output))
        step = increment(note, net.sample_rate)
        state.phase.add_(torch.where(active, step, torch.zeros_like(step)))

    def _uniforms(self) -> Tensor:
        """The draws of each slot's next sample: float32 [slots, draws]."""
        draws = self._network.config.head.draws
        key, clock = self._state.key[:, None], self._state.network.clock[:, None]
        block = torch.arange((draws + 3) // 4, device=self._device)[None, :]
        words = torch.stack(noise.words_of(key, clock, block, noise.PURPOSE_SAMPLE), dim=-1)
        return noise.uniform(words.flatten(1)[:, :draws]).to(torch.float32)  # type: ignore[no-any-return]

    def _capture(self) -> Callable[[], None]:
        """One hop as a CUDA graph. It is recorded with no slot active, so it changes no state."""
        self._buffers.active.fill_(False)
        return captured(self._hop, self._device)
