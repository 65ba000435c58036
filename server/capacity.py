"""Whether the engine has time for one more live session: steps by their voices, deliveries by their blocks.

Live sessions may take `LIVE_SHARE` of real time. A step of n voices costs what was measured; a block costs something
more for each session that it is delivered to, and the shorter the blocks the more of them there are. All live
sessions are drawn in the shortest block that one of them wants, so one with a short lead makes all of them dearer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.server.cost import RunningCost

FIRST_DELIVERY_S: Final = 0.0001  # what one session's share of a block is taken to cost before one was delivered
SMOOTHING: Final = 0.02  # of a new measurement
MOST_DELIVERY_S: Final = 0.001


@dataclass(frozen=True, slots=True)
class Claim:
    """What one live session asks of the engine."""

    model: str
    voices: int
    block_s: float  # of audio


class DeliveryCost:
    """Seconds that a block takes for each of its sessions beside the step that draws it, as seen."""

    def __init__(self) -> None:
        self.seconds = FIRST_DELIVERY_S

    def delivered(self, seconds: float, sessions: int) -> None:
        """A block took so long beside its step, for so many sessions."""
        if sessions:
            each = min(MOST_DELIVERY_S, seconds / sessions)
            self.seconds += SMOOTHING * (each - self.seconds)


def live_rtf(claims: Iterable[Claim], costs: Mapping[str, RunningCost], delivery: DeliveryCost, now: float) -> float:
    """Seconds of work per second of audio that these sessions ask for; infinite where it is not known."""
    claims = tuple(claims)
    if not claims:
        return 0.0
    voices: Counter[str] = Counter()
    for claim in claims:
        voices[claim.model] += claim.voices
    steps = sum(costs[model].rtf(count, now) for model, count in voices.items())
    return steps + len(claims) * delivery.seconds / min(claim.block_s for claim in claims)
