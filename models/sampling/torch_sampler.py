"""The readable reference of what is drawn one sample after another: cached ring state, one batched step a sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import increment
from ostinato.models.networks import make_autoregressive
from ostinato.models.sampling.torch_pool import SlotState, TorchPool, load_weights
from ostinato.models.steered import remember
from ostinato.models.tone import Tone, gliding_tone
from ostinato.models.wavenet import WaveNet


def build_network(checkpoint: Checkpoint, device: torch.device) -> AutoregressiveNetwork:
    """The torch module of a checkpoint, its weights frozen. Raises ConfigError where it is not autoregressive."""
    return load_weights(make_autoregressive(checkpoint.config), checkpoint, device)


def build_wavenet(checkpoint: Checkpoint, device: torch.device) -> WaveNet:
    """The same of a WaveNet's. Raises ConfigError where it is of another strategy."""
    return load_weights(WaveNet(checkpoint.config.wavenet), checkpoint, device)


@dataclass(frozen=True)
class SequentialState(SlotState):
    """And the sample before, which the next one waits for."""

    previous: Tensor  # float32 [slots]: last sample in the model's domain, less its tone, in its scale

    @classmethod
    def silent(cls, network: AutoregressiveNetwork, slots: int, device: torch.device) -> SequentialState:
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


class TorchSampler(TorchPool):
    """A pool of streams over one autoregressive network, in torch."""

    _state: SequentialState

    def _prepare(self, checkpoint: Checkpoint) -> None:
        self._network = build_network(checkpoint, self._device)
        self._state = SequentialState.silent(self._network, self.slots, self._device)

    @torch.no_grad()
    def _hop(self) -> None:
        network, state, buffers = self._network, self._state, self._buffers
        steering = network.steer(buffers.frames)
        hop = network.begin_hop(state.network, buffers.active, state.previous, steering)
        for t in range(self.config.network.hop):
            self._sample(t, hop, steering.tone)
        if steering.tone is not None:
            remember(state.amplitudes, buffers.active, steering.tone.amplitudes)

    def _sample(self, t: int, hop: Any, tone: Tone | None) -> None:  # noqa: ANN401 (the network's own)
        network, state, buffers, net = self._network, self._state, self._buffers, self.config.network
        active, note = buffers.active, buffers.frames[:, FRAME.index("note")]
        uniforms = self._uniforms(1)[:, 0]
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
        remember(state.previous, active, (sample - centre) / scale)
        remember(state.output, active, heard)
        step = increment(note, net.sample_rate)
        state.phase.add_(torch.where(active, step, torch.zeros_like(step)))
