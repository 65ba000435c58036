"""A dropped listener comes back and has the stream that it would have had."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.client import ClientProtocol
from websockets.protocol import State
from websockets.uri import parse_uri

from ostinato.server.protocol import (
    AudioStart,
    ClientMessage,
    ControlApplied,
    ControlUpdate,
    Error,
    Event,
    NoteOff,
    NoteOn,
    Ping,
    PlaybackReport,
    Pong,
    QueueUpdate,
    Resume,
    SessionCreated,
    SessionEnd,
    SessionStart,
    StreamPause,
    StreamResume,
)
from ostinato.server.resume import ResumeTokens
from ostinato.server.sent import SentAudio
from tests.server.serving import Listener, Serving, eventually, serving

RATE = 44100
MELODY: Sequence[Event] = (
    NoteOn(event_id="a", note=60, voice_id="a", at_sample=0),
    NoteOn(event_id="b", note=67, voice_id="b", at_sample=5000),
    ControlUpdate(event_id="c", params={"bend": 80.0, "gain": -6.0}, ramp_ms=200, at_sample=7000),
    NoteOff(event_id="d", voice_id="a", at_sample=12000),
    NoteOn(event_id="e", note=72, at_sample=13000),
    NoteOn(event_id="f", note=75, at_sample=20000),  # steals
)


class Traveller:
    """A listener that loses its connection again and again, and keeps what it heard."""

    def __init__(self, server: Serving, key: str = "", **fields: Any) -> None:  # noqa: ANN401
        self.server, self.pcm = server, b""
        headers = {"Authorization": f"Bearer {key}"} if key else None
        self.fields = {"voices": 3, "mode": "live", "lead_ms": 100.0, "duration_s": 0.8, "seed": 7, **fields}
        self.listener = Listener(server, additional_headers=headers).start(**self.fields)
        self.listener.say(StreamPause(), *MELODY, StreamResume())
        self.created = self.listener.hear_until(SessionCreated)

    @property
    def samples(self) -> int:
        return len(self.pcm) // 2 + len(self.listener.heard.pcm) // 2

    def hear(self, samples: int) -> None:
        """Everything up to a sample at least."""
        while self.samples < samples:
            self.listener.hear_one()

    def lose(self) -> None:
        """The connection breaks without a word."""
        self.pcm += self.listener.heard.pcm
        self.listener.socket.socket.shutdown(socket.SHUT_RDWR)
        self.listener.__exit__()

    def return_(
        self, token: str | None = None, next_sample: int | None = None, key: str = "", mode: str | None = None
    ) -> None:
        headers = {"Authorization": f"Bearer {key}"} if key else None
        self.listener = Listener(self.server, additional_headers=headers)
        wanted = {
            "token": token or self.created.resume_token,
            "next_sample": len(self.pcm) // 2 if next_sample is None else next_sample,
        }
        mode = mode or self.fields["mode"]
        self.listener.say({"type": "session.start", "model": "tiny", "mode": mode, "resume": wanted})

    def hear_created(self) -> None:
        self.created = self.listener.hear_until(SessionCreated)

    def out(self) -> bytes:
        heard = self.listener.hear_out()
        self.listener.__exit__()
        assert heard.close_code == 1000
        assert [f.sequence for f in heard.frames] == list(range(len(heard.frames)))
        return self.pcm + heard.pcm


@pytest.fixture(scope="module")
def uninterrupted(server: Serving) -> bytes:
    return Traveller(server, mode="fast").out()


@pytest.mark.parametrize("mode", ["live", "fast"])
@pytest.mark.parametrize("at", [1, 3000, 12100, 20050])
def test_the_joined_audio_is_that_of_an_uninterrupted_run(
    server: Serving, uninterrupted: bytes, at: int, mode: str
) -> None:
    traveller = Traveller(server, mode=mode)
    traveller.hear(at)
    traveller.lose()
    assert server.settled()  # its slots are free while it is away
    traveller.return_()
    traveller.hear_created()
    start = traveller.listener.hear_until(AudioStart)
    assert start.sample == len(traveller.pcm) // 2
    assert traveller.out() == uninterrupted
    assert server.settled()


def test_twice_in_a_row_and_in_the_middle_of_a_frame(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    for at in (4000, 16000):
        traveller.hear(at)
        traveller.lose()
        traveller.pcm = traveller.pcm[: 2 * (at - 777)]
        traveller.return_()
        traveller.hear_created()
    assert traveller.out() == uninterrupted


def test_the_state_of_every_voice_moves_to_whichever_slots_are_free(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    traveller.hear(15000)
    traveller.lose()
    assert server.settled()
    with Listener(server).start(voices=5).say(NoteOn(event_id="on", note=50)) as other:
        other.hear_until(ControlApplied)
        traveller.return_()
        assert traveller.out() == uninterrupted


def test_a_new_socket_takes_over_one_that_is_half_open(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    traveller.hear(9000)
    half_open, traveller.pcm = traveller.listener, traveller.listener.heard.pcm
    traveller.return_()
    traveller.hear_created()
    assert traveller.out() == uninterrupted
    assert half_open.hear_out().close_code == 1001
    half_open.__exit__()


def test_the_former_token_holds_until_the_first_word_under_the_new_one(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    traveller.hear(4000)
    traveller.lose()
    for _ in range(3):  # session.created is lost each time
        traveller.return_()
        assert eventually(lambda: server.engine._sessions)
        traveller.listener.socket.socket.shutdown(socket.SHUT_RDWR)
        traveller.listener.__exit__()
        assert server.settled()
    first = traveller.created.resume_token
    traveller.return_()
    traveller.hear_created()
    traveller.listener.say(Ping())
    traveller.listener.hear_until(Pong)
    traveller.lose()
    traveller.return_(token=first)
    refused = traveller.listener.hear_out()
    assert (refused.one(Error).error.code, refused.close_code) == ("resume_refused", 4409)
    traveller.listener.__exit__()
    traveller.return_()
    assert traveller.out() == uninterrupted


def say_and_fall_silent(server: Serving, *messages: ClientMessage) -> socket.socket:
    """Open a socket, say something, and answer nothing any more: no close frame either."""
    protocol = ClientProtocol(parse_uri(server.stream_url))
    link = socket.create_connection(("127.0.0.1", server.port))
    protocol.send_request(protocol.connect())
    link.sendall(b"".join(protocol.data_to_send()))
    while protocol.state is not State.OPEN:
        protocol.receive_data(link.recv(4096))
    for message in messages:
        protocol.send_text(message.to_json().encode())
    link.sendall(b"".join(protocol.data_to_send()))
    return link


def test_the_end_is_told_again_to_one_who_lost_it(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    traveller.hear(3000)
    traveller.lose()
    assert server.settled()
    resume = Resume(token=str(traveller.created.resume_token), next_sample=len(traveller.pcm) // 2)
    link = say_and_fall_silent(server, SessionStart(model="tiny", resume=resume))
    assert eventually(lambda: server.engine._sessions)
    assert eventually(lambda: not server.engine._sessions)  # it is whole, and nobody has read that
    traveller.return_()
    traveller.hear_created()
    assert traveller.out() == uninterrupted
    link.close()


def test_events_that_were_not_answered_are_sent_again_and_applied_once(server: Serving, uninterrupted: bytes) -> None:
    traveller = Traveller(server)
    traveller.hear(8000)
    traveller.lose()
    traveller.return_()
    traveller.hear_created()
    traveller.listener.say(*MELODY)
    answered: dict[str, int] = {}
    while len(answered) < len(MELODY):
        message = traveller.listener.hear_one()
        if isinstance(message, ControlApplied):
            assert answered.setdefault(message.event_id, message.sample) == message.sample
    assert answered["a"] == 0
    assert traveller.out() == uninterrupted


def test_a_full_server_lets_back_in_before_anybody_new(uninterrupted: bytes) -> None:
    with serving(queue=4, slots=4) as server:
        traveller = Traveller(server)
        traveller.hear(6000)
        traveller.lose()
        assert server.settled()
        with Listener(server).start(voices=4, mode="fast") as full, Listener(server) as new:
            full.hear_until(SessionCreated)
            new.start(voices=4, mode="fast").hear_until(QueueUpdate)
            traveller.return_()
            assert traveller.listener.hear_until(QueueUpdate).position == 1
            assert new.hear_until(QueueUpdate).position == 2
            full.say(SessionEnd())
            full.hear_out()
            traveller.hear_created()
            assert traveller.out() == uninterrupted
            new.hear_until(SessionCreated)


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"token": "x" * 32}, "resume.token"),
        ({"next_sample": 10**9}, "resume.next_sample"),
    ],
)
def test_a_wrong_token_or_sample_is_refused_and_costs_the_session_nothing(
    server: Serving, uninterrupted: bytes, change: dict[str, Any], param: str
) -> None:
    traveller = Traveller(server)
    traveller.hear(6000)
    traveller.lose()
    traveller.return_(**change)
    heard = traveller.listener.hear_out()
    assert (heard.one(Error).error.param, heard.close_code) == (param, 4409)
    traveller.listener.__exit__()
    traveller.return_()
    assert traveller.out() == uninterrupted


@pytest.mark.parametrize(("began", "other"), [("live", "fast"), ("fast", "live")])
def test_a_session_is_carried_on_in_its_own_mode_alone(
    server: Serving, uninterrupted: bytes, began: str, other: str
) -> None:
    traveller = Traveller(server, mode=began)
    traveller.hear(6000)
    traveller.lose()
    assert server.settled()
    traveller.return_(mode=other)
    heard = traveller.listener.hear_out()
    error = heard.one(Error).error
    assert (error.code, error.param, heard.close_code) == ("resume_refused", "mode", 4409)
    assert repr(began) in error.message
    assert repr(other) in error.message
    traveller.listener.__exit__()
    traveller.return_()
    assert traveller.out() == uninterrupted


def test_what_was_reported_as_played_is_kept_no_longer(server: Serving) -> None:
    traveller = Traveller(server)
    traveller.hear(20000)
    traveller.listener.say(PlaybackReport(played_sample=15000), Ping())
    traveller.listener.hear_until(Pong)
    traveller.lose()
    traveller.return_(next_sample=3000)
    assert traveller.listener.refused().error.param == "resume.next_sample"
    traveller.listener.__exit__()
    traveller.return_()
    traveller.hear_created()
    traveller.listener.say(SessionEnd())
    traveller.out()


def test_who_takes_leave_or_stays_away_is_forgotten() -> None:
    with serving(resume_window_s=0.2) as server:
        for leave in (True, False):
            traveller = Traveller(server, duration_s=60.0)
            traveller.hear(3000)
            if leave:
                traveller.pcm = traveller.listener.heard.pcm
                traveller.listener.socket.close()  # 1000
            else:
                traveller.lose()
                time.sleep(0.25)
            assert eventually(lambda: not server.engine._sessions and not len(server.engine._attendance._kept))
            traveller.return_()
            assert traveller.listener.hear_out().close_code == 4409
            traveller.listener.__exit__()


def test_what_is_kept_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        kept = server.engine._attendance._kept
        monkeypatch.setattr(kept, "_most_bytes", 100_000)
        travellers = [Traveller(server, duration_s=60.0) for _ in range(6)]
        for traveller in travellers:
            traveller.hear(12000)
            traveller.lose()
        assert server.settled()
        assert eventually(lambda: sum(k.nbytes for k in kept) <= 100_000)
        assert 0 < len(kept) < 6
        travellers[0].return_()
        assert travellers[0].listener.hear_out().close_code == 4409  # the one that was kept longest
        travellers[-1].return_()
        travellers[-1].hear_created()
        for traveller in (travellers[0], travellers[-1]):
            traveller.listener.__exit__()


@contextmanager
def _tokens(owner: str) -> Iterator[tuple[ResumeTokens, Callable[[str | None, str], bool]]]:
    tokens = ResumeTokens(owner)
    yield tokens, lambda token, who: token is not None and tokens.hold(token, who)


def test_a_token_is_its_keys_alone_and_holds_until_its_successor_is_confirmed() -> None:
    with _tokens("studio") as (tokens, hold):
        first = str(tokens.newest)
        assert hold(first, "studio")
        assert not hold(first, "another")
        assert not hold("\u00e9", "studio")
        tokens.renew(first)
        second = str(tokens.newest)
        tokens.renew(second)  # the listener had got the second, and loses the third
        assert not hold(first, "studio")
        assert hold(second, "studio")
        tokens.confirm()
        assert not hold(second, "studio")
        assert hold(tokens.newest, "studio")


def test_a_token_of_one_key_opens_nothing_to_another(uninterrupted: bytes) -> None:
    with serving(api_keys="alice:key-of-alice,bob:key-of-bob") as server:
        traveller = Traveller(server, key="key-of-alice")
        traveller.hear(6000)
        traveller.lose()
        refusals = []
        for stolen in (None, "x" * 32):  # the true token tells another's key no more than any other does
            traveller.return_(stolen, key="key-of-bob")
            refused = traveller.listener.hear_out()
            refusals.append((refused.one(Error).error, refused.close_code, refused.pcm))
            traveller.listener.__exit__()
        assert refusals[0] == refusals[1]
        assert refusals[0][1:] == (4409, b"")
        traveller.return_(key="key-of-alice")
        assert traveller.out() == uninterrupted


def test_all_who_come_back_to_a_full_server_are_waited_for(uninterrupted: bytes) -> None:
    with serving(queue=4, slots=6, resume_window_s=0.6) as server:
        travellers = [Traveller(server) for _ in range(2)]
        for traveller in travellers:
            traveller.hear(6000)
            traveller.lose()
        assert server.settled()
        with Listener(server).start(voices=6, mode="fast") as full:
            full.hear_until(SessionCreated)
            for traveller in travellers:
                traveller.return_()
                traveller.listener.hear_until(QueueUpdate)
            time.sleep(1.0)
            full.say(SessionEnd())
            full.hear_out()
        for traveller in travellers:
            traveller.hear_created()
            assert traveller.out() == uninterrupted


@given(st.lists(st.integers(1, 50), max_size=30), st.integers(1, 200), st.data())
def test_the_ring_holds_the_newest_samples_and_gives_them_back(
    sizes: list[int], most: int, data: st.DataObject
) -> None:
    ring, whole = SentAudio(2, most), np.arange(sum(sizes), dtype="<i2")
    end = 0
    for size in sizes:
        ring.append(whole[end : end + size].tobytes())
        end += size
        if data.draw(st.booleans()):
            ring.forget(data.draw(st.integers(0, end)))
        assert ring.end == end
        assert ring.nbytes <= 2 * (most + 50)
    wanted = data.draw(st.integers(ring.first, ring.end))
    assert ring.holds(wanted)
    assert not ring.holds(ring.first - 1)
    pieces = list(ring.since(wanted, data.draw(st.integers(1, 60))))
    assert b"".join(pcm for _, pcm in pieces) == whole[wanted:].tobytes()
    at = wanted
    for first, pcm in pieces:
        assert first == at
        at += len(pcm) // 2
