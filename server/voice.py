"""One voice of a session: a note in a slot of the sampler, from its onset to its last sample."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from ostinato.models.controls import Trajectory, VoiceTimeline


@dataclass(slots=True)
class Voice:
    """A note that sounds, or will from its onset on. Its slot is its own until `end`."""

    ordinal: int  # of the session's note.ons
    slot: int
    voice_id: str | None
    timeline: VoiceTimeline
    end: int | None = None  # first sample at which it is no more, a multiple of the hop
    held: bool = False  # let go, but the sustain pedal keeps it
    stolen: bool = False
    own: dict[str, Trajectory] = field(default_factory=dict)  # controls that follow the session's no longer

    @property
    def playing(self) -> bool:
        """Whether its key is still down."""
        return self.timeline.release is None and not self.held and not self.stolen

    def release(self, at: int, life: int) -> None:
        """Let it go at a sample; it ends `life` samples later."""
        if self.timeline.release is None:
            self.held = False
            self.timeline.release = max(at, self.timeline.onset)
            if self.end is None:
                self.end = self.timeline.release + life

    def yield_slot(self, at: int, hop: int) -> int:
        """Give the slot up after one more hop: the sample from which another may have it."""
        last = at + hop
        self.end = last if self.end is None else min(self.end, last)
        self.stolen = True
        return self.end

    def steer(self, name: str, session: Trajectory, at: int, target: float, ramp: int) -> None:
        """Give this voice its own course of a control, from wherever the session's is."""
        self.own.setdefault(name, replace(session)).steer(at, target, ramp)

    def level(self, first: int, frames: int, hop: int, gain: NDArray[np.float64]) -> NDArray[np.float32]:
        """What the voice is multiplied with: float32 [frames * hop].

        `gain` (dB) holds its value at each hop boundary, the one after the block included: float64 [frames + 1].
        Between them the level moves in a straight line, so it has no step; over the voice's last hop it falls to 0.
        """
        ends, within = amplitude(gain), np.arange(hop) / hop
        level = ends[:-1, None] + np.diff(ends)[:, None] * within  # [frames, hop]
        if self.end is not None and first + frames * hop >= self.end:
            level[-1] *= np.arange(hop - 1, -1, -1) / hop
        return level.reshape(-1).astype(np.float32)


def amplitude(gain: NDArray[np.float64]) -> NDArray[np.float64]:
    """Factors of gains in dB, the same wherever a gain stands in its array."""
    return np.asarray(10.0 ** (gain / 20.0))
