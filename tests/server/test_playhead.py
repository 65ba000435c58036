from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.playhead import Playhead


@given(st.lists(st.tuples(st.integers(1, 500), st.integers(0, 1000), st.booleans()), max_size=20), st.integers(0, 300))
def test_its_lead_is_what_is_buffered_after_a_delivery_and_dry_is_since_when_it_had_none(
    deliveries: list[tuple[int, int, bool]], in_hand: int
) -> None:
    playhead, now = Playhead(1000, in_hand), 0.0
    for samples, passed, report in deliveries:
        now += passed / 1000
        if report:
            playhead.report(playhead.sent // 2, now)
        sent, known = playhead.sent, playhead.underruns
        runs_dry = playhead.when(sent)
        dry_at = playhead.deliver(samples, now)
        assert abs(playhead.lead - playhead.buffered(now)) < 1e-9
        assert (dry_at is None) == (playhead.underruns == known)
        assert dry_at is None or dry_at == runs_dry
        assert dry_at is None or dry_at <= now + 1e-9


def test_it_plays_what_it_gets_from_when_it_gets_it() -> None:
    playhead = Playhead(1000)
    assert playhead.position(5.0) == 0.0
    playhead.deliver(200, 10.0)
    assert playhead.position(10.125) == 125.0
    assert playhead.buffered(10.125) == 0.075
    assert playhead.position(11.0) == 200.0  # no further than what was sent


def test_running_dry_is_an_underrun_unless_the_stream_rests() -> None:
    playhead = Playhead(1000)
    playhead.deliver(100, 0.0)
    playhead.deliver(100, 0.0625)
    assert playhead.underruns == 0
    playhead.deliver(100, 0.5)
    assert playhead.underruns == 1
    assert playhead.position(0.5625) == 262.5  # it went on from where it had stopped
    playhead.rest()
    playhead.resume()
    playhead.deliver(100, 9.0)
    assert playhead.underruns == 1
    playhead.deliver(100, 20.0)
    assert playhead.underruns == 2  # only the first delivery is excused


def test_a_block_under_way_when_the_stream_pauses_ends_no_rest() -> None:
    playhead = Playhead(1000)
    playhead.deliver(100, 0.0)
    playhead.rest()
    playhead.deliver(100, 0.0625)
    playhead.deliver(100, 5.0)
    playhead.resume()
    playhead.deliver(100, 9.0)
    assert playhead.underruns == 0


def test_it_waits_until_it_has_a_little_in_hand() -> None:
    playhead = Playhead(1000, in_hand=150)
    playhead.deliver(100, 0.0)
    assert (playhead.position(5.0), playhead.when(50)) == (0.0, None)
    playhead.deliver(100, 5.0)
    assert playhead.position(5.125) == 125.0
    playhead.deliver(100, 6.0)
    assert playhead.underruns == 1
    assert playhead.position(7.0) == 200.0
    playhead.deliver(100, 7.0)
    assert (playhead.position(7.125), playhead.underruns) == (325.0, 1)


def test_a_report_corrects_it_but_never_beyond_what_was_sent_or_the_clock() -> None:
    playhead = Playhead(1000)
    playhead.report(50, 0.0)
    playhead.deliver(1000, 0.0)
    playhead.report(20, 0.125)
    assert playhead.position(0.125) == 20.0
    playhead.report(500, 0.25)
    assert playhead.position(0.25) == 250.0
    playhead.report(10**9, 5.0)
    assert playhead.position(5.0) == 1000.0


def test_it_knows_when_it_will_be_where() -> None:
    playhead = Playhead(1000)
    assert playhead.when(0) is None
    playhead.deliver(100, 2.0)
    assert playhead.when(50) == 2.0 + 50 / 1000
    assert playhead.when(101) is None  # that takes more audio
