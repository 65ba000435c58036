"""Which sessions to advance next, and by how many hops. Pure: the caller brings the time and measures the cost.

Earliest deadline first, a deadline being the moment at which a listener runs dry; live before fast before batch.
Background sessions, fast and batch, take what live ones leave, and are owed a twentieth of the engine's time where
those leave nothing; of what fast ones take, batch is owed a tenth.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

FAST_SHARE: Final = 0.05  # of the engine's time, kept for the background
BATCH_SHARE: Final = 0.1  # of the background's time, kept for batch sessions
FAST_BLOCK_S: Final = 0.005  # what a background block may cost at most while a live session is open
FAST_LEAD_SHARE: Final = 0.15  # and of the least lead, of which live blocks take the rest
SMOOTHING: Final = 0.2  # of a new measurement in the running cost


@dataclass(frozen=True, slots=True)
class Demand:
    """A session that could be advanced."""

    session: str
    model: str
    live: bool
    deadline: float  # live: when its listener runs dry; else when it was last served (s)
    room: int  # hops it may be advanced by at most
    block: int  # hops that make a good block; a live session with less room than this can wait
    voices: int
    patience: float = 0.0  # live: until when it may wait for others to want a block too
    usual: int = 1  # live: hops of its blocks between its beginning and its end
    stuck: bool = False  # live: it wants no block before something that it was sent is delivered
    batch: bool = False  # it goes after those that are live, and those that somebody waits for

    @property
    def in_stride(self) -> bool:
        """Whether it is between its beginning and its end."""
        return self.block >= self.usual


@dataclass(frozen=True, slots=True)
class Plan:
    """Advance these sessions, of one model, together."""

    model: str
    sessions: tuple[str, ...]
    hops: int
    live: bool
    voices: int
    usual: int = 1  # hops of a block that nothing cuts
    batch: bool = False


def longest_background_s(least_lead_s: float) -> float:
    """What a background block may take while a live session with this lead is open."""
    return min(FAST_BLOCK_S, FAST_LEAD_SHARE * least_lead_s)


class Scheduler:
    """Chooses among demands; told afterwards what the choice cost."""

    def __init__(self) -> None:
        self._owed = 0.0  # seconds of the engine that the background is due
        self._batch_owed = 0.0  # and, of the background, batch sessions
        self._hop_costs: dict[str, dict[int, float]] = {}  # seconds of one hop, by model and voices

    def choose(self, demands: Sequence[Demand], *, now: float, least_lead_s: float | None) -> Plan | None:
        """The next block, or None where nobody needs one yet.

        `least_lead_s` is that of the live sessions whose clocks run, each of which may want its turn soon.
        """
        ripe = _due(demands, now)
        background = [d for d in demands if not d.live and d.room > 0]
        if not background:
            self._owed = 0.0
        if background and (not ripe or self._owed >= FAST_BLOCK_S):
            return self._plan_background(self._whose_turn(background), least_lead_s)
        return self._plan_live(demands, min(ripe, key=lambda d: d.deadline), now) if ripe else None

    def charge(self, plan: Plan, seconds: float) -> None:
        """What a plan cost."""
        if plan.live:
            self._owed += seconds * FAST_SHARE
        else:
            self._owed = max(0.0, self._owed - seconds)
            due = -seconds if plan.batch else seconds * BATCH_SHARE
            self._batch_owed = max(0.0, self._batch_owed + due)
        costs, cost = self._hop_costs.setdefault(plan.model, {}), seconds / plan.hops
        known = costs.get(plan.voices, cost)
        costs[plan.voices] = known + SMOOTHING * (cost - known)

    def _plan_live(self, demands: Iterable[Demand], first: Demand, now: float) -> Plan:
        """A block for the most urgent session, and for each live one of its model that can take three quarters of it.

        No longer than the shortest usual block of any live session, so that nobody waits out a neighbour's. Shorter
        where that lets others join: a step of many voices costs less than many steps.
        """
        live = [d for d in demands if d.live]
        peers = [d for d in live if d.model == first.model]
        hops = min(d.usual for d in live)
        if not first.in_stride:
            short = max(1, min(first.block, hops))
            aside = [d for d in peers if not d.in_stride and 4 * d.room >= 3 * short]
            if self._seconds(aside, short) + self._seconds(peers, hops) <= _least_slack(live, now):
                return _together(aside, min(short, *(d.room for d in aside)), hops)
            hops = max(1, min(hops, first.room))
        together = [d for d in peers if d is first or 4 * d.room >= 3 * hops]
        seconds = self._seconds(together, hops)
        if now + seconds > first.deadline:  # it goes without those who have time
            together = [d for d in together if d is first or d.deadline < now + 2 * seconds]
        return _together(together, min(hops, *(d.room for d in together)), min(d.usual for d in live))

    def _seconds(self, demands: Sequence[Demand], hops: int) -> float:
        """What a block of all of these is expected to take."""
        return hops * self._hop_cost(demands[0].model, sum(d.voices for d in demands))

    def _whose_turn(self, background: Sequence[Demand]) -> list[Demand]:
        """The fast sessions, or the batch ones where there is no other or they are due; the longest-waiting first."""
        batch = [d for d in background if d.batch]
        fast = [d for d in background if not d.batch]
        if not batch:
            self._batch_owed = 0.0
        chosen = batch if not fast or self._batch_owed >= FAST_BLOCK_S else fast
        return sorted(chosen, key=lambda d: d.deadline)

    def _plan_background(self, waiting: Sequence[Demand], least_lead_s: float | None) -> Plan:
        """The longest-waiting session and others of its model, together within the budget of a background block."""
        first = waiting[0]
        peers = [d for d in waiting if d.model == first.model]
        if least_lead_s is None:
            return _together(peers, min(min(d.room, d.block) for d in peers), first.block)
        longest_s = longest_background_s(least_lead_s)
        chosen, voices = [first], first.voices
        for demand in peers[1:]:
            if self._hop_cost(first.model, voices + demand.voices) <= longest_s:
                chosen.append(demand)
                voices += demand.voices
        affordable = int(longest_s / max(self._hop_cost(first.model, voices), 1e-9))
        return _together(chosen, max(1, min(affordable, *(min(d.room, d.block) for d in chosen))), first.block)

    def _hop_cost(self, model: str, voices: int) -> float:
        """Seconds of one hop of so many voices, or a bound by what was seen: no line leads from many to a few.

        Fewer cost no more than many; alone they may cost as much, where many share a tile or lie on as many cores.
        """
        costs = self._hop_costs.get(model, {})
        if voices in costs:
            return costs[voices]
        bounds = (c if n >= voices else c * voices / n for n, c in costs.items() if n)
        return min(bounds, default=FAST_BLOCK_S)


def _due(demands: Iterable[Demand], now: float) -> list[Demand]:
    """The live sessions that want a block now: of a model whose live sessions all do, or one can wait no longer.

    A step of many voices costs less than many steps of a few, so those with time in hand wait for the others.
    """
    live = [d for d in demands if d.live]
    ripe = [d for d in live if d.room >= d.block]
    unripe = {d.model for d in live if d.room < d.block and not d.stuck}
    pressed = {d.model for d in ripe if d.patience <= now}
    return [d for d in ripe if d.model not in unripe or d.model in pressed]


def _least_slack(live: Iterable[Demand], now: float) -> float:
    """Seconds until the first of those in stride runs dry."""
    return min((d.deadline for d in live if d.in_stride), default=math.inf) - now


def _together(demands: Sequence[Demand], hops: int, usual: int) -> Plan:
    sessions = tuple(d.session for d in demands)
    first, voices = demands[0], sum(d.voices for d in demands)
    return Plan(first.model, sessions, hops, first.live, voices, usual, first.batch)
