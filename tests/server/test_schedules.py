"""Random schedules on a simulated clock: who is let in never runs dry, and nothing starves.

Pacing, scheduler and capacity are the server's own; sampler, sockets and time are arithmetic.
"""

from __future__ import annotations

from collections import deque
from dataclasses import asdict, dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.server.capacity import Capacity, Claim, Delay, Overhead
from ostinato.server.cost import RunningCost, StepCost
from ostinato.server.departures import GRID_S
from ostinato.server.pacing import Pacing
from ostinato.server.scheduler import FAST_SHARE, Demand, Plan, Scheduler

RATE, HOP, FRAME = 44100, 64, 13
HOP_S = HOP / RATE
SECONDS = 2.0
SLOTS = 48


@dataclass(frozen=True)
class Machine:
    """What work takes: of a step of a hop, a part for each model and one for each voice; a part for each delivery."""

    fixed: float  # of real time
    each: float  # of real time, a voice
    delivery_s: float

    def hop_s(self, voices: int) -> float:
        return (self.fixed + self.each * voices) * HOP_S if voices else 0.0

    def cost(self) -> RunningCost:
        return RunningCost(StepCost(tuple((n, self.fixed + self.each * n) for n in range(1, SLOTS + 1))))


@dataclass(frozen=True)
class Model:
    cost: RunningCost


@dataclass(frozen=True)
class Guest:
    """Somebody who comes, plays, rests for a while, and leaves."""

    model: str
    lead_ms: float
    voices: int
    comes: float
    stays: float
    rests: float  # from when on
    rest_s: float


@dataclass
class Seat:
    """A guest that was let in."""

    guest: Guest
    pacing: Pacing
    clock: int = 0
    resting: bool = False
    held: deque[tuple[float, int]] = field(default_factory=deque)  # what was drawn: when it leaves, and samples

    def depart(self, now: float) -> None:
        while self.held and self.held[0][0] <= now:
            at, samples = self.held.popleft()
            self.pacing.playhead.deliver(samples, at)

    @property
    def claim(self) -> Claim:
        return Claim(self.guest.model, self.guest.voices, self.pacing.block_s, self.pacing.lead_s)


@dataclass
class Hall:
    """An engine in which time is what work takes."""

    machine: Machine
    fast: int
    batch: int
    now: float = 0.0
    seats: dict[str, Seat] = field(default_factory=dict)
    underruns: int = 0
    live_s: float = 0.0
    background_s: float = 0.0

    def __post_init__(self) -> None:
        self.scheduler, overhead = Scheduler(), Overhead()
        overhead._spent_s = self.machine.delivery_s
        self.capacity = Capacity(dict.fromkeys("mn", Model(self.machine.cost())), overhead, Delay(), GRID_S)
        self.served = {f"{kind}{i}": 0.0 for kind, many in (("f", self.fast), ("b", self.batch)) for i in range(many)}
        self.longest_wait = 0.0  # of fast sessions

    def let_in(self, name: str, guest: Guest) -> None:
        seat = Seat(guest, Pacing(guest.lead_ms, FRAME, HOP, RATE))
        claims = [other.claim for other in self.seats.values()]
        taken = sum(other.guest.voices for other in self.seats.values() if other.guest.model == guest.model)
        if taken + guest.voices <= SLOTS and self.capacity.suffices([*claims, seat.claim], self.now):
            self.seats[name] = seat
        elif taken + guest.voices <= SLOTS:
            asked = [*claims, seat.claim]
            beside = len(asked) * self.machine.delivery_s / min(claim.block_s for claim in asked)
            roomy = all(claim.lead_s >= 0.15 for claim in asked)
            assert not (roomy and self.capacity.steps_rtf(asked, self.now) + beside < 0.8)  # the door is not shut

    def let_out(self) -> None:
        for name, seat in list(self.seats.items()):
            guest = seat.guest
            if self.now >= guest.comes + guest.stays:
                self.underruns += seat.pacing.playhead.underruns
                del self.seats[name]
            elif not seat.resting and guest.rests <= self.now < guest.rests + guest.rest_s:
                seat.resting = True
                seat.pacing.rest()
            elif seat.resting and self.now >= guest.rests + guest.rest_s:
                seat.resting = False
                seat.pacing.resume(self.now)

    def step(self) -> None:
        demands = []
        for name, seat in self.seats.items():
            seat.depart(self.now)
            if not seat.resting:
                wish = seat.pacing.wish(seat.clock, 10**9, self.now)
                demands.append(Demand(name, seat.guest.model, True, voices=seat.guest.voices, **asdict(wish)))
        for name, at in self.served.items():
            demands.append(Demand(name, "m", False, at, 50, FRAME, 1, batch=name.startswith("b")))
        leads = [seat.pacing.lead_s for seat in self.seats.values() if not seat.resting]
        plan = self.scheduler.choose(demands, now=self.now, least_lead_s=min(leads, default=None))
        if plan is None:
            wakes = [s.pacing.wakes_at(s.clock, 10**9, self.now) for s in self.seats.values() if not s.resting]
            leaves = [seat.held[0][0] for seat in self.seats.values() if seat.held]
            soon = [at for at in wakes if at is not None] + leaves + [self.now + 0.01]
            self.now = max(self.now + 0.0005, min(soon))
        else:
            self.draw(plan)

    def draw(self, plan: Plan) -> None:
        seconds = plan.hops * self.machine.hop_s(plan.voices) + self.machine.delivery_s * len(plan.sessions)
        self.scheduler.charge(plan, seconds)
        self.now += seconds
        self.live_s += seconds if plan.live else 0.0
        self.background_s += 0.0 if plan.live else seconds
        for name in plan.sessions:
            if plan.live:
                seat = self.seats[name]
                seat.clock += plan.hops * HOP
                seat.depart(self.now)
                seat.held.append((seat.pacing.leaves_at(seat.clock, self.now), plan.hops * HOP))
                ahead = (seat.clock - seat.pacing.playhead.position(self.now)) / RATE
                assert ahead <= seat.pacing.lead_s + 1e-9
            else:
                waited = 0.0 if plan.batch else self.now - self.served[name]
                self.longest_wait = max(self.longest_wait, waited)
                self.served[name] = self.now


machines = st.builds(
    Machine, st.floats(0.0, 0.1), st.floats(0.005, 0.2), st.one_of(st.just(0.0), st.floats(0.0, 0.0003))
)
guests = st.builds(
    Guest,
    model=st.sampled_from("mn"),
    lead_ms=st.one_of(st.just(20.0), st.floats(20.0, 60.0), st.floats(20.0, 1000.0), st.just(200.0)),
    voices=st.integers(1, 4),
    comes=st.floats(0.0, 0.7),
    stays=st.floats(0.3, SECONDS),
    rests=st.floats(0.0, SECONDS),
    rest_s=st.one_of(st.just(0.0), st.floats(0.0, 0.5)),
)


@settings(max_examples=500)
@given(machines, st.lists(guests, min_size=1, max_size=40), st.integers(0, 5), st.integers(0, 4))
def test_nobody_who_is_let_in_runs_dry_and_nothing_starves(
    machine: Machine, coming: list[Guest], fast: int, batch: int
) -> None:
    hall, arrivals = Hall(machine, fast, batch), sorted(coming, key=lambda guest: guest.comes)
    while hall.now < SECONDS:
        while arrivals and arrivals[0].comes <= hall.now:
            hall.let_in(f"l{len(arrivals)}", arrivals.pop(0))
        hall.let_out()
        hall.step()
    for seat in hall.seats.values():
        hall.underruns += seat.pacing.playhead.underruns
    assert hall.underruns == 0
    if fast:
        assert hall.longest_wait < 0.5
    if fast or batch:
        moved = {name for name, at in hall.served.items() if at > 0.0}
        assert moved >= {name for name in hall.served if not fast or name.startswith("f")}
        assert hall.background_s >= 0.9 * FAST_SHARE * hall.live_s - 0.01
