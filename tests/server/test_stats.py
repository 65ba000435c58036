"""What a listener is told of its own session, by a real server."""

import time

import httpx
import pytest

from ostinato.server.protocol import (
    AudioDone,
    ControlApplied,
    NoteOff,
    NoteOn,
    Pong,
    Stats,
    StreamPause,
    StreamResume,
)
from tests.server.serving import Heard, Listener, Serving, serving, whole

MANY = 24


def played(server: Serving, voices: int, duration_s: float) -> Heard:
    """A live session of so many notes from its beginning to its end."""
    with Listener(server) as listener:
        listener.start(mode="live", voices=voices, duration_s=duration_s)
        listener.say(*(NoteOn(event_id=f"{i}", note=40 + i, voice_id=f"{i}") for i in range(voices)))
        return listener.hear_out()


def told(heard: Heard) -> list[Stats]:
    """The statistics of seconds in which something was drawn."""
    return [s for s in heard.all(Stats) if s.rtf is not None]


def test_statistics_come_once_a_second_and_at_the_end(server: Serving) -> None:
    heard = played(server, 1, 2.6)
    stats = heard.all(Stats)
    assert 3 <= len(stats) <= 4
    assert [type(m) for m in heard.messages[-2:]] == [Stats, AudioDone]
    for second in stats:
        assert second.rtf is not None
        assert second.us_per_sample is not None
        assert second.step_us_p50 is not None
        assert second.step_us_p99 is not None
        assert 0 < second.rtf < 1
        assert second.step_us_p50 <= second.step_us_p99
        assert second.rtf * second.budget_us <= second.step_us_p99 * 1.01  # a mean is no more than the worst
        assert second.rtf * second.budget_us == pytest.approx(second.us_per_sample, rel=0.01)  # one stream
        assert (second.budget_us, second.underruns, second.batch) == (22.676, 0, 1)
    last = stats[-1]
    assert last.ttfa_ms is not None
    assert 0 < last.ttfa_ms < 1000
    assert 0 < last.lead_ms <= 200
    assert last.voices == 1


def test_a_lone_session_is_told_of_its_own_steps_after_a_dense_one(server: Serving) -> None:
    dense, lone = told(played(server, MANY, 1.2)), told(played(server, 1, 1.2))
    assert {s.batch for s in lone} == {1}
    assert max(s.batch for s in dense) == MANY
    for second in lone:
        assert second.rtf is not None
        assert second.us_per_sample == pytest.approx(second.rtf * second.budget_us, rel=0.01)
    for second in dense[1:]:
        assert second.rtf is not None
        assert second.us_per_sample == pytest.approx(second.rtf * second.budget_us / MANY, rel=0.01)
    assert min(s.step_us_p50 or 0.0 for s in dense[1:]) > 2 * max(s.step_us_p50 or 0.0 for s in lone)


@pytest.mark.parametrize("mode", ["live", "fast"])
def test_a_stream_shorter_than_a_second_is_told_of_at_its_end(server: Serving, mode: str) -> None:
    with Listener(server) as listener:
        listener.start(mode=mode, duration_s=0.4).say(NoteOn(event_id="on", note=60))
        heard = listener.hear_out()
    whole(heard)
    assert [type(m) for m in heard.messages[-2:]] == [Stats, AudioDone]
    assert told(heard)
    assert heard.all(Stats)[-1].ttfa_ms is not None


def test_a_second_of_silence_has_no_figures_of_steps(server: Serving) -> None:
    with Listener(server) as listener, Listener(server) as neighbour:
        neighbour.start(mode="live").say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        listener.start(mode="live", duration_s=3.0).say(
            NoteOn(event_id="on", note=60), NoteOff(event_id="off", note=60)
        )
        heard = listener.hear_out()
    last = heard.all(Stats)[-1]
    assert told(heard)
    assert (last.rtf, last.us_per_sample, last.step_us_p50, last.step_us_p99, last.batch) == (None, None, None, None, 0)
    assert last.lead_ms > 0


@pytest.mark.parametrize("paced", [True, False])
def test_steps_that_follow_what_neighbours_play_are_told_to_no_paced_listener(
    paced: bool,
) -> None:
    with serving(models=("default",), engine="speculative", threads=1, paced=paced) as server:
        with Listener(server) as listener:
            listener.start(model="default", duration_s=0.3).say(NoteOn(event_id="on", note=60))
            heard = listener.hear_out()
        whole(heard)
    last = heard.all(Stats)[-1]
    figures = (last.rtf, last.us_per_sample, last.step_us_p50, last.step_us_p99)
    assert all((figure is not None) != paced for figure in figures)
    assert last.batch == 1
    assert last.ttfa_ms is not None


def test_a_pause_is_no_underrun(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="live", duration_s=1.0).say(NoteOn(event_id="on", note=60))
        listener.hear_until(ControlApplied)
        for _ in range(3):  # each pause may find a block under way
            listener.say(StreamPause(), {"type": "ping", "id": "paused"})
            listener.hear_until(Pong)
            time.sleep(0.3)  # longer than the lead: the listener runs dry
            listener.say(StreamResume())
            before = len(listener.heard.frames)
            while len(listener.heard.frames) < before + 3:
                listener.hear_one()
        heard = listener.hear_out()
    assert heard.all(Stats)[-1].underruns == 0


def test_the_monitor_forgets_when_nothing_is_played() -> None:
    with serving() as server:
        played(server, 1, 0.3)
        model = httpx.get(f"{server.url}/v1/latency").json()["engine"]["models"]["tiny"]
        assert model["step_us"]["count"] > 0
        report = server.engine.latency
        time.sleep(1.5)
        assert server.engine.latency is not report
