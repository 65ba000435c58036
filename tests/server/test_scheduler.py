from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.scheduler import BATCH_SHARE, FAST_SHARE, Demand, Plan, Scheduler


def demand(session: str, **fields: Any) -> Demand:  # noqa: ANN401
    values: dict[str, Any] = {"deadline": 1.0, "room": 10, "block": 4, "voices": 1, "live": True, "model": "m"} | fields
    return Demand(session=session, **{"usual": values["block"], **values})


def test_the_listener_who_runs_dry_first_goes_first() -> None:
    demands = [demand("a", deadline=2.0, model="m"), demand("b", deadline=1.0, model="n")]
    assert Scheduler().choose(demands, now=0.0, least_lead_s=0.2) == Plan("n", ("b",), 4, True, 1, 4)


def test_others_of_the_model_that_can_take_three_quarters_ride_along() -> None:
    demands = [demand("a", room=4), demand("b", room=1), demand("c", room=9, block=9), demand("d", model="n")]
    plan = Scheduler().choose(demands, now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("a", "c"), 4)
    plan = Scheduler().choose([demand("a", room=4), demand("b", room=3)], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("a", "b"), 3)


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


def test_those_with_time_in_hand_wait_until_all_want_a_block() -> None:
    ripe, unripe = demand("a", patience=1.0), demand("b", room=1)
    assert Scheduler().choose([ripe, unripe], now=0.5, least_lead_s=0.2) is None
    plan = Scheduler().choose([ripe, unripe], now=1.0, least_lead_s=0.2)
    assert plan is not None
    assert plan.sessions == ("a",)
    plan = Scheduler().choose([ripe, demand("c", room=1, model="n")], now=0.5, least_lead_s=0.2)
    assert plan is not None  # those of another model are drawn by themselves


def test_who_begins_takes_nobody_along_who_is_in_stride_unless_that_would_cost_them_their_time() -> None:
    new, playing = demand("new", usual=20, block=4, room=40, deadline=0.5), demand("old", block=20, room=20)
    scheduler = Scheduler()
    scheduler.charge(Plan("m", ("old",), 20, True, 2), 20 * 0.001)
    plan = scheduler.choose([new, playing], now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert (plan.sessions, plan.hops) == (("new",), 4)
    plan = scheduler.choose([new, demand("old", block=20, room=20, deadline=0.51)], now=0.49, least_lead_s=0.2)
    assert plan is not None
    assert (set(plan.sessions), plan.hops) == ({"new", "old"}, 20)


def test_who_has_no_time_for_the_others_goes_without_those_who_have() -> None:
    scheduler = Scheduler()
    scheduler.charge(Plan("m", ("a", "b"), 4, True, 2), 4 * 0.001)
    demands = [demand("a", deadline=0.003), demand("b", deadline=1.0), demand("c", deadline=0.004)]
    plan = scheduler.choose(demands, now=0.0, least_lead_s=0.2)
    assert plan is not None
    assert plan.sessions == ("a", "c")


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


def test_batch_goes_after_fast_and_takes_what_both_leave() -> None:
    batch, fast = demand("b", live=False, batch=True, deadline=-99.0), demand("f", live=False, deadline=5.0)
    scheduler = Scheduler()
    first = scheduler.choose([batch, fast, demand("a", room=3)], now=0.0, least_lead_s=0.2)
    assert first is not None
    assert (first.sessions, first.batch) == (("f",), False)
    second = scheduler.choose([batch, demand("f", live=False, room=0)], now=0.0, least_lead_s=None)
    assert second is not None
    assert (second.sessions, second.batch) == (("b",), True)


def test_batch_is_never_drawn_in_one_step_with_what_somebody_waits_for() -> None:
    demands = [demand("f", live=False), demand("b", live=False, batch=True), demand("a", room=3)]
    for least_lead_s in (0.2, None):
        plan = Scheduler().choose(demands, now=0.0, least_lead_s=least_lead_s)
        assert plan is not None
        assert plan.sessions == ("f",)


@given(st.booleans(), st.floats(1e-4, 1e-3))
def test_each_class_moves_within_the_share_of_those_above_it(live: bool, cost: float) -> None:
    scheduler, spent, now = Scheduler(), {"l": 0.0, "f": 0.0, "b": 0.0}, 0.0
    while now < 20.0:
        demands = [demand("f", live=False, deadline=now), demand("b", live=False, deadline=now, batch=True)]
        demands += [demand("l", room=14, block=14)] if live else []
        plan = scheduler.choose(demands, now=0.0, least_lead_s=0.2 if live else None)
        assert plan is not None
        seconds = plan.hops * cost
        scheduler.charge(plan, seconds)
        now += seconds
        spent[plan.sessions[0]] += seconds
    background = spent["f"] + spent["b"]
    assert background > 0.9 * (FAST_SHARE if live else 1.0) * now
    assert 0.5 * BATCH_SHARE < spent["b"] / background < 1.5 * BATCH_SHARE
