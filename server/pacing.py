"""How far a live session may be drawn ahead of its listener, in which blocks, and until when it can wait for one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ostinato.server.playhead import Playhead
from ostinato.server.protocol import SessionStart
from ostinato.server.timetable import Timetable

FIRST_HOPS: Final = 4  # the shortest block worth its overhead: 6 ms at 44.1 kHz
IN_HAND_S: Final = 0.08  # what a listener is taken to gather before it plays, or part of its lead where that is less
LONGEST_S: Final = 0.04  # of a block, unless frames are longer
BLOCK_SHARE: Final = 0.45
"""Of the lead, a block at most. A listener wants its block b with lead - b in hand. Where live blocks of all models
take 0.85 b, a background block of 0.15 of the lead goes before: 0.15 lead + 0.85 b <= lead - b. `capacity.py` looks at
what takes more."""
FRAMES_SHARE: Final = 0.25  # of the lead, several frames at most
PATIENT_SHARE: Final = 0.6  # of the lead, which a listener must have for its block to wait for others'


@dataclass(frozen=True, slots=True)
class Wish:
    """What a live session would be advanced by now."""

    deadline: float  # its listener runs dry
    patience: float  # until then it may wait for others to want a block too
    room: int  # hops it may be advanced by
    block: int  # hops that make a good block; with less room than this it can wait
    usual: int  # hops of its blocks between its beginning and its end
    stuck: bool  # it will want no block before something that it was sent is delivered


class Pacing:
    """Lead and blocks of one live session. Times are seconds of one monotonic clock, clocks samples.

    Args:
        lead_ms: that it may be ahead of what its listener has played.
        frame: hops of a frame, as `frame_hops`.
        hop: samples.
        sample_rate: Hz.
    """

    def __init__(self, lead_ms: float, frame: int, hop: int, sample_rate: int) -> None:
        self._hop, self._rate = hop, sample_rate
        self._lead: Final = max(hop, round(lead_ms / 1000.0 * sample_rate))  # samples
        self._block: Final = block_hops(lead_ms, frame, hop, sample_rate)
        self._waits_since: float | None = None  # for its first audio, or for more after it ran dry
        in_hand = min(round(IN_HAND_S * sample_rate), self._lead // 2)
        self.playhead: Final = Playhead(sample_rate, in_hand)
        self._timetable: Final = Timetable(self._lead, in_hand, self._block * hop, sample_rate)

    @property
    def lead_s(self) -> float:
        """How far it may be ahead, seconds."""
        return self._lead / self._rate

    @property
    def block_s(self) -> float:
        """Seconds of its blocks, where it has time in hand."""
        return self._block * self._hop / self._rate

    def rest(self) -> None:
        """The stream pauses."""
        self.playhead.rest()

    def resume(self, now: float) -> None:
        """The stream goes on."""
        self.playhead.resume()
        self.catch_up(now)

    def catch_up(self, now: float) -> None:
        """Nothing was drawn for a while, which is no lateness: the lead is filled anew from where the listener is."""
        self._waits_since = None
        self._timetable.gather(self.playhead.position(now), now)

    def wish(self, clock: int, left: int, now: float) -> Wish:
        """What it wants, having been drawn up to `clock`, with so many hops left until its end."""
        position = self.playhead.position(now)
        room = int(position + self._lead - clock) // self._hop
        # short at first, so that something is heard soon, then twice as much each time
        block = min(self._block, max(FIRST_HOPS, clock // self._hop))
        stuck = room < block and self.playhead.when(clock + block * self._hop - self._lead) is None
        deadline = self._plays_since(now) + (clock - position) / self._rate
        patience = deadline - PATIENT_SHARE * self.lead_s
        return Wish(deadline, patience, min(room, left), min(block, left), self._block, stuck)

    def _plays_since(self, now: float) -> float:
        """When it plays from its position on: now, or, while it gathers, not long after it began to wait.

        So one who has just come goes before those who have time in hand, and after those who have none.
        """
        if self.playhead.playing:
            self._waits_since = None
            return now
        if self._waits_since is None:
            self._waits_since = now
            self._timetable.gather(self.playhead.position(now), now)
        return self._waits_since + BLOCK_SHARE * self.lead_s

    def leaves_at(self, end: int, now: float) -> float:
        """When what ends at a sample, and was drawn by now, is handed over."""
        return self._timetable.leaves_at(end, self.playhead, now)

    def wakes_at(self, clock: int, left: int, now: float) -> float | None:
        """When it will want a block, or can wait no longer; None where that takes a delivery first."""
        wish = self.wish(clock, left, now)
        if wish.room >= wish.block:
            return max(now, wish.patience)
        return self.playhead.when(clock + wish.block * self._hop - self._lead)


def frame_hops(start: SessionStart, hop: int, sample_rate: int) -> int:
    """Hops of a frame, in the format that a session asks for."""
    return max(1, round(start.format.frame_ms / 1000.0 * sample_rate) // hop)


def block_hops(lead_ms: float, frame: int, hop: int, sample_rate: int) -> int:
    """Hops of a live block: one frame, or several that are `FRAMES_SHARE` of the lead at most.

    No more than `BLOCK_SHARE` of the lead: the rest is what the listener has while the block is drawn.
    """
    most, several = (int(lead_ms / 1000.0 * share * sample_rate) // hop for share in (BLOCK_SHARE, FRAMES_SHARE))
    frames = min(several, round(LONGEST_S * sample_rate) // hop) // frame
    return max(1, min(most, max(1, frames) * frame))
