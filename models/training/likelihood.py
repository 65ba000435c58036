"""How likely a model finds recordings, and how much it owes to hearing its own past.

A density of a continuous signal is asked of levels that were spread over their width by noise (uniform
dequantisation, Theis et al. 2016, section 3.1). Its mean negative log is an upper bound on the bits of the levels
themselves, and is never below 0.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final, TypeAlias

import numpy as np
import torch
from torch import Tensor

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import PARALLEL, ConfigError
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise
from ostinato.models.heads import STEP
from ostinato.models.parallel import DensityNetwork
from ostinato.models.quantized_wavenet import QuantizedWaveNet
from ostinato.models.sampling.torch_parallel import build_parallel
from ostinato.models.sampling.torch_sampler import build_network
from ostinato.models.tone import tone_samples
from ostinato.models.training.dataset import Recording

PIECE_HOPS: Final = 256

Weigher: TypeAlias = AutoregressiveNetwork | DensityNetwork
"""A network that tells how likely it finds given samples."""


def network_of(checkpoint: Checkpoint, precision: str) -> AutoregressiveNetwork:
    """The parallel forward that a precision's samplers follow: float32, or int8 for a model that is calibrated."""
    if precision == "int8":
        return QuantizedWaveNet(checkpoint)
    return build_network(checkpoint, torch.device("cpu"))


def weigher_of(checkpoint: Checkpoint, precision: str) -> Weigher:
    """The network by which a model of any strategy weighs. Raises ConfigError where it has no density."""
    if checkpoint.config.strategy not in PARALLEL:
        return network_of(checkpoint, precision)
    network = build_parallel(checkpoint, torch.device("cpu"))
    if not isinstance(network, DensityNetwork):
        raise ConfigError(f"strategy: {checkpoint.config.strategy!r} has no density")
    return network


@torch.no_grad()
def likelihood(network: Weigher, recordings: Sequence[Recording]) -> tuple[float, float]:
    """Bits per sample, teacher-forced over whole notes: as trained, and with all that was drawn before set to zero."""
    bits = np.zeros(2)
    for recording in recordings:
        frames, phase, clean = batch_of_one(network, recording)
        own = bits_of(network, clean, clean, frames, phase)
        bits += own, bits_of(network, nothing_drawn(network, frames, phase), clean, frames, phase)
    own, deaf = bits / max(len(recordings), 1)
    return float(own), float(deaf)


@torch.no_grad()
def teacher_forced_bits(network: Weigher, recording: Recording) -> float:
    """Bits per sample of a whole note, its own past given."""
    frames, phase, clean = batch_of_one(network, recording)
    return bits_of(network, clean, clean, frames, phase)


def batch_of_one(network: Weigher, recording: Recording) -> tuple[Tensor, Tensor, Tensor]:
    """A recording's frames [1, F, channels], phase [1, T], and samples in the model's domain [1, T]."""
    frames, phase = torch.from_numpy(recording.frames)[None], torch.from_numpy(recording.phase)[None]
    audio = torch.from_numpy(recording.audio)[None]
    if isinstance(network, DensityNetwork):
        audio = dequantised(audio, np.random.default_rng(0))
    return frames, phase, emphasise(audio, network.config.pre_emphasis)


def dequantised(samples: Tensor, rng: np.random.Generator) -> Tensor:
    """Samples on 16-bit levels, each spread evenly over its level."""
    noise = torch.from_numpy(rng.random(samples.shape, dtype=np.float32)) - 0.5
    return samples + STEP * noise


def head_parameters(network: Weigher, samples: Tensor, frames: Tensor, phase: Tensor) -> Tensor:
    """Those of each sample, given all that it depends on: [B, T], [B, F, channels], [B, T] -> [B, T, P]."""
    if isinstance(network, DensityNetwork):
        return network.parameters_of(samples, frames, phase)
    parameters: Tensor = network(samples, frames, phase)
    return parameters


def bits_of(network: Weigher, past: Tensor, clean: Tensor, frames: Tensor, phase: Tensor) -> float:
    """Bits per sample of `clean` [1, T], given `past` [1, T]; piece by piece, to stay within caches."""
    hop, total = network.config.hop, 0.0
    before = math.ceil(network.config.receptive_field / hop) + 1  # and the hop that the tone glides from
    for start in range(0, frames.shape[1], PIECE_HOPS):
        first, stop = max(start - before, 0), start + PIECE_HOPS
        piece = slice(first * hop, stop * hop)
        parameters = head_parameters(network, past[:, piece], frames[:, first:stop], phase[:, piece])
        log_prob = network.distribution.log_prob(parameters, clean[:, piece])
        total -= float(log_prob[:, (start - first) * hop :].sum(dtype=torch.float64))
    return total / clean.shape[1] / math.log(2)


def nothing_drawn(network: Weigher, frames: Tensor, phase: Tensor) -> Tensor:
    """The past samples of a model that has drawn nothing: the tone where one is stated, else silence. [B, T]."""
    steering = network.steer(frames)
    if steering.tone is None:
        return torch.zeros(phase.shape)
    note, hop = frames[..., FRAME.index("note"), None], network.config.hop
    waves = network.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
    return tone_samples(steering.tone.amplitudes, waves, hop)
