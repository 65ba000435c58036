"""What a hybrid's training makes small: a variational bound on how likely two things heard of a recording are.

Heard are its harmonics, levels and phases about each hop's end (`demodulation.py`), and what they leave. Latents come
from the encoder; with q its posterior and p the prior,

    bits <= E_q[-log p(harmonics | z) - log p(rest | z)] + KL(q(z_f | x) || p(z_f | z_<f))

(Kingma and Welling 2014, equation 3; one KL a hop, given latents drawn from q; of each latent at least `FREE_NATS` are
counted, after Kingma et al. 2016, which leaves it a bound.) Levels are given a Laplace
distribution about what is decoded, phases von Mises'. The rest is given Whittle's likelihood (1953) of its
windowed spectra R under the decoded power S,

    sum over frequencies of log S + |R|^2 / S

which holds where spectra of neighbouring windows and frequencies were independent; overlapping ones are weighed by the
share of them that is. So what is bounded is a likelihood of these statistics, not of samples.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE, frequency
from ostinato.models.heads import STEP
from ostinato.models.hybrid_encoder import divergence, reparametrised
from ostinato.models.hybrid_network import Decoded, HybridNetwork
from ostinato.models.shaped_noise import log_spectrum
from ostinato.models.steered import Steering
from ostinato.models.tone import Tone, tone_samples
from ostinato.models.training.crops import Crops, Hops
from ostinato.models.training.demodulation import SILENT
from ostinato.models.training.gaps import GapHops, gap_distance
from ostinato.models.training.losses import (
    CLEARLY_HEARD,
    GAPS,
    emphasised,
    gaussian_log_prob,
    mean_bits,
    tone_distance,
)
from ostinato.models.wavenet import delayed

LEVEL_SPREAD: Final = 0.06  # nepers: of the Laplace distribution of levels
PHASE_CONCENTRATION: Final = 40.0  # of von Mises' of phases
INDEPENDENT: Final = 1 / 8  # share of the hops whose demodulated harmonics tell anything new
FREE_NATS: Final = 0.03  # of a latent, a hop: what it may tell for nothing, else it begins by telling nothing
WINDOW_HOPS: Final = 4
ROUNDING: Final = 2.0**-30 / 12 * 2  # power of what 16 bits leave, pre-emphasised: no rest is fainter


def bound(
    network: HybridNetwork, crops: Crops, hops: Hops, gaps: GapHops, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """Bits per counted sample of the bound, those of the tone alone, and how far the tone is off: as `losses`.

    Of standard normals `noise` [B, T] the first of each hop draw its latents.
    """
    net, clean = network.config, emphasised(crops, network.config)
    steering = network.steer(crops.frames)
    assert steering.tone is not None
    note = crops.frames[..., FRAME.index("note"), None]
    waves = network.waves(crops.phase.reshape(*crops.frames.shape[:2], net.hop), note).flatten(1, 2)
    tone = tone_samples(steering.tone.amplitudes.detach(), waves, net.hop)
    log_scale = steering.tone.log_scale.repeat_interleave(net.hop, dim=1)
    left = (clean - tone) * torch.exp(-log_scale)
    left_bits = mean_bits(gaussian_log_prob(left, log_scale), crops.counted)
    normals = noise.unflatten(1, (-1, net.hop))[..., : net.latents]  # type: ignore[no-untyped-call]
    decoded, apart = autoencoded(network, left.detach(), waves, fixed(steering), normals)
    rest = clean - tone_samples(heard_tone(crops).amplitudes, waves, net.hop)
    whole = hop_spectra(rest, net.hop)
    hopwise = harmonic_nats(decoded.tone, crops, net.sample_rate)[:, : whole.shape[1]]
    hopwise = hopwise + whittle_nats(decoded, whole, net.hop)
    counted = crops.counted.unflatten(1, (-1, net.hop)).amin(-1)[:, : whole.shape[1]]  # type: ignore[no-untyped-call]
    told = over_counted(apart[:, : whole.shape[1]], counted[..., None]).clamp(min=FREE_NATS).sum()
    bits = (over_counted(hopwise, counted) + told) / (net.hop * math.log(2))
    return bits, left_bits, tone_distance(network, hops) + GAPS * gap_distance(network, gaps)


def over_counted(values: Tensor, counted: Tensor) -> Tensor:
    """The mean over the hops that count: [B, F, ...], counted [B, F, ...] -> [...]."""
    return (values * counted).sum((0, 1)) / counted.sum((0, 1)).clamp(min=1)


def fixed(steering: Steering) -> Steering:
    """The tone as it is stated, which what moves it does not teach."""
    assert steering.tone is not None
    tone = steering.tone
    return Steering(steering.condition, Tone(tone.log_levels.detach(), tone.phases.detach(), tone.log_scale.detach()))


def autoencoded(
    network: HybridNetwork, left: Tensor, waves: Tensor, steering: Steering, normals: Tensor
) -> tuple[Decoded, Tensor]:
    """What the latents of a recording make of its hops, and the divergence of each from the prior in nats [B, F, D].

    left [B, T] as the encoder hears it, normals [B, F, D].
    """
    assert steering.tone is not None
    mean, log_deviation = network.encoder(left, waves, steering)
    latents = reparametrised(mean, log_deviation, normals)
    before = delayed(latents, 1)
    context = network.contexts(before, steering)
    apart = divergence(mean, log_deviation, of=network.expected(context, before))
    return network.decode(context, latents, steering.tone), apart


def heard_tone(crops: Crops) -> Tone:
    """The tone that was heard: harmonics as faint as silence are left to the rest."""
    levels = torch.where(crops.log_levels > SILENT, crops.log_levels, -math.inf)
    return Tone(levels, crops.phases, torch.zeros_like(levels[..., 0]))


def harmonic_nats(tone: Tone, crops: Crops, sample_rate: int) -> Tensor:
    """Of the levels and phases heard, where they are clearly above silence: nats of each hop [B, F]."""
    pitch = frequency(crops.frames[..., FRAME.index("note")], sample_rate)
    k = torch.arange(1, tone.phases.shape[-1] + 1, device=pitch.device)
    audible = k * pitch[..., None] <= AUDIBLE * sample_rate
    heard = ((crops.log_levels - SILENT) / CLEARLY_HEARD).clamp(0, 1) * audible
    level = (tone.log_levels - crops.log_levels).abs() / LEVEL_SPREAD
    phase = PHASE_CONCENTRATION * (1 - torch.cos(tone.phases - crops.phases))
    return INDEPENDENT * (heard * (level + phase)).sum(-1)


def hop_spectra(rest: Tensor, hop: int) -> Tensor:
    """Power per sample of windows about each hop's end, but for the last ones: [B, T] -> [B, F, window / 2 + 1]."""
    length = WINDOW_HOPS * hop
    before = length // 2 - hop
    windows = torch.nn.functional.pad(rest, (before, 0)).unfold(1, length, hop)
    shape = torch.hann_window(length, device=rest.device)
    power: Tensor = torch.fft.rfft(windows * shape).abs().square() / shape.square().sum()
    return power + ROUNDING


def whittle_nats(decoded: Decoded, power: Tensor, hop: int) -> Tensor:
    """Of the rest's spectra [B, F', bins]: nats of each of these hops [B, F'], as of samples of 16-bit levels."""
    hops = power.shape[1]
    length = 2 * (power.shape[-1] - 1)
    stated = log_spectrum(decoded.cepstrum[:, :hops], length) + 2 * decoded.tone.log_scale[:, :hops, None]
    nats = stated + power * torch.exp(-stated)  # [B, F', bins]
    inner = nats.sum(-1) - 0.5 * (nats[..., 0] + nats[..., -1])
    return inner * (hop / length) + hop * math.log(math.sqrt(2 * math.pi) / STEP)
