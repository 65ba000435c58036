"""What one training step sees: short stretches of recordings, onsets and releases more often than they last.

A crop from the onset begins in silence, as a voice does. A crop from within a note begins with a past that it can't
know, so its loss counts only once the receptive field is filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models.training.dataset import Recording


@dataclass(frozen=True)
class CropPlan:
    """How crops are drawn."""

    count: int = 3  # per step
    samples: int = 4096  # a multiple of the hop
    onsets: float = 0.25  # share of crops that begin at the onset
    releases: float = 0.25  # share of crops that hold a release


@dataclass(frozen=True)
class Crops:
    """A batch: plain audio, not yet pre-emphasised, with the sample before it."""

    audio: Tensor  # float32 [B, 1 + T]: the sample before the crop, then the crop
    frames: Tensor  # float32 [B, T / hop, len(FRAME)]
    phase: Tensor  # int64 [B, T]
    counted: Tensor  # float32 [B, T]: 1 where the loss counts

    def to(self, device: torch.device) -> Crops:
        """The same on a device."""
        return Crops(self.audio.to(device), self.frames.to(device), self.phase.to(device), self.counted.to(device))


def draw_crops(
    recordings: Sequence[Recording], plan: CropPlan, field: int, hop: int, rng: np.random.Generator
) -> Crops:
    """A batch of crops for a model with this receptive field."""
    chosen = [recordings[i] for i in rng.integers(len(recordings), size=plan.count)]
    crops = [crop(r, draw_start(r, plan, field, hop, rng), plan.samples, field, hop) for r in chosen]
    return Crops(*(torch.from_numpy(np.stack(column)) for column in zip(*crops, strict=True)))


def draw_start(recording: Recording, plan: CropPlan, field: int, hop: int, rng: np.random.Generator) -> int:
    """The first sample of a crop, a multiple of the hop."""
    last = len(recording.audio) - plan.samples
    kind = rng.random()
    if kind < plan.onsets:
        return 0
    if kind < plan.onsets + plan.releases:  # the release falls where the loss counts
        low, high = recording.release - plan.samples, recording.release - field
    else:
        low, high = 0, last
    low, high = (int(np.clip(edge, 0, last)) // hop for edge in (low, high))
    return int(rng.integers(low, high + 1)) * hop


def crop(
    recording: Recording, start: int, samples: int, field: int, hop: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.int64], NDArray[np.float32]]:
    """Audio with the sample before it, frames, phase and mask of one crop; `start` is a multiple of the hop."""
    stop = start + samples
    before = recording.audio[start - 1 : start] if start else np.zeros(1, dtype=np.float32)
    audio = np.concatenate((before, recording.audio[start:stop]))
    counted = np.ones(samples, dtype=np.float32)
    if start:
        counted[: field - 1] = 0
    return audio, recording.frames[start // hop : stop // hop], recording.phase[start:stop], counted
