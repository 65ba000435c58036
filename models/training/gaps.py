"""Pitches that nobody played: what a network states there is asked to lie between what it states on either side.

A network that tells one recorded root from the next can state anything where no recording was: between two roots
whose middle one is missing, and beyond the first and the last, where bends still reach.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ostinato.models.controls import FRAME
from ostinato.models.steered import SteeredNetwork
from ostinato.models.tone import Tone
from ostinato.models.training.notes import Note

NARROWEST: Final = 0.5  # semitones: pitches nearer than this leave no gap
BEYOND: Final = 3.0  # semitones past the first and the last
SHARE: Final = 4  # one hop in so many is moved into a gap


@dataclass(frozen=True)
class GapHops:
    """Control frames of hops in gaps, of those on either side, and how far each is from the lower to the upper."""

    inside: Tensor  # float32 [N, len(FRAME)]
    below: Tensor  # float32 [N, len(FRAME)]
    above: Tensor  # float32 [N, len(FRAME)]
    way: Tensor  # float32 [N], 0..1


class Gaps:
    """Where each instrument's recorded pitches leave room."""

    def __init__(self, notes: Sequence[Note]) -> None:
        rows: list[tuple[int, float, float, float, float]] = []  # instrument, first, last, edges
        for instrument in sorted({note.instrument for note in notes}):
            pitches = np.unique([note.pitch for note in notes if note.instrument == instrument])
            low, high = float(pitches[0]), float(pitches[-1])
            rows += [(instrument, low - BEYOND, low, low, low), (instrument, high, high + BEYOND, high, high)]
            wide = np.flatnonzero(np.diff(pitches) > NARROWEST)
            rows += [(instrument, *(2 * (float(pitches[i]), float(pitches[i + 1])))) for i in wide]
        self.rows = np.array(rows, dtype=np.float32)  # [gaps, 5]

    def fill(self, frames: Tensor, rng: np.random.Generator) -> GapHops:
        """Move some hops [N, len(FRAME)] into gaps, the wider the likelier: [N / SHARE, len(FRAME)] each."""
        count = max(len(frames) // SHARE, 1)
        width = self.rows[:, 2] - self.rows[:, 1]
        chosen = self.rows[rng.choice(len(self.rows), size=count, p=width / width.sum())]
        way = rng.random(count, dtype=np.float32)
        inside = chosen[:, 1] + way * (chosen[:, 2] - chosen[:, 1])

        def at(pitch: NDArray[np.float32]) -> Tensor:
            moved = frames[:count].clone()
            moved[:, FRAME.index("note")] = torch.from_numpy(pitch).to(frames.device)
            moved[:, FRAME.index("instrument")] = torch.from_numpy(chosen[:, 0]).to(frames.device)
            return moved

        return GapHops(at(inside), at(chosen[:, 3]), at(chosen[:, 4]), torch.from_numpy(way).to(frames.device))


def gap_distance(network: SteeredNetwork, gaps: GapHops) -> Tensor:
    """How far what is stated in gaps is from the line between what is stated on either side, which is not moved.

    Phases do not blend; there the nearer side's hold.
    """
    with torch.no_grad():
        (below, before), (above, behind) = stated(network, gaps.below), stated(network, gaps.above)
    inside, condition = stated(network, gaps.inside)
    way = gaps.way[:, None]
    phases = torch.where(way < 0.5, below.phases, above.phases)
    return (
        (inside.log_levels - torch.lerp(below.log_levels, above.log_levels, way)).abs().mean()
        + (1 - torch.cos(inside.phases - phases)).mean()
        + (inside.log_scale - torch.lerp(below.log_scale, above.log_scale, gaps.way)).abs().mean()
        + (condition - torch.lerp(before, behind, way)).abs().mean()
    )


def stated(network: SteeredNetwork, frames: Tensor) -> tuple[Tone, Tensor]:
    """The tone and the layers' condition of control frames [N, len(FRAME)], of a network that has both."""
    steering = network.steer(frames)
    assert steering.tone is not None
    assert steering.condition is not None
    return steering.tone, steering.condition
