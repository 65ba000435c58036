"""What training makes small: bits of what is drawn, and the distance of the tone from what is heard."""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.config import SteeredConfig
from ostinato.models.controls import FRAME
from ostinato.models.excitation import AUDIBLE, emphasise, frequency
from ostinato.models.heads import STEP
from ostinato.models.steered import SteeredNetwork, Steering
from ostinato.models.tone import tone_samples
from ostinato.models.training.crops import Crops, Hops
from ostinato.models.training.demodulation import SILENT
from ostinato.models.training.gaps import GapHops, gap_distance

LEVEL_TOLERANCE: Final = 0.2  # nepers; errors beyond it count linearly, so that noisy hops do not lead
CLEARLY_HEARD: Final = 4.0  # nepers above silence
TOGETHER: Final = 3.0  # weight of the difference as a whole
LOUDNESS: Final = 2.0  # weight of the loudness
SMALLEST_SHARE: Final = 1e-4  # of power, below which it is not pressed further
GAPS: Final = 1.0  # weight of the distance in pitches that nobody played


def emphasised(crops: Crops, config: SteeredConfig) -> Tensor:
    """The crops' samples in the model's own domain: [B, T]."""
    return emphasise(crops.audio, config.pre_emphasis)[:, 1:]


def losses(
    network: AutoregressiveNetwork, crops: Crops, hops: Hops, gaps: GapHops, noise: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What is to be made small: bits per counted sample, those of the tone alone, and how far the tone is off.

    The bits are of the model, its past with `noise` [B, T] added; and of white Gaussian noise of the tone's scale
    about it. The tone itself is fitted to the harmonics of `hops`, not to likelihoods: while its phase is still
    wrong, a tone is likeliest where it is silent, and would never find out. Where no pitch was recorded, it is held to
    what it states on either side.
    """
    clean, net = emphasised(crops, network.config), network.config
    steering = network.steer(crops.frames)
    note = crops.frames[..., FRAME.index("note"), None]
    waves = network.waves(crops.phase.reshape(*crops.frames.shape[:2], net.hop), note).flatten(1, 2)
    nothing = clean.new_zeros(())
    if steering.tone is None:
        parameters = continuation(network, clean + noise, waves, steering)
        return mean_bits(network.distribution.log_prob(parameters, clean), crops.counted), nothing, nothing
    tone = tone_samples(steering.tone.amplitudes.detach(), waves, net.hop)
    log_scale = steering.tone.log_scale.repeat_interleave(net.hop, dim=1)
    left = (clean - tone) * torch.exp(-log_scale)
    left_bits = mean_bits(gaussian_log_prob(left, log_scale), crops.counted)
    log_scale, left = log_scale.detach(), left.detach()
    parameters = network.place(continuation(network, left + noise, waves, steering), tone, log_scale)
    bits = mean_bits(network.distribution.log_prob(parameters, clean), crops.counted)
    return bits, left_bits, tone_distance(network, hops) + GAPS * gap_distance(network, gaps)


def tone_distance(network: SteeredNetwork, hops: Hops) -> Tensor:
    """How far the stated harmonics are from those heard, the audible ones.

    Of each harmonic alike, nepers of level and 1 - cos of phase, the more the further it is above silence; of all
    together, the amplitude of their difference against that of what is heard, in which the strong ones lead; and nepers
    of loudness, which a tone unsure of its phase would else give away.
    """
    tone = network.steer(hops.frames).tone
    assert tone is not None
    pitch = frequency(hops.frames[:, FRAME.index("note")], network.config.sample_rate)
    k = torch.arange(1, tone.phases.shape[-1] + 1, device=pitch.device)
    audible = (k * pitch[:, None] <= AUDIBLE * network.config.sample_rate).float()
    level = functional.huber_loss(tone.log_levels, hops.log_levels, reduction="none", delta=LEVEL_TOLERANCE)
    heard = ((hops.log_levels - SILENT) / CLEARLY_HEARD).clamp(0, 1)
    off = 1 - torch.cos(tone.phases - hops.phases)  # [N, K]
    apart = ((level / LEVEL_TOLERANCE + heard * off) * audible).sum() / audible.sum()
    stated, there = tone.log_levels.exp() * audible, hops.log_levels.exp() * audible
    difference = ((stated - there).square() + 2 * stated * there * off).sum(dim=1)
    silence = math.exp(2 * SILENT)
    heard_power, stated_power = there.square().sum(dim=1) + silence, stated.square().sum(dim=1) + silence
    share = (difference / heard_power + SMALLEST_SHARE).sqrt().clamp(max=2.0)
    louder = 0.5 * torch.log(stated_power / heard_power)
    return apart + TOGETHER * share.mean() + LOUDNESS * louder.abs().mean()


def continuation(network: AutoregressiveNetwork, past: Tensor, waves: Tensor, steering: Steering) -> Tensor:
    """The stack's head parameters [B, T, P]; on a GPU in bfloat16, whose error is far below the noise on the past."""
    with torch.autocast("cuda", torch.bfloat16, enabled=past.is_cuda):
        return network.continuation(past, waves, steering).float()


def gaussian_log_prob(left: Tensor, log_scale: Tensor) -> Tensor:
    """Natural log of the probability of a 16-bit level whose deviation from its mean is `left` scales: [...]."""
    return -0.5 * left**2 - log_scale + math.log(STEP / math.sqrt(2 * math.pi))


def mean_bits(log_prob: Tensor, counted: Tensor) -> Tensor:
    """Mean negative log2 over the samples that count."""
    return -(log_prob * counted).sum() / (counted.sum() * math.log(2))
