"""Whether the engine has time for one more live session, and whether what it draws reaches every listener in time.

Live sessions may take `MOST_SHARE` of real time. A step of n voices costs what was measured; a block costs something
more for each session that it is delivered to, and the shorter the blocks the more of them there are. All live sessions
are drawn in the shortest block that one of them wants, so one with a short lead makes all of them dearer.

And a listener who wants a block of b seconds has its lead less b in hand. Within that a background block may come
first, what notes and joining listeners made late is caught up with, everybody's block is drawn, it waits for the next
departure, and then the event loop has to send it.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from ostinato.server.cost import RunningCost
from ostinato.server.scheduler import longest_background_s

FIRST_COST_S: Final = 0.0001  # a session's share of a block beside its step, before one was delivered
MOST_COST_S: Final = 0.001
MOST_SHARE: Final = 0.92  # of real time that live sessions may take in all; 0.05 is kept for background work
PART_S: Final = 0.001  # of work that comes when it comes: a voice's block that is cut, a listener's first
WAKE_S: Final = 0.002  # that the event loop may take to turn to a block, at least
SEND_S: Final = 0.00015  # and to send one, as long as the engine wants the interpreter too
MOST_DELAY_S: Final = 0.02
SMOOTHING: Final = 0.02  # of a new measurement
FORGET_S: Final = 10.0  # after which a delay that was seen counts a third


@dataclass(frozen=True, slots=True)
class Claim:
    """What one live session asks of the engine."""

    model: str
    voices: int
    block_s: float  # of audio
    lead_s: float


class Overhead:
    """What the engine does beside its steps, as seen, in seconds for each session and usual block. Told the time.

    Where notes cut blocks there are more and shorter ones; so what is counted is how many usual ones they make up.

    Args:
        now: seconds of the engine's performance counter.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._spent_s, self._blocks = FIRST_COST_S, 1.0
        self._awake_since, self._before = now, 0.0

    @property
    def seconds(self) -> float:
        """For one session and one usual block."""
        return min(MOST_COST_S, self._spent_s / self._blocks)

    def idle(self, now: float) -> None:
        """Nobody was there: what was done until now is for no block."""
        self._awake_since, self._before = now, 0.0

    def rested(self, since: float, now: float) -> None:
        """The engine slept; what it did before that is for its next block."""
        self._before += since - self._awake_since
        self._awake_since = now

    def delivered(self, now: float, step_s: float, blocks: float) -> None:
        """Audio of so many usual blocks, of all sessions together, was handed over, its step having taken so long."""
        spent = self._before + now - self._awake_since - step_s
        self._awake_since, self._before = now, 0.0
        spent = min(spent, MOST_COST_S * max(1.0, blocks))  # one bad moment is not how it is
        self._spent_s += SMOOTHING * (spent - self._spent_s)
        self._blocks += SMOOTHING * (blocks - self._blocks)


class Delay:
    """How long a block may take from being drawn to being sent: the longest that was seen, let go of slowly.

    One that comes late once a second is heard once a second, so neither a mean nor a percentile would do. And since
    the longest is not seen at once, it is taken to be no less than what sending to one after the other takes.
    """

    def __init__(self) -> None:
        self._longest_s = self._seen_at = 0.0

    def seen(self, seconds: float, now: float) -> None:
        """A block was sent so long after it was drawn."""
        self._longest_s, self._seen_at = max(min(MOST_DELAY_S, seconds), self._kept_s(now)), now

    def foreseen_s(self, sessions: int, now: float) -> float:
        """Of so many sessions, hardly any one's block takes longer."""
        return max(WAKE_S + sessions * SEND_S, self._kept_s(now))

    def _kept_s(self, now: float) -> float:
        return self._longest_s * math.exp((self._seen_at - now) / FORGET_S)


class Costed(Protocol):
    """Something whose steps cost something."""

    @property
    def cost(self) -> RunningCost:
        """Of its steps."""
        ...


class Capacity:
    """What live sessions may ask of one engine.

    Args:
        pools: with what their steps cost, by model.
        overhead: beside steps.
        delay: of what is drawn.
        departures_s: between two points at which it may be sent; 0 where it is sent as soon as it is drawn.
    """

    def __init__(self, pools: Mapping[str, Costed], overhead: Overhead, delay: Delay, departures_s: float) -> None:
        self._pools, self._overhead, self._delay = pools, overhead, delay
        self._departures_s = departures_s

    def suffices(self, claims: Sequence[Claim], now: float) -> bool:
        """Whether all of these can be live at once."""
        if not claims:
            return True
        block_s = min(claim.block_s for claim in claims)
        rtf = self.steps_rtf(claims, now) + len(claims) * self._overhead.seconds / block_s
        background_s = longest_background_s(min(claim.lead_s for claim in claims))
        if rtf > MOST_SHARE:
            return False
        late_s = background_s + _backlog_s(rtf) + rtf * block_s + self._delay.foreseen_s(len(claims), now)
        return all(late_s + self._departures_s <= claim.lead_s - claim.block_s for claim in claims)

    def steps_rtf(self, claims: Sequence[Claim], now: float) -> float:
        """Seconds of steps per second of audio that these ask for; infinite where it is not known."""
        voices: Counter[str] = Counter()
        for claim in claims:
            voices[claim.model] += claim.voices
        return sum(self._pools[model].cost.rtf(count, now) for model, count in voices.items())


def _backlog_s(rtf: float) -> float:
    """The wait of a queue whose work takes so much of the time: without bound as the time runs out."""
    return PART_S * rtf / (1.0 - rtf)
