"""The readable reference of what is drawn a hop at once, from noise that is known beforehand."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models import noise
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import increment
from ostinato.models.networks import make_parallel
from ostinato.models.parallel import ParallelNetwork, standard_normal
from ostinato.models.sampling.contract import check_density
from ostinato.models.sampling.torch_pool import SlotState, TorchPool, load_weights
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
        """Refused: samples that are drawn at once have no parameters of their own."""
        check_density(self.config)
        return super().probe(slot, controls, forced)

    @torch.no_grad()
    def _hop(self) -> None:
        network, state, buffers, net = self._network, self._state, self._buffers, self.config.network
        active, note = buffers.active, buffers.frames[:, FRAME.index("note")]
        steering = network.steer(buffers.frames)
        temperature = buffers.frames[:, FRAME.index("temperature"), None]
        normals = self._normals() * temperature  # [slots, hop + latents]
        step = increment(note, net.sample_rate)
        drawn = network.draw_hop(state.network, active, steering, normals)
        samples = drawn.left
        if drawn.amplitudes is not None and steering.tone is not None:
            phase = state.phase[:, None] + step[:, None] * torch.arange(net.hop, device=self._device)
            waves = network.waves(phase, note[:, None])  # [slots, hop, 2 waves]
            tone = tone_between(state.amplitudes, drawn.amplitudes, waves)
            samples = tone + steering.tone.log_scale.exp()[:, None] * samples
            state.amplitudes.copy_(torch.where(active[:, None], drawn.amplitudes, state.amplitudes))
        buffers.heard.copy_(torch.cat((state.output[:, None], samples), dim=1) @ self._decay)
        state.output.copy_(torch.where(active, buffers.heard[:, -1], state.output))
        state.phase.add_(torch.where(active, step * net.hop, torch.zeros_like(step)))

    def _normals(self) -> Tensor:
        """Of the next hop's samples, and behind them of its latents where there are any: [slots, hop + latents]."""
        net = self.config.network
        of_samples = standard_normal(self._uniforms(net.hop))
        if not net.latent_draws:
            return of_samples
        pairs = self._words(1, 2 * net.latent_draws, noise.PURPOSE_LATENT).reshape(self.slots, net.latent_draws, 2)
        return torch.cat((of_samples, standard_normal(pairs)), dim=1)


def decay(pre_emphasis: float, hop: int, device: torch.device) -> Tensor:
    """The inverse of pre-emphasis over a hop, from the last sample heard and the hop's own: [1 + hop, hop]."""
    since = torch.arange(hop, device=device) - torch.arange(-1, hop, device=device)[:, None]  # 0 at the sample itself
    return torch.where(since >= 0, pre_emphasis ** since.clamp(min=0).double(), 0.0).float()
