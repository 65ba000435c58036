"""What one training step sees: short stretches of recordings, onsets and releases more often than they last.

A crop from the onset begins in silence, as a voice does. A crop from within a note begins with a past that it can't
know, so its loss counts only once the receptive field is filled.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from torch import Tensor

from ostinato.models.config import SteeredConfig
from ostinato.models.excitation import emphasise
from ostinato.models.training.dataset import Recording
from ostinato.models.training.demodulation import SILENT, demodulate

SOON_S: Final = 0.3  # after the onset, while a tone changes fast


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
    log_levels: Tensor  # float32 [B, T / hop, K]: of the harmonics heard, as in `Hops`
    phases: Tensor  # float32 [B, T / hop, K], radians


@dataclass(frozen=True)
class Hops:
    """Single hops of many recordings, and the harmonics heard in each."""

    frames: Tensor  # float32 [N, len(FRAME)]
    log_levels: Tensor  # float32 [N, K]: natural log, `SILENT` at least
    phases: Tensor  # float32 [N, K], radians


@dataclass(frozen=True)
class Span:
    """Where a recording lies in a corpus, in samples."""

    first: int
    length: int
    release: int  # from its own start


class Corpus:
    """Every recording end to end on one device, so that a batch is three gathers."""

    def __init__(self, recordings: Sequence[Recording], config: SteeredConfig, device: torch.device) -> None:
        self.hop = config.hop
        self._soon = round(SOON_S * config.sample_rate / config.hop)
        lengths = [len(r.audio) for r in recordings]
        firsts = np.cumsum([0, *lengths])
        self.spans = [Span(int(f), n, r.release) for f, n, r in zip(firsts, lengths, recordings, strict=False)]
        self._audio = torch.from_numpy(np.concatenate([r.audio for r in recordings])).to(device)
        # of 2^64 a turn the upper half, which is all that harmonics take: hours of recordings are in memory
        upper = [(r.phase >> 32).astype(np.int32) for r in recordings]
        self._upper_phase = torch.from_numpy(np.concatenate(upper)).to(device)
        self._frames = torch.from_numpy(np.concatenate([r.frames for r in recordings])).to(device)
        self._log_levels, self._phases = self._harmonics([r.note.hertz for r in recordings], config)

    def _harmonics(self, pitches: Sequence[float], config: SteeredConfig) -> tuple[Tensor, Tensor]:
        """Levels and phases of every hop, float16 [hops, K]: fine enough, and they are many."""
        count = config.tone.harmonics if config.tone else 0
        log_levels = self._audio.new_empty((len(self._frames), count), dtype=torch.float16)
        phases = torch.empty_like(log_levels)
        for span, hertz in zip(self.spans, pitches, strict=True):
            here = slice(span.first, span.first + span.length)
            samples = emphasise(self._audio[here], config.pre_emphasis)
            found = demodulate(samples, self._phase(here), hertz, count, hop=config.hop, sample_rate=config.sample_rate)
            hops = slice(span.first // config.hop, (span.first + span.length) // config.hop)
            log_levels[hops] = found.abs().clamp(min=math.exp(SILENT)).log().half()
            phases[hops] = found.angle().half()
        return log_levels, phases

    def _phase(self, at: slice | Tensor) -> Tensor:
        """The phase at these samples, int64, 2^64 a turn."""
        return self._upper_phase[at].long() << 32

    def draw(self, plan: CropPlan, field: int, rng: np.random.Generator) -> Crops:
        """A batch of crops for a model with this receptive field."""
        chosen = [self.spans[i] for i in rng.integers(len(self.spans), size=plan.count)]
        starts = [draw_start(span, plan, field, self.hop, rng) for span in chosen]
        return self.cut([span.first for span in chosen], starts, plan.samples, field)

    def draw_hops(self, count: int, rng: np.random.Generator) -> Hops:
        """Hops of random recordings: a third soon after the onset, a sixth from the release on, the rest anywhere."""
        chosen = [self.spans[i] for i in rng.integers(len(self.spans), size=count)]
        first = np.array([span.first for span in chosen]) // self.hop
        length, release = (np.array([getattr(s, n) for s in chosen]) // self.hop for n in ("length", "release"))
        kind, place = rng.random(count), rng.random(count)
        soon = np.minimum(length, self._soon)
        start = np.where((kind > 1 / 3) & (kind < 1 / 2), release, 0)
        stop = np.where(kind < 1 / 3, soon, length)
        at = torch.from_numpy(first + start + (place * (stop - start)).astype(np.int64)).to(self._audio.device)
        return Hops(self._frames[at], self._log_levels[at].float(), self._phases[at].float())

    def cut(self, firsts: Sequence[int], starts: Sequence[int], samples: int, field: int) -> Crops:
        """Crops that begin `starts` after the first samples of their recordings; all multiples of the hop."""
        device = self._audio.device
        start = torch.tensor(starts, device=device)[:, None]
        at = torch.tensor(firsts, device=device)[:, None] + start  # [B, 1]
        ramp = torch.arange(samples, device=device)
        hops = torch.arange(samples // self.hop, device=device)
        before = self._audio[(at - 1).clamp(min=0)] * (start > 0)
        counted = (start == 0) | (ramp >= field - 1)
        hop = at // self.hop + hops  # [B, T / hop]
        return Crops(
            audio=torch.cat((before, self._audio[at + ramp]), dim=1),
            frames=self._frames[hop],
            phase=self._phase(at + ramp),
            counted=counted.float(),
            log_levels=self._log_levels[hop].float(),
            phases=self._phases[hop].float(),
        )


def draw_start(span: Span, plan: CropPlan, field: int, hop: int, rng: np.random.Generator) -> int:
    """The first sample of a crop, a multiple of the hop."""
    last = span.length - plan.samples
    kind = rng.random()
    if kind < plan.onsets:
        return 0
    if kind < plan.onsets + plan.releases:  # the release falls where the loss counts
        low, high = span.release - plan.samples + hop, span.release - field
    else:
        low, high = 0, last
    low, high = (int(np.clip(edge, 0, last)) // hop for edge in (low, high))
    return int(rng.integers(low, high + 1)) * hop
