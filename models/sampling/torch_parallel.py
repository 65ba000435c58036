"""The readable reference of what is drawn a hop at once, from noise that is known beforehand."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise, increment
from ostinato.models.networks import make_parallel
from ostinato.models.parallel import DensityNetwork, ParallelNetwork, logit, standard_normal
from ostinato.models.sampling.contract import check_density
from ostinato.models.sampling.torch_pool import SlotState, TorchPool, load_weights
from ostinato.models.steered import remember
from ostinato.models.tone import tone_between


def build_parallel(checkpoint: Checkpoint, device: torch.device) -> ParallelNetwork:
    """The torch module of a checkpoint, its weights frozen. Raises ConfigError where it is not parallel."""
    return load_weights(make_parallel(checkpoint.config), checkpoint, device)


class TorchParallelSampler(TorchPool):
    """A pool of streams over one parallel network, in torch."""

    def _prepare(self, checkpoint: Checkpoint) -> None:
        network = self._network = build_parallel(checkpoint, self._device)
        config, device = network.config, self._device
        self._state = SlotState(
            network=network.silence(self.slots, device),
            key=torch.zeros(self.slots, dtype=torch.int64, device=device),
            phase=torch.zeros(self.slots, dtype=torch.int64, device=device),
            output=torch.zeros(self.slots, device=device),
            amplitudes=torch.zeros(self.slots, 2 * config.tone.harmonics if config.tone else 0, device=device),
        )
        self._decay = decay(config.pre_emphasis, config.hop, device)

    def probe(self, slot: int, controls: NDArray[np.float32], forced: NDArray[np.float32]) -> NDArray[np.float32]:
        """Advance one slot along given samples: -> head parameters [frames * hop, P]. Refused without a density."""
        check_density(self.config)
        return super().probe(slot, controls, forced)

    @torch.no_grad()
    def _hop(self) -> None:
        network, state, buffers = self._network, self._state, self._buffers
        steering = network.steer(buffers.frames)
        temperature = buffers.frames[:, FRAME.index("temperature"), None]
        drawn = network.draw_hop(state.network, buffers.active, steering, self._noise() * temperature)
        samples = drawn.left
        if drawn.amplitudes is not None and steering.tone is not None:
            samples = self._tone(drawn.amplitudes) + steering.tone.log_scale.exp()[:, None] * samples
        self._leave(torch.cat((state.output[:, None], samples), dim=1) @ self._decay, drawn.amplitudes)

    @torch.no_grad()
    def _given_hop(self) -> None:
        network, state, buffers, net = self._network, self._state, self._buffers, self.config.network
        assert isinstance(network, DensityNetwork)
        steering = network.steer(buffers.frames)
        samples = emphasise(torch.cat((state.output[:, None], buffers.forced), dim=1), net.pre_emphasis)[:, 1:]
        if steering.tone is None:
            buffers.parameters.copy_(network.given_hop(state.network, buffers.active, steering, samples))
            self._leave(buffers.forced, None)
            return
        tone, log_scale = self._tone(steering.tone.amplitudes), steering.tone.log_scale[:, None]
        left = (samples - tone) * torch.exp(-log_scale)
        parameters = network.given_hop(state.network, buffers.active, steering, left)
        buffers.parameters.copy_(network.place(parameters, tone, log_scale))
        self._leave(buffers.forced, steering.tone.amplitudes)

    def _noise(self) -> Tensor:
        """Of the next hop's samples, and behind it that of its latents where there are any: [slots, hop + latents]."""
        net, uniforms = self.config.network, self._uniforms(self.config.network.hop)
        of_samples = logit(uniforms[..., 1]) if net.head.kind == "logistics" else standard_normal(uniforms)
        if not net.latent_draws:
            return of_samples
        pairs = self._words(1, 2 * net.latent_draws, noise.PURPOSE_LATENT).reshape(self.slots, net.latent_draws, 2)
        return torch.cat((of_samples, standard_normal(pairs)), dim=1)

    def _tone(self, amplitudes: Tensor) -> Tensor:
        """The tone of this hop [slots, hop], which ends at these amplitudes [slots, 2 K]."""
        net, note = self.config.network, self._buffers.frames[:, FRAME.index("note")]
        steps = increment(note, net.sample_rate)[:, None] * torch.arange(net.hop, device=self._device)
        waves = self._network.waves(self._state.phase[:, None] + steps, note[:, None])  # [slots, hop, 2 waves]
        return tone_between(self._state.amplitudes, amplitudes, waves)

    def _leave(self, heard: Tensor, amplitudes: Tensor | None) -> None:
        """Take what is heard of the hop [slots, hop] as played, and move on past it."""
        state, buffers, net = self._state, self._buffers, self.config.network
        active = buffers.active
        buffers.heard.copy_(heard)
        remember(state.output, active, heard[:, -1])
        if amplitudes is not None:
            remember(state.amplitudes, active, amplitudes)
        step = increment(buffers.frames[:, FRAME.index("note")], net.sample_rate)
        state.phase.add_(torch.where(active, step * net.hop, torch.zeros_like(step)))


def decay(pre_emphasis: float, hop: int, device: torch.device) -> Tensor:
    """The inverse of pre-emphasis over a hop, from the last sample heard and the hop's own: [1 + hop, hop]."""
    since = torch.arange(hop, device=device) - torch.arange(-1, hop, device=device)[:, None]  # 0 at the sample itself
    return torch.where(since >= 0, pre_emphasis ** since.clamp(min=0).double(), 0.0).float()
