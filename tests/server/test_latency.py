import pytest

from ostinato.server.latency import Monitor, SessionLatency, Window, budget_us
from ostinato.server.mailbox import Delivered


def test_the_budget_is_one_samples_time() -> None:
    assert budget_us(44100) == 22.676


def test_a_window_looks_back_so_far_and_no_further() -> None:
    window = Window(size=100)
    assert window.spread().p50 is None
    for value in range(1000):
        window.add(value)
    spread = window.spread()
    assert (spread.p50, spread.count) == (949.5, 1000)
    assert spread.p99 == pytest.approx(998.01)


def test_a_step_is_held_against_the_budget_and_shared_among_streams() -> None:
    monitor = Monitor(0.0)
    monitor.stepped(seconds=0.01, samples=1000, streams=4, sample_rate=44100)
    monitor.delivered(Delivered(64, ready_at=1.0, taken_at=1.25, sent_at=1.5), ttfa_ms=8.0)
    report = monitor.report(1.0)
    assert report.step_us.p50 == 10.0
    assert report.us_per_sample.p50 == 2.5
    assert report.rtf.p50 == 0.441
    assert (report.batch, report.busy) == (4, 0.01)
    assert (report.wait_ms.p50, report.send_ms.p50, report.ttfa_ms.p50) == (250.0, 250.0, 8.0)
    assert monitor.report(2.0).busy == 0.0


def test_the_first_audio_is_timed_from_when_there_was_something_to_hear() -> None:
    latency = SessionLatency(since=1.0)
    latency.awaits_audio(4.0)
    assert latency.first_audio(4.5) == 500.0
    assert latency.first_audio(9.0) is None
    latency.awaits_audio(9.0)
    assert latency.ttfa_ms == 500.0
