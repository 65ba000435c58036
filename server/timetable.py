"""When each block of a live session is due: by its format, its lead and the clock of its listener, by nothing else."""

from __future__ import annotations

from typing import Final

from ostinato.server.departures import point_after
from ostinato.server.playhead import Playhead

START_S: Final = 0.002  # from when a listener begins to wait to its first block: what drawing a short one takes
GATHER_SPEED: Final = 4.0  # times real time at which a listener is sent what it gathers before it plays
FILL_SPEED: Final = 2.0  # and then the rest of its lead
HELD_SHARE: Final = 0.15  # of the lead, which a block is held for at first, or as long as it is if that is less
MOST_HELD_SHARE: Final = 0.4  # of what the listener has in hand when it wants a block, at most
LEFT_S: Final = 0.01  # and it has so much left when the block is due, for what the network and its machine take


class Timetable:
    """Due times of one session, in seconds of one monotonic clock; positions are samples.

    A block is wanted when the listener's position leaves room for it in the lead, and due a little later, by when it
    is drawn. One that was late moves those after it: they are held as long as it took, so that lateness shows once,
    not with each block.

    Args:
        lead: samples.
        in_hand: samples that the listener gathers before it plays.
        block: samples, of its longest blocks.
        sample_rate: Hz.
    """

    def __init__(self, lead: int, in_hand: int, block: int, sample_rate: int) -> None:
        self._lead, self._in_hand, self._rate = lead, in_hand, sample_rate
        spare = max(0, lead - block) / sample_rate
        self._most_held = max(0.0, min(MOST_HELD_SHARE * spare, spare - LEFT_S))
        self._least_held = min(HELD_SHARE * lead / sample_rate, block / sample_rate, self._most_held)
        self._held = self._least_held
        self._from, self._since = 0.0, 0.0

    def gather(self, sample: float, now: float) -> None:
        """The listener has nothing from this sample on, and waits for more."""
        self._from, self._since, self._held = sample, now, self._least_held

    def leaves_at(self, end: int, playhead: Playhead, now: float) -> float:
        """The point of the grid at which what ends at a sample, and is drawn now, is handed over."""
        due = self._first_due(end - self._from)
        wanted = playhead.when(end - self._lead)
        if wanted is not None and wanted + self._held > due:
            late = now - point_after(wanted + self._held)
            if late > 0.0:
                self._held = min(self._most_held, self._held + point_after(late))
            due = wanted + self._held
        return point_after(max(due, now))

    def _first_due(self, samples: float) -> float:
        """When a listener that had nothing gets so many samples."""
        gathered = min(samples, self._in_hand)
        return self._since + START_S + (gathered / GATHER_SPEED + (samples - gathered) / FILL_SPEED) / self._rate
