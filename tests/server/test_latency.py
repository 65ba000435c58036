import pytest

from ostinato.server.latency import Monitor, SessionLatency, SessionReport, StepFigures, budget_us
from ostinato.server.mailbox import Delivered
from ostinato.server.measurements import Step, StepWindow, Window

RATE = 44100


def session(**fields: object) -> SessionReport:
    usual = {"session_id": "s", "model": "a", "mode": "live", "running": True, "clock_s": 1.0, "voices": 1}
    heard = {"lead_ms": 100.0, "underruns": 0, "reported_underruns": 0, "ttfa_ms": None, "steps": StepFigures()}
    return SessionReport.model_validate({**usual, **heard, **fields})


def test_the_budget_is_one_samples_time() -> None:
    assert budget_us(44100) == 22.676


def test_a_window_looks_back_so_far_and_no_further() -> None:
    window = Window(size=100)
    assert window.spread().p50 is None
    for value in range(1000):
        window.add(value)
    spread = window.spread()
    assert (spread.p50, spread.p99, spread.count) == (949, 998, 100)


def test_a_window_of_time_forgets_what_is_too_old_or_too_much() -> None:
    window = StepWindow(seconds=10.0, size=5)
    steps = [Step(float(at), 0.001, 64, 1) for at in range(8)]
    for step in steps:
        window.add(step)
    assert window.since(8.0) == tuple(steps[3:])
    assert window.since(16.5) == tuple(steps[7:])
    assert window.since(60.0) == ()


def test_a_step_is_held_against_the_budget_and_shared_among_streams() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    monitor.stepped("a", Step(0.5, seconds=0.01, samples=1000, streams=4))
    monitor.block(0.012)
    monitor.delivered(Delivered(64, ready_at=1.0, taken_at=1.25, sent_at=1.5), ttfa_ms=8.0)
    report = monitor.report(1.0, ())
    model = report.models["a"]
    assert (model.step_us.p50, model.us_per_sample.p50, model.rtf.p50, model.batch) == (10.0, 2.5, 0.441, 4)
    assert (report.busy, report.block_ms.p50) == (0.01, 12.0)
    assert (report.wait_ms.p50, report.send_ms.p50, report.ttfa_ms.p50) == (250.0, 250.0, 8.0)
    later = monitor.report(20.0, ())
    assert (later.busy, later.models["a"].rtf.p50, later.models["a"].batch) == (0.0, None, 0)


def test_models_are_told_apart_each_by_its_own_rate() -> None:
    monitor = Monitor(0.0, {"a": 44100, "b": 22050, "unused": 44100})
    for _ in range(50):
        monitor.stepped("a", Step(0.5, seconds=0.01, samples=1000, streams=1))
        monitor.stepped("b", Step(0.5, seconds=0.1, samples=1000, streams=1))
    models = monitor.report(1.0, ()).models
    assert [m.step_us.p99 for m in models.values()] == [10.0, 100.0, None]
    assert [m.rtf.p50 for m in models.values()] == [0.441, 2.205, None]


def test_the_engine_tells_how_its_listeners_stand() -> None:
    monitor = Monitor(0.0, {"a": RATE})
    monitor.closed(underruns=2)
    waiting = [
        session(mode="fast", lead_ms=0.0),
        session(running=False, lead_ms=0.0),
        session(clock_s=0.0, lead_ms=0.0),
    ]
    listening = [session(lead_ms=lead, voices=2, underruns=1) for lead in (150.0, 20.0, 90.0)]
    report = monitor.report(1.0, [*waiting, *listening])
    assert (report.lead_ms.least, report.lead_ms.p50, report.lead_ms.most) == (20.0, 90.0, 150.0)
    assert (report.streams, report.underruns) == (9, 5)
    assert monitor.report(2.0, ()).lead_ms.least is None


def test_a_slow_block_in_a_second_of_quick_ones_is_not_hidden() -> None:
    latency = SessionLatency(0.0, RATE)
    for _ in range(9):
        latency.carried_by(Step(0.5, seconds=0.01, samples=1000, streams=1))
    latency.carried_by(Step(0.9, seconds=0.31, samples=1000, streams=2))
    latency.end_second()
    second = latency.second
    assert second.rtf == pytest.approx(0.4 / (10_000 / RATE))  # all the work over all the audio
    assert second.us_per_sample == pytest.approx(0.4e6 / 11_000, rel=1e-4)
    assert (second.step_us_p50, second.step_us_p99, second.batch) == (10.0, 310.0, 2)


def test_each_second_is_told_of_alone_and_one_without_a_step_has_no_figures() -> None:
    latency = SessionLatency(0.0, RATE)
    latency.carried_by(Step(0.5, seconds=0.5, samples=1000, streams=8))
    latency.end_second()
    latency.carried_by(Step(1.5, seconds=0.01, samples=1000, streams=1))
    latency.end_second()
    assert (latency.second.rtf, latency.second.step_us_p99) == (0.441, 10.0)
    latency.end_second()
    assert latency.second == StepFigures()
    assert latency.second.rtf is None


def test_the_first_audio_is_timed_from_when_there_was_something_to_hear() -> None:
    latency = SessionLatency(since=1.0, sample_rate=RATE)
    latency.awaits_audio(4.0)
    assert latency.first_audio(4.5) == 500.0
    assert latency.first_audio(9.0) is None
    latency.awaits_audio(9.0)
    assert latency.ttfa_ms == 500.0
