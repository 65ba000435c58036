"""Where a listener is, as far as a server can know."""

from __future__ import annotations


class Playhead:
    """A listener that plays as soon as it has a little in hand, at first and whenever it ran dry.

    What it reports corrects this. Times are seconds of one monotonic clock. The position never passes what was sent,
    nor what the clock allows.
    """

    def __init__(self, sample_rate: int, in_hand: int = 0) -> None:
        self.sent = 0  # samples handed to the socket
        self.underruns = 0  # times that audio came after the listener had run dry
        self.lead = 0.0  # what was buffered right after the last delivery, s
        self._rate, self._in_hand = sample_rate, in_hand
        self._began: float | None = None  # when the first sample was sent
        self._base, self._since = 0.0, 0.0  # it was at sample `base` at time `since`
        self._playing = False  # and went on from there; else it waits for more
        self._resting = False  # the stream is paused
        self._excused = False  # running dry is no fault: the stream is paused, or nothing was sent since

    @property
    def playing(self) -> bool:
        """Whether it plays, or waits until it has a little in hand."""
        return self._playing

    def position(self, now: float) -> float:
        """The sample that is heard."""
        if not self._playing:
            return self._base
        return min(float(self.sent), self._base + (now - self._since) * self._rate)

    def when(self, sample: float) -> float | None:
        """The time at which the position will be there; None where that takes more audio first."""
        if not self._playing or sample > self.sent:
            return None
        return self._since + (sample - self._base) / self._rate

    def deliver(self, samples: int, now: float) -> float | None:
        """So many more samples were handed to the socket: since when it was dry, where that is an underrun."""
        dry_at, position = None, self.position(now)
        if self._began is None:
            self._began = now
        if self._playing and position >= self.sent:
            if not self._excused:
                self.underruns += 1
                dry_at = self.when(self.sent)
            self._base, self._playing = float(self.sent), False
        self._excused = self._resting  # what was under way when the pause came ends no rest
        self.sent += samples
        self.lead = (self.sent - position) / self._rate
        if not self._playing and self.sent - self._base >= self._in_hand:
            self._since, self._playing = now, True
        return dry_at

    def rest(self) -> None:
        """The stream pauses."""
        self._resting = self._excused = True

    def resume(self) -> None:
        """The stream goes on."""
        self._resting = False

    def go_on_from(self, sample: int, now: float) -> None:
        """The listener comes back and has everything before a sample; it went on playing that as long as it could."""
        position = self.position(now)
        self.sent = sample
        if position >= sample:
            self._base, self._playing = float(sample), False
        self._excused = True

    def report(self, played: int, now: float) -> None:
        """The listener says where it is. Held to what was sent and to the time since the first sample."""
        if self._began is not None:
            self._base = min(float(played), float(self.sent), (now - self._began) * self._rate)
            self._since, self._playing = now, True

    def buffered(self, now: float) -> float:
        """Seconds of audio that the listener has and has not played."""
        return (self.sent - self.position(now)) / self._rate
