from dataclasses import dataclass
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.scheduler import FAST_SHARE, Demand, Plan, Scheduler

HOP_S = 64 / 44100


def demand(session: str, **fields: Any) -> Demand:  # noqa: ANN401
    values: dict[str, Any] = {"deadline": 0.0, "room": 10, "block": 4, "voices": 1, "live": True, "model": "m"} | fields
    return Demand(session=session, **values)


def test_the_listener_who_runs_dry_first_goes_first() -> None:
    demands = [demand("a", deadline=2.0, model="m"), demand("b", deadline=1.0, model="n")]
    assert Scheduler().choose(demands, now=0.0, least_lead_s=0.2) == Plan("n", ("b",), 4, True, 1)


def test_others_of_the_model_that_can_take_half_as_much_ride_along() -> None:
    demands = [demand("a", room=4), demand("b", room=1), demand("c", room=9, block=9), demand("d", model="n")]
    plan = Scheduler().choose(demands, now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("a", "c"), 4)
    plan = Scheduler().choose([demand("a", room=4), demand("b", room=2)], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("a", "b"), 2)


def test_a_block_is_no_longer_than_anybody_can_wait() -> None:
    plan = Scheduler().choose([demand("a", room=20, block=14), demand("b", room=1, block=3)], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("a",), 3)


def test_who_has_enough_can_wait() -> None:
    assert Scheduler().choose([demand("a", room=3, block=4)], now=0.0, least_lead_s=0.2) is None


def test_live_goes_before_fast_and_fast_takes_what_is_left() -> None:
    fast = demand("f", live=False, deadline=-99.0)
    scheduler = Scheduler()
    first = scheduler.choose([fast, demand("a")], now=0.0, least_lead_s=0.2)
    assert first is not None
    assert first.sessions == ("a",)
    second = scheduler.choose([fast, demand("a", room=3)], now=0.0, least_lead_s=0.2)
    assert second is not None
    assert second.sessions == ("f",)
    assert second.hops == 1  # its cost is not known yet


def test_what_many_voices_cost_together_does_not_make_a_few_cheap() -> None:
    """16 voices may lie on as many cores; one of them alone then takes as long."""
    scheduler = Scheduler()
    scheduler.charge(Plan("m", ("a",), 10, True, 16), 10 * 0.001)
    plan = scheduler.choose([demand("f", live=False, room=50, block=50)], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert plan.hops <= 0.005 / 0.001


@given(st.integers(1, 32), st.integers(1, 32), st.floats(1e-5, 1e-2), st.integers(1, 16))
def test_a_fast_block_is_short_while_somebody_listens(seen: int, voices: int, cost: float, tile: int) -> None:
    def hop_s(count: int) -> float:
        return cost * -(-count // tile)

    scheduler = Scheduler()
    scheduler.charge(Plan("m", ("a",), 10, True, seen), 10 * hop_s(seen))
    fast = demand("f", live=False, room=1000, block=1000, voices=voices)
    for _ in range(2):
        plan = scheduler.choose([fast], now=0.0, least_lead_s=0.2)
        assert plan is not None
        scheduler.charge(plan, plan.hops * hop_s(voices))
    plan = scheduler.choose([fast], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert plan.hops == 1 or plan.hops * hop_s(voices) <= 0.005 * (1 + 1e-9)


def test_fast_sessions_take_turns() -> None:
    demands = [demand("f", live=False, deadline=5.0), demand("g", live=False, deadline=4.0, model="n")]
    plan = Scheduler().choose(demands, now=0.0, least_lead_s=None)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("g",), 4)


@dataclass
class Listening:
    """A live listener in simulated time: it plays from its first block on and runs dry at its deadline."""

    lead: int  # hops
    joins: float
    drawn: int = 0
    began: float | None = None
    missed: float = 0.0

    def demand(self, name: str, now: float) -> Demand | None:
        if now < self.joins:
            return None
        played = 0.0 if self.began is None else (now - self.began) / HOP_S
        self.missed = max(self.missed, played - self.drawn)
        left = self.drawn - played
        block = max(1, min(14, self.lead // 2))
        block = min(block, max(4, int(left)))
        return Demand(name, "m", True, now + left * HOP_S, int(self.lead - left), block, 1)


@given(
    st.lists(st.tuples(st.integers(13, 400), st.floats(0, 0.5)), min_size=1, max_size=24),
    st.integers(0, 6),
    st.floats(0.05, 0.75),
    st.floats(0.0, 1.0),
)
def test_no_listener_runs_dry_while_there_is_capacity_and_nothing_starves(
    listeners: list[tuple[int, float]], fast: int, load: float, shared: float
) -> None:
    """A hop of n voices costs a fixed and a proportional part; even each alone, all take `load` of real time."""
    scheduler, now = Scheduler(), 0.0
    live = {f"l{i}": Listening(lead, joins) for i, (lead, joins) in enumerate(listeners)}
    served = {f"f{i}": 0.0 for i in range(fast)}
    fast_hops = dict.fromkeys(served, 0)
    whole = load * HOP_S
    fixed, each = whole * shared / len(live), whole * (1 - shared) / len(live)
    while now < 1.5:
        demands = [d for d in (who.demand(name, now) for name, who in live.items()) if d is not None]
        demands += [Demand(name, "m", False, at, 50, 14, 1) for name, at in served.items()]
        plan = scheduler.choose(demands, now=0.0, least_lead_s=0.2)
        if plan is None:
            now += 0.0005
            continue
        seconds = plan.hops * (fixed + each * plan.voices)
        scheduler.charge(plan, seconds)
        now += seconds
        for name in plan.sessions:
            if name in live:
                listener = live[name]
                listener.began = now if listener.began is None else listener.began
                listener.drawn += plan.hops
            else:
                served[name] = now
                fast_hops[name] += plan.hops
    assert all(listener.missed <= 0 for listener in live.values())
    assert all(listener.drawn * HOP_S > 1.4 - listener.joins for listener in live.values())
    assert all(fast_hops.values())


def test_fast_sessions_keep_their_share_when_live_ones_leave_nothing() -> None:
    scheduler, fast_s, now = Scheduler(), 0.0, 0.0
    while now < 10.0:
        demands = [demand("l", room=14, block=14), demand("f", live=False, deadline=now)]
        plan = scheduler.choose(demands, now=0.0, least_lead_s=0.2)
        assert plan is not None
        seconds = plan.hops * plan.voices * 0.001
        scheduler.charge(plan, seconds)
        now += seconds
        fast_s += 0.0 if plan.live else seconds
    assert fast_s / now > 0.9 * FAST_SHARE
