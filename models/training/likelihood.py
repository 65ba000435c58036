"""How likely a model finds recordings, and how much it owes to hearing its own past."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise
from ostinato.models.sampling.torch_sampler import build_network
from ostinato.models.tone import tone_samples
from ostinato.models.training.dataset import Recording
from ostinato.models.wavenet import WaveNet


@torch.no_grad()
def likelihood(checkpoint: Checkpoint, recordings: Sequence[Recording]) -> tuple[float, float]:
    """Bits per sample, teacher-forced over whole notes: as trained, and with all that was drawn before set to zero."""
    network = build_network(checkpoint, torch.device("cpu"))
    bits = np.zeros(2)
    for recording in recordings:
        frames, phase = torch.from_numpy(recording.frames)[None], torch.from_numpy(recording.phase)[None]
        clean = emphasise(torch.from_numpy(recording.audio)[None], network.config.pre_emphasis)
        for i, past in enumerate((clean, nothing_drawn(network, frames, phase))):
            log_prob = network.distribution.log_prob(network(past, frames, phase), clean)
            bits[i] -= float(log_prob.mean()) / math.log(2)
    own, deaf = bits / max(len(recordings), 1)
    return float(own), float(deaf)


def nothing_drawn(network: WaveNet, frames: Tensor, phase: Tensor) -> Tensor:
    """The past samples of a model that has drawn nothing: the tone where one is stated, else silence. [B, T]."""
    steering = network.steer(frames)
    if steering.tone is None:
        return torch.zeros(phase.shape)
    note, hop = frames[..., FRAME.index("note"), None], network.config.hop
    waves = network.waves(phase.reshape(*frames.shape[:2], hop), note).flatten(1, 2)
    return tone_samples(steering.tone.amplitudes, waves, hop)
