"""What a model plays to those that learn from it: random notes of its instruments, free-running."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import VoiceTimeline
from ostinato.models.excitation import emphasise, running_phase
from ostinato.models.noise import as_int64, phase_start, voice_key
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.training.playing import play_notes

HELD_OUT: Final = 2**32  # the ordinal from which notes are kept to measure on


@dataclass(frozen=True)
class Lessons:
    """Which notes are played."""

    seed: int = 0
    notes: int = 32  # that are played together
    longest_s: float = 1.5  # of a note, its release included


@dataclass
class Progress:
    """Where a run that learns from a playing stands."""

    step: int = 0
    seconds: float = 0.0
    losses: list[float] = field(default_factory=list)  # bits a sample of q, on draws of p


@dataclass(frozen=True)
class Divergence:
    """Bits a sample, over notes that were not taught: KL(p || q) with its standard error over notes."""

    entropy: float
    cross_entropy: float
    divergence: float
    divergence_error: float

    @classmethod
    def between(cls, own: Sequence[float], other: Sequence[float]) -> Divergence:
        """From each note's bits by p, whose playing it is, and by q."""
        apart = np.array(other) - np.array(own)
        error = float(apart.std(ddof=1) / len(apart) ** 0.5)
        return cls(float(np.mean(own)), float(np.mean(other)), float(apart.mean()), error)


@dataclass(frozen=True)
class Playing:
    """Notes that a model played: audio in its domain [B, T], frames [B, F, channels], phase int64 [B, T]."""

    samples: Tensor
    frames: Tensor
    phase: Tensor

    def crop(self, rows: NDArray[np.int64], first: NDArray[np.int64], hops: int, hop: int) -> Playing:
        """So many hops of these notes from these on."""
        pairs = list(zip(rows.tolist(), first.tolist(), strict=True))
        at = [(row, slice(start * hop, (start + hops) * hop)) for row, start in pairs]
        frames = torch.stack([self.frames[row, start : start + hops] for row, start in pairs])
        return Playing(torch.stack([self.samples[i] for i in at]), frames, torch.stack([self.phase[i] for i in at]))


def play(checkpoint: Checkpoint, lessons: Lessons, ordinal: int) -> Playing:
    """Random notes of a model's instruments at its own temperatures; the ordinal chooses which."""
    net, streams, seed = checkpoint.config.network, lessons.notes, lessons.seed + ordinal
    rng = np.random.default_rng((lessons.seed, ordinal))
    count = math.ceil(lessons.longest_s * net.sample_rate / net.hop)
    frames = np.stack([_note(checkpoint, rng, count) for _ in range(streams)])
    own = play_notes(NativeSampler(checkpoint, streams), list(frames), seed)
    start = torch.tensor([as_int64(phase_start(voice_key(seed, i))) for i in range(streams)])
    given = torch.from_numpy(frames)
    phase = running_phase(start, given[..., 0], net.hop, net.sample_rate)
    return Playing(emphasise(torch.from_numpy(np.stack(own)), net.pre_emphasis), given, phase)


def _note(checkpoint: Checkpoint, rng: np.random.Generator, count: int) -> NDArray[np.float32]:
    """Control frames of one note, somewhere in its instrument's range."""
    config, net = checkpoint.config, checkpoint.config.network
    index = int(rng.integers(len(config.instruments)))
    instrument = config.instruments[index]
    pitch, velocity = rng.uniform(instrument.low, instrument.high), rng.uniform(0.2, 1.0)
    release = int(rng.uniform(0.2, 1.0) * count) * net.hop
    voice = VoiceTimeline(float(pitch), float(velocity), index, onset=0, release=release)
    return voice.frames(0, count, hop=net.hop, sample_rate=net.sample_rate, bend=0.0, temperature=config.temperature)
