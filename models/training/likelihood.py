"""How likely a model finds recordings, and how much it owes to hearing its own past."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models.autoregressive import AutoregressiveNetwork
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise
from ostinato.models.quantized_wavenet import QuantizedWaveNet
from ostinato.models.sampling.torch_sampler import build_network
from ostinato.models.tone import tone_samples
from ostinato.models.training.dataset import Recording

PIECE_HOPS: Final = 256


def network_of(checkpoint: Checkpoint, precision: str) -> AutoregressiveNetwork:
    """The parallel forward that a precision's samplers follow: float32, or int8 for a model that is calibrated."""
    if precision == "int8":
        return QuantizedWaveNet(checkpoint)
    return build_network(checkpoint, torch.device("cpu"))


@torch.no_grad()
def likelihood(network: AutoregressiveNetwork, recordings: Sequence[Recording]) -> tuple[float, float]:
    """Bits per sample, teacher-forced over whole notes: as trained, and with all that was drawn before set to zero."""
    bits = np.zeros(2)
    for recording in recordings:
        frames, phase, clean = batch_of_one(network, recording)
        own = bits_of(network, clean, clean, frames, phase)
        bits += own, bits_of(network, nothing_drawn(network, frames, phase), clean, frames, phase)
    own, deaf = bits / max(len(recordings), 1)
    return float(own), float(deaf)


@torch.no_grad()
def teacher_forced_bits(network: AutoregressiveNetwork, recording: Recording) -> float:
    """Bits per sample of a whole note, its own past given."""
    frames, phase, clean = batch_of_one(network, recording)
    return bits_of(network, clean, clean, frames, phase)


def batch_of_one(network: AutoregressiveNetwork, recording: Recording) -> tuple[Tensor, Tensor, Tensor]:
    """A recording's frames [1, F, channels], phase [1, T], and samples in the model's domain [1, T]."""
    frames, phase = torch.from_numpy(recording.frames)[None], torch.from_numpy(recording.phase)[None]
    return frames, phase, emphasise(torch.from_numpy(recording.audio)[None], network.config.pre_emphasis)


def bits_of(network: AutoregressiveNetwork, past: Tensor, clean: Tensor, frames: Tensor, phase: Tensor) -> float:
    """Bits per sample of `clean` [1, T], given `past` [1, T] before each; piece by piece, to stay within caches."""
    hop, total = network.config.hop, 0.0
    before = math.ceil(network.config.receptive_field / hop) + 1  # and the hop that the tone glides from
    for start in range(0, frames.shape[1], PIECE_HOPS):
        first, stop = max(start - before, 0), start + PIECE_HOPS
        piece = slice(first * hop, stop * hop)
        parameters = network(past[:, piece], frames[:, first:stop], phase[:, piece])
        log_prob = network.distribution.log_prob(parameters, clean[:, piece])
        total -= float(log_prob[:, (start - first) * hop :].sum(dtype=torch.float64))
    return total / clean.shape[1] / math.log(2)


def nothing_drawn(network: AutoregressiveNetwork, frames: Tensor, phase: Tensor) -> Tensor:
    """The past samples of a model that has drawn nothing: the tone where one is stated, else silence. [B, T]."""
    steering = network.steer(frames)
    if steering.tone is None:
        return torch.zeros(phase.shape)
    note, hop = frames[..., FRAME.index("note"), None], network.config.hop
    waves = network.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
    return tone_samples(steering.tone.amplitudes, waves, hop)
