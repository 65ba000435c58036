from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.mailbox import Delivered
from ostinato.server.misses import MissLedger, cause_of

moments = st.integers(0, 10_000).map(lambda ms: ms / 1000.0)


@st.composite
def late_blocks(draw: st.DrawFn) -> tuple[Delivered, float, float]:
    """A block, when its socket was free, and when its listener had run dry before it was sent."""
    ready, free = draw(moments), draw(moments)
    taken = max(ready, free) + draw(moments)
    sent = taken + draw(moments)
    dry = draw(st.floats(0.0, sent))
    return Delivered(64, ready, taken, sent), free, dry


@given(late_blocks())
def test_a_miss_has_the_cause_that_came_first(
    case: tuple[Delivered, float, float],
) -> None:
    block, free_at, dry_at = case
    cause = cause_of(block, free_at, dry_at)
    stages = {"compute": block.ready_at, "network": free_at, "event_loop": block.taken_at}
    first_late = next((name for name, at in stages.items() if at > dry_at), "network")
    assert cause == first_late


@given(late_blocks())
def test_what_was_ready_in_time_is_no_fault_of_compute(case: tuple[Delivered, float, float]) -> None:
    block, free_at, dry_at = case
    assert (cause_of(block, free_at, dry_at) == "compute") == (block.ready_at > dry_at)


def test_each_cause_in_turn() -> None:
    block = Delivered(64, ready_at=1.0, taken_at=2.0, sent_at=3.0)
    assert cause_of(block, free_at=0.0, dry_at=0.5) == "compute"
    assert cause_of(block, free_at=0.0, dry_at=1.5) == "event_loop"
    assert cause_of(block, free_at=0.0, dry_at=2.5) == "network"
    assert cause_of(block, free_at=1.9, dry_at=1.5) == "network"  # the block before held the socket up


def test_a_miss_tells_how_long_there_was_nothing_to_play() -> None:
    ledger = MissLedger("s")
    (miss,) = ledger.settle(Delivered(64, 1.0, 2.0, 3.0), 0.0, 0.5, 1)
    assert (miss.session_id, miss.at, miss.late_s, miss.times) == ("s", 3.0, 2.5, 1)
    assert ledger.counts == {"compute": 1, "event_loop": 0, "network": 0, "client": 0}


@given(st.lists(st.tuples(st.booleans(), st.integers(0, 30)), max_size=30))
def test_a_listener_is_counted_as_dry_as_often_as_either_side_knows(blocks: list[tuple[bool, int]]) -> None:
    ledger, block = MissLedger("s"), Delivered(64, 1.0, 2.0, 3.0)
    seen = 0
    for number, (dry, reported) in enumerate(blocks, 1):
        ledger.reported = max(ledger.reported, reported)
        misses = ledger.settle(replace(block, sent_at=float(number)), 0.0, 0.5 if dry else None, number)
        seen += dry
        assert ledger.known == sum(ledger.counts.values())
        assert ledger.counts["compute"] == seen
        assert ledger.known <= number + seen  # no report is believed beyond a miss a block
        assert ledger.known >= max(seen, min(ledger.reported, number))
        assert sum(m.times for m in misses) == dry + sum(m.times for m in misses if m.cause == "client")


def test_a_report_that_comes_before_the_block_that_shows_the_same_is_no_second_miss() -> None:
    ledger = MissLedger("s")
    ledger.reported = 1
    assert [m.cause for m in ledger.settle(Delivered(64, 1.0, 2.0, 3.0), 0.0, 0.5, 5)] == ["compute"]
    ledger.reported = 3
    (miss,) = ledger.settle(Delivered(64, 1.0, 2.0, 3.5), 3.0, None, 6)
    assert (miss.cause, miss.times, miss.late_s) == ("client", 2, None)
    assert ledger.settle(Delivered(64, 1.0, 2.0, 4.0), 3.5, None, 7) == ()
