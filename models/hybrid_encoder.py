"""What the latents of a recording are: a posterior over each hop's, from what is heard up to the hop's end.

Heard of a hop, all causal: how far the lowest harmonics of what the tone leaves lead and lag the stated ones, and the
power of what is left in bands. A gated causal stack (`wavenet.py`) looks back over hops.
"""

from __future__ import annotations

from itertools import pairwise
from typing import Final

import torch
from torch import Tensor, nn

from ostinato.models.excitation import lowest
from ostinato.models.hybrid_config import BANDS, WINDOW_HOPS, HybridConfig
from ostinato.models.steered import Steering
from ostinato.models.tone import Tone
from ostinato.models.wavenet import Layer, run_layers

NARROWEST: Final = -5.0  # natural log of the least deviation of a posterior; below it a latent would be a number
WIDEST: Final = 1.0
FAINT: Final = 1e-3  # in a tone's scale: no power is told from a fainter one


class Encoder(nn.Module):
    """q(z_f | x up to hop f, controls): Gaussians, independent of each other."""

    def __init__(self, config: HybridConfig) -> None:
        super().__init__()
        self.config = config
        self.input = nn.Linear(config.encoder_channels, config.residual_channels, bias=config.bias)
        self.layers = nn.ModuleList(Layer(config, i) for i in range(config.layers))
        self.posterior = nn.Linear(config.skip_channels, 2 * config.latents)

    def forward(self, left: Tensor, waves: Tensor, steering: Steering) -> tuple[Tensor, Tensor]:
        """Mean and log-deviation of each hop's latents [B, F, D].

        left [B, T]: what the stated tone leaves, in its scale; waves [B, T, 2 waves].
        """
        assert steering.tone is not None
        heard = torch.cat((self.deviations(left, waves, steering.tone), self.powers(left)), dim=-1)
        skip = run_layers(self.layers, self.input(heard), steering.condition, 1)
        mean, log_deviation = self.posterior(skip.relu()).chunk(2, dim=-1)
        return mean, log_deviation.clamp(NARROWEST, WIDEST)

    def deviations(self, left: Tensor, waves: Tensor, tone: Tone) -> Tensor:
        """How much each harmonic leads the stated one in level, and in phase: [B, F, 2 K].

        Of a hop alone, against the stated level and what noise of the tone's scale adds to it; great ones by their
        logarithm.
        """
        config, count = self.config, self.config.heard_harmonics
        hops = left.unflatten(1, (-1, config.hop))  # type: ignore[no-untyped-call]
        sine, cosine = lowest(waves, count).reshape(*hops.shape, 2 * count).chunk(2, dim=-1)
        imaginary = -torch.einsum("bft,bftk->bfk", hops, sine) * (2 / config.hop)
        real = torch.einsum("bft,bftk->bfk", hops, cosine) * (2 / config.hop)
        relative = (tone.log_levels - tone.log_scale[..., None])[..., :count].exp()  # stated levels, in scales
        phases, against = tone.phases[..., :count], (relative.square() + 1).sqrt()
        along = (real * phases.cos() + imaginary * phases.sin()) / against
        across = (imaginary * phases.cos() - real * phases.sin()) / against
        return torch.cat((along, across), dim=-1).asinh()

    def powers(self, left: Tensor) -> Tensor:
        """Log-power of bands of equal width, over the last `WINDOW_HOPS` hops: [B, F, bands]."""
        hop = self.config.hop
        length = WINDOW_HOPS * hop
        past = nn.functional.pad(left, (length - hop, 0)).unfold(1, length, hop)  # [B, F, length]
        window = torch.hann_window(length, device=left.device)
        power = torch.fft.rfft(past * window)[..., 1:].abs().square() / window.square().sum()  # [B, F, length / 2]
        bands = min(BANDS, power.shape[-1])
        edges = [round(i * power.shape[-1] / bands) for i in range(bands + 1)]
        means = [power[..., a:b].mean(-1) for a, b in pairwise(edges)]
        return 0.5 * torch.log(torch.stack(means, dim=-1) + FAINT**2)


def divergence(mean: Tensor, log_deviation: Tensor, of: tuple[Tensor, Tensor]) -> Tensor:
    """KL of Gaussians from those of mean and log-deviation `of`, in nats: [..., D] -> [..., D].

    (Kingma and Welling 2014, appendix B, with a prior that is not the standard one.)
    """
    prior_mean, prior_log_deviation = of
    apart = (mean - prior_mean).square() * torch.exp(-2 * prior_log_deviation)
    ratio = log_deviation - prior_log_deviation
    return 0.5 * (apart + torch.expm1(2 * ratio) - 2 * ratio)


def reparametrised(mean: Tensor, log_deviation: Tensor, normals: Tensor) -> Tensor:
    """A draw as a function of standard normals: [..., D] each."""
    return mean + log_deviation.exp() * normals
