import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.latency import Monitor
from ostinato.server.latency_report import EngineReport, StepFigures
from ostinato.server.mailbox import Delivered
from ostinato.server.measurements import Spread, Step, budget_us
from ostinato.server.misses import Miss
from ostinato.server.performance import Applied
from ostinato.server.playhead import Playhead
from ostinato.server.reading import Reading
from ostinato.server.session_latency import SECONDS, SPREAD_SECONDS, SessionLatency, SessionReading

RATE = 44100
ROUGHLY = 0.01  # what a histogram keeps


def standing(latency: SessionLatency | None = None, **fields: Any) -> SessionReading:  # noqa: ANN401
    latency = latency or SessionLatency("s", 0.0, RATE)
    usual = {"session_id": "s", "model": "a", "mode": "live", "running": True, "clock_s": 1.0, "voices": 1}
    return SessionReading(**{**usual, "lead_ms": 100.0, "underruns": 0, "noticed": latency.read(), **fields})


def read(monitor: Monitor, now: float, *sessions: SessionReading, cpu_s: float = 0.0) -> EngineReport:
    monitor.second(now, [])
    return monitor.read(now, cpu_s, sessions).report.engine


def delivered(latency: SessionLatency, playhead: Playhead, ready: float, taken: float, sent: float) -> tuple[Miss, ...]:
    dry_at = playhead.deliver(RATE // 50, sent)
    return latency.delivered(Delivered(RATE // 50, ready, taken, sent), playhead, dry_at)


def test_the_budget_is_one_samples_time() -> None:
    assert budget_us(44100) == 22.676


def test_a_spread_is_of_what_was_really_measured() -> None:
    assert Spread.of([]) == Spread()
    assert Spread.of(range(1000), scale=2.0) == Spread(p50=998, p99=1978, most=1998, count=1000)


def test_a_step_is_held_against_the_budget_and_shared_among_streams() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    monitor.stepped("a", Step(0.5, seconds=0.01, samples=1000, streams=4), {"s": 4})
    monitor.block(0.5, "a", 1, 4, 16, seconds=0.012, due=0.6)
    report = read(monitor, 1.0)
    model = report.models["a"]
    told = (model.step_us.p50, model.us_per_sample.p50, model.rtf.p50, report.block_ms.p50)
    assert told == pytest.approx((10.0, 2.5, 0.441, 12.0), rel=ROUGHLY)
    assert (model.batch, report.busy) == (4, 0.01)
    later = read(monitor, 2.0)
    assert (later.busy, later.models["a"].batch) == (0.0, 0)


def test_models_are_told_apart_each_by_its_own_rate() -> None:
    monitor = Monitor(0.0, {"a": 44100, "b": 22050, "unused": 44100})
    for _ in range(50):
        monitor.stepped("a", Step(0.5, seconds=0.01, samples=1000, streams=1), {})
        monitor.stepped("b", Step(0.5, seconds=0.1, samples=1000, streams=1), {})
    models = read(monitor, 1.0).models
    assert [m.step_us.p99 for m in models.values()] == [
        pytest.approx(10.0, rel=ROUGHLY),
        pytest.approx(100.0, rel=ROUGHLY),
        None,
    ]
    assert models["b"].rtf.p50 == pytest.approx(2.205, rel=ROUGHLY)


def test_what_sessions_put_aside_becomes_their_models_and_their_own() -> None:
    monitor, latency, playhead = Monitor(0.0, {"a": RATE}), SessionLatency("s", 0.5, RATE), Playhead(RATE)
    delivered(latency, playhead, 1.0, 1.001, 1.003)
    delivered(latency, playhead, 1.01, 1.011, 1.016)
    monitor.second(2.0, [("a", latency)])
    reading = monitor.read(2.0, 0.0, (standing(latency),))
    report = reading.report
    (own,) = report.sessions
    for told in (report.engine, report.engine.models["a"], own):
        assert told.wait_ms.p99 == pytest.approx(1.0, rel=ROUGHLY)
        assert told.send_ms.p99 == pytest.approx(5.0, rel=ROUGHLY)
        assert told.delivered_lead_ms.p99 == pytest.approx(27.0, rel=ROUGHLY)
        assert told.wait_ms.count == told.send_ms.count == told.delivered_lead_ms.count == 2
    assert report.engine.ttfa_ms.p50 == pytest.approx(503.0, rel=ROUGHLY)
    (second,) = latency.seconds
    assert (second.at, second.blocks) == (2.0, 2)
    assert (second.wait_s, second.send_s, second.lead_s) == pytest.approx((0.001, 0.005, 0.02))


@given(st.lists(st.lists(st.tuples(*[st.floats(0.0, 1.0)] * 3), max_size=5), max_size=6))
def test_each_session_knows_the_worst_of_its_own_second(sessions: list[list[tuple[float, float, float]]]) -> None:
    monitor = Monitor(0.0, {"a": RATE})
    latencies = [SessionLatency(str(number), 0.0, RATE) for number in range(len(sessions))]
    for latency, blocks in zip(latencies, sessions, strict=True):
        for block in blocks:
            latency._fresh.extend(block)
    monitor.second(1.0, [("a", latency) for latency in latencies])
    for latency, blocks in zip(latencies, sessions, strict=True):
        (second,) = latency.seconds
        waits, sends, leads = zip(*blocks, strict=True) if blocks else ((), (), ())
        assert second.blocks == len(blocks)
        assert second.wait_s == max(waits, default=None)
        assert second.send_s == max(sends, default=None)
        assert second.lead_s == min(leads, default=None)
    assert read(monitor, 1.0).wait_ms.count == sum(map(len, sessions))


def test_a_fast_session_has_no_lead_and_misses_nothing() -> None:
    monitor, latency, playhead = Monitor(0.0, {"a": RATE}), SessionLatency("s", 0.5, RATE, live=False), Playhead(RATE)
    latency.reported(7)
    for number in range(5):
        assert latency.delivered(Delivered(64, 1.0 + number, 2.0 + number, 2.5 + number), playhead, None) == ()
    monitor.second(2.0, [("a", latency)])
    report = monitor.read(2.0, 0.0, (standing(latency, mode="fast"),)).report
    assert (report.engine.wait_ms.count, report.engine.delivered_lead_ms.count) == (5, 0)
    assert report.sessions[0].delivered_lead_ms == Spread()
    assert (latency.seconds[0].lead_s, latency.ttfa_ms) == (None, 2000.0)


def test_the_engine_tells_how_its_listeners_stand() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    waiting = [
        standing(mode="fast", lead_ms=0.0),
        standing(running=False, lead_ms=0.0),
        standing(clock_s=0.0, lead_ms=0.0),
    ]
    listening = [standing(lead_ms=lead, voices=2) for lead in (150.0, 20.0, 90.0)]
    report = read(monitor, 1.0, *waiting, *listening)
    assert (report.lead_ms.least, report.lead_ms.p50, report.lead_ms.most) == (20.0, 90.0, 150.0)
    assert report.streams == 9
    assert read(monitor, 2.0).lead_ms.least is None


def test_misses_are_counted_by_cause_and_those_of_the_last_minute_kept() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    monitor.missed(Miss("s", 1.0, "compute", 0.5))
    monitor.missed(Miss("t", 50.0, "client", None, 3))
    report = read(monitor, 51.0)
    assert report.misses == {"compute": 1, "event_loop": 0, "network": 0, "client": 3}
    assert report.underruns == 1  # what the server saw
    assert [m.session_id for m in monitor.read(62.0, 0.0, ()).misses] == ["t"]
    assert read(monitor, 200.0).misses["compute"] == 1
    assert [m.session_id for m in monitor.fresh_misses()] == ["s", "t"]
    assert monitor.fresh_misses() == []


def test_waking_late_is_told_from_the_time_that_was_set_or_the_signal_that_came() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    monitor.rested(1.0, 1.5, 1.502, None)
    monitor.rested(2.0, 9.0, 2.505, signalled_at=2.5)
    monitor.rested(3.0, 9.0, 3.001, signalled_at=0.5)  # it had been woken before it slept
    report = read(monitor, 4.0)
    assert report.wakeup_ms.p99 == pytest.approx(2.0, rel=ROUGHLY)
    assert report.wakeup_ms.count == 1
    assert report.signal_ms.p99 == pytest.approx(5.0, rel=ROUGHLY)
    assert report.signal_ms.p50 == pytest.approx(1.0, rel=ROUGHLY)
    assert report.awake == pytest.approx((4.0 - 0.502 - 0.505 - 0.001) / 4.0, abs=1e-4)


def test_the_monitor_tells_its_share_of_the_engines_processor_time() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    assert read(monitor, 1.0).monitor_share is None
    with monitor.reporting():
        sum(range(200_000))
    share = read(monitor, 2.0, cpu_s=2.0).monitor_share
    assert share is not None
    assert share == pytest.approx(monitor._spent_s / 2.0, abs=1e-5)
    assert share > 0.0
    monitor.begin(3.0, cpu_s=2.0)
    assert read(monitor, 4.0, cpu_s=3.0).monitor_share == pytest.approx(0.0, abs=1e-5)


def test_a_session_that_ended_is_kept_for_a_minute() -> None:
    monitor, latency, playhead = Monitor(0.0, {"a": RATE}), SessionLatency("s", 0.0, RATE), Playhead(RATE)
    delivered(latency, playhead, 1.0, 1.0, 1.25)
    monitor.closed(2.0, "s", "a", latency)
    assert read(monitor, 3.0).send_ms.count == 1  # nothing is lost of its last second
    (ended,) = monitor.read(61.0, 0.0, ()).ended
    assert (ended.session_id, ended.noticed.seconds[-1].blocks) == ("s", 1)
    assert monitor.read(63.0, 0.0, ()).ended == ()


def test_nothing_that_a_session_keeps_grows_for_ever() -> None:
    latency, playhead, monitor = SessionLatency("s", 0.0, RATE), Playhead(RATE), Monitor(0.0, {"a": RATE})
    for second in range(3 * SECONDS):
        for number in range(50):
            latency.asked(f"{second}.{number}", float(second))
            latency.applied([Applied(f"{second}.{number}", playhead.sent)])
            delivered(latency, playhead, second, second, second + number / 50)
        monitor.second(float(second), [("a", latency)])
    assert (len(latency.seconds), len(latency.deliveries)) == (SECONDS, SPREAD_SECONDS)
    assert (len(latency.controls), len(latency._asked), len(latency._fresh)) == (256, 0, 0)
    for number in range(10_000):
        latency.asked(f"never {number}", 0.0)
    assert len(latency._asked) <= 1024


def test_an_event_is_heard_when_the_playhead_comes_to_its_sample() -> None:
    latency, playhead = SessionLatency("s", 0.0, RATE), Playhead(RATE)
    delivered(latency, playhead, 1.0, 1.0, 1.0)
    latency.asked("e", 1.001)
    latency.applied([Applied("e", RATE // 50)])  # the first sample of the next block
    delivered(latency, playhead, 1.01, 1.01, 1.01)
    assert latency.take().controls == pytest.approx([0.019])


def test_an_event_whose_sample_comes_late_is_heard_no_sooner_than_it_is_sent() -> None:
    latency, playhead = SessionLatency("s", 0.0, RATE), Playhead(RATE)
    delivered(latency, playhead, 1.0, 1.0, 1.0)
    latency.asked("e", 1.001)
    latency.applied([Applied("e", RATE // 50)])
    delivered(latency, playhead, 1.5, 1.5, 1.5)
    assert latency.take().controls == pytest.approx([0.499])


def test_an_event_for_later_or_across_a_pause_tells_nothing_of_latency() -> None:
    latency, playhead = SessionLatency("s", 0.0, RATE), Playhead(RATE)
    latency.applied([Applied("at_sample", 0)])
    latency.asked("paused", 1.0)
    latency.paused()
    latency.applied([Applied("paused", 0)])
    delivered(latency, playhead, 1.0, 1.0, 1.0)
    assert latency.take().controls == []


def test_a_slow_block_in_a_second_of_quick_ones_is_not_hidden() -> None:
    latency = SessionLatency("s", 0.0, RATE)
    for _ in range(9):
        latency.steps.append((Step(0.5, seconds=0.01, samples=1000, streams=1), {"s": 1}))
    latency.steps.append((Step(0.9, seconds=0.31, samples=1000, streams=2), {"s": 1, "t": 1}))
    latency.end_second()
    second = latency.second
    assert second.rtf == pytest.approx(0.4 / (10_000 / RATE))  # all the work over all the audio
    assert second.us_per_sample == pytest.approx(0.4e6 / 11_000, rel=1e-4)
    assert (second.step_us_p50, second.step_us_p99, second.batch) == (10.0, 310.0, 2)


def test_each_second_is_told_of_alone_and_one_without_a_step_has_no_figures() -> None:
    monitor, latency = Monitor(0.0, {"a": RATE}), SessionLatency("s", 0.0, RATE)
    latency.steps = monitor.steps("a")
    monitor.stepped("a", Step(0.5, seconds=0.5, samples=1000, streams=8), {"s": 8})
    monitor.second(1.0, [("a", latency)])
    monitor.stepped("a", Step(1.5, seconds=0.01, samples=1000, streams=1), {"s": 1})
    monitor.second(2.0, [("a", latency)])
    assert (latency.second.rtf, latency.second.step_us_p99) == (0.441, 10.0)
    monitor.second(3.0, [("a", latency)])
    assert latency.second == StepFigures()
    assert latency.second.rtf is None


def test_a_session_is_told_of_the_steps_that_drew_its_own_voices() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    one, other, silent = (SessionLatency(name, 0.0, RATE) for name in ("one", "other", "silent"))
    for latency in (one, other, silent):
        latency.steps = monitor.steps("a")
    monitor.stepped("a", Step(0.1, 0.01, 1000, 2), {"one": 1, "other": 1, "silent": 0})
    monitor.stepped("a", Step(0.2, 0.03, 1000, 1), {"one": 1})
    monitor.second(1.0, [("a", latency) for latency in (one, other, silent)])
    assert [s.second.batch for s in (one, other, silent)] == [1, 2, 0]
    assert (one.second.step_us_p99, other.second.step_us_p99) == (30.0, 10.0)


def test_the_first_audio_is_timed_from_when_there_was_something_to_hear() -> None:
    latency, playhead = SessionLatency("s", 1.0, RATE), Playhead(RATE)
    latency.awaits_audio(4.0)
    delivered(latency, playhead, 4.0, 4.0, 4.5)
    assert (latency.ttfa_ms, latency.take().ttfa) == (500.0, 0.5)
    latency.awaits_audio(9.0)
    delivered(latency, playhead, 9.0, 9.0, 9.5)
    assert (latency.ttfa_ms, latency.take().ttfa) == (500.0, None)


def test_the_last_minute_can_be_looked_at_by_the_clock_on_the_wall() -> None:
    monitor, latency, playhead = Monitor(0.0, {"a": RATE}), SessionLatency("s", 0.0, RATE), Playhead(RATE)
    monitor.block(9.5, "a", 1, 1, 14, 0.002, due=9.75)
    monitor.block(9.75, "a", 1, 1, 14, 0.002, due=math.inf)
    delivered(latency, playhead, 9.5, 9.5, 9.5)
    monitor.second(10.0, [("a", latency)])
    monitor.missed(Miss("s", 9.8, "network", 0.25))
    reading: Reading = monitor.read(10.0, 0.0, (standing(latency),))
    told = reading.recent(1.0, monitor.blocks.since(9.0), None)
    assert [round(b.at - told.now, 3) for b in told.blocks] == [-0.5, -0.25]
    assert [b.late_ms for b in told.blocks] == [-250.0, None]
    assert [(m.cause, m.late_ms, round(m.at - told.now, 3)) for m in told.misses] == [("network", 250.0, -0.2)]
    assert [s.blocks for s in told.sessions[0].seconds] == [1]
    assert reading.recent(1.0, (), "another").sessions == ()
    assert reading.recent(0.1, (), None).misses == ()
