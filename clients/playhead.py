"""A listener's sound card, simulated: what would have been heard when, and where it would have run dry."""

from __future__ import annotations

import math
from typing import Protocol


class Hearing(Protocol):
    """What a session is told of its listener."""

    @property
    def underruns(self) -> int:
        """How often there was nothing left to play."""
        ...

    def position(self, now: float) -> int:
        """The next sample to be heard."""
        ...

    def buffered_s(self, now: float) -> float:
        """Audio that is there and was not heard yet, seconds."""
        ...


class Playhead:
    """Plays what arrives in real time. It starts, and starts again after running dry, with a little in hand.

    Args:
        sample_rate: Hz.
        in_hand_s: audio that must be there before it plays, seconds.
    """

    def __init__(self, sample_rate: int, in_hand_s: float) -> None:
        self.underruns = 0
        self.least_buffered_s = math.inf  # while playing
        self._sample_rate = sample_rate
        self._in_hand = in_hand_s * sample_rate  # samples
        self._arrived = 0
        self._played = 0  # samples when it last started
        self._since: float | None = None  # when that was; None: it stands

    def position(self, now: float) -> int:
        """The next sample to be heard, never beyond what has arrived."""
        return min(math.floor(self._reach(now)), self._arrived)

    def buffered_s(self, now: float) -> float:
        """Audio that has arrived and was not heard yet, seconds."""
        return (self._arrived - self.position(now)) / self._sample_rate

    def when(self, sample: int) -> float | None:
        """The time at which a sample is heard, or was, since it last started; None where that is still open."""
        if self._since is None or not self._played <= sample < self._arrived:
            return None
        return self._since + (sample - self._played) / self._sample_rate

    def dry(self, now: float) -> bool:
        """Whether it plays, and all that has arrived was heard."""
        return self._since is not None and self._reach(now) >= self._arrived

    def arrive(self, samples: int, now: float) -> None:
        """Take so many more samples."""
        if self._since is not None:
            left = (self._arrived - self._reach(now)) / self._sample_rate
            self.least_buffered_s = min(self.least_buffered_s, left)
            if left < 0.0:
                self.underruns += 1
                self._played, self._since = self._arrived, None
        self._arrived += samples
        if self._since is None and self._arrived - self._played >= self._in_hand:
            self._since = now

    def _reach(self, now: float) -> float:
        """The sample that the clock has come to, whether or not it has arrived."""
        return self._played + (0.0 if self._since is None else (now - self._since) * self._sample_rate)
