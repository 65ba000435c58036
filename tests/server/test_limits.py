from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from ostinato.server import limits
from ostinato.server.protocol import AudioDone, Error, NoteOn, ProtocolError, SessionCreated, SessionEnd
from ostinato.server.settings import SettingsError, read_settings
from tests.server.serving import Listener, serving, whole

KEYS = "alice:the-key-of-alice,bob:the-key-of-bob"
ALICE, BOB = {"Authorization": "Bearer the-key-of-alice"}, {"Authorization": "Bearer the-key-of-bob"}
NOTE = {"note": 60, "start_s": 0.0, "duration_s": 0.1}


@pytest.mark.parametrize(
    ("setting", "fields", "message"),
    [
        ({"voices_per_session": 2}, {"voices": 3}, "voices: 3 are more than the 2 that a session may have"),
        ({"duration_s": 0.5}, {"duration_s": 0.6}, "duration_s: 0.6 is more than the 0.5 s that a session may last"),
    ],
)
def test_a_session_beyond_a_limit_is_refused_by_field_and_value(
    setting: dict[str, Any], fields: dict[str, Any], message: str
) -> None:
    with serving(**setting) as server:
        with Listener(server) as listener:
            heard = listener.start(**fields).hear_out()
        error = heard.one(Error)
        assert (error.error.code, error.error.param, error.error.message) == ("over_limit", next(iter(fields)), message)
        assert (error.fatal, heard.close_code) == (True, 4413)
        (field, most), *_ = setting.items()
        asked = {"voices": most} if field == "voices_per_session" else {"duration_s": most}
        with Listener(server) as listener:
            listener.start(**asked).hear_until(SessionCreated)
        assert server.settled()


def test_a_session_that_names_no_duration_ends_at_the_limit() -> None:
    with serving(duration_s=0.2) as server, Listener(server) as listener:
        heard = listener.start().say(NoteOn(event_id="on", note=60)).hear_out()
    assert heard.one(SessionCreated).limits.duration_s == 0.2
    assert (whole(heard).samples, heard.one(AudioDone).reason) == (8820, "limit")


def test_a_score_beyond_a_limit_is_refused_with_413() -> None:
    with serving(duration_s=0.5, voices_per_session=2) as server:

        def asked(*notes: dict[str, float]) -> httpx.Response:
            return httpx.post(f"{server.url}/v1/audio/synthesize", json={"notes": notes})

        long = asked({**NOTE, "duration_s": 0.6})
        assert (long.status_code, long.json()["error"]["param"]) == (413, "duration_s")
        chord = asked(*({**NOTE, "note": note} for note in (60, 64, 67)))
        assert (chord.status_code, chord.json()["error"]["message"]) == (
            413,
            "voices: 3 are more than the 2 that a session may have",
        )
        assert asked(NOTE).status_code == 200


def test_one_session_more_than_a_key_may_have_is_refused_and_another_key_is_served() -> None:
    with serving(api_keys=KEYS, sessions_per_key=2) as server, ExitStack() as playing:
        for _ in range(2):
            alice = playing.enter_context(Listener(server, additional_headers=ALICE))
            alice.start().hear_until(SessionCreated)
        with Listener(server, additional_headers=ALICE) as listener:
            heard = listener.start().hear_out()
        error = heard.one(Error)
        assert (error.error.type, error.error.code, error.error.param) == ("capacity", "too_many_sessions", "sessions")
        assert error.error.message == "sessions: the key 'alice' has 2 already, of at most 2"
        assert (error.fatal, heard.close_code) == (True, 4413)
        assert error.retry_after_s
        synthesis = httpx.post(f"{server.url}/v1/audio/synthesize", json={"notes": [NOTE]}, headers=ALICE)
        assert synthesis.status_code == 429
        assert int(synthesis.headers["retry-after"]) > 0
        bob = playing.enter_context(Listener(server, additional_headers=BOB))
        bob.start().hear_until(SessionCreated)
        whole(alice.say(SessionEnd()).hear_out())
        again = playing.enter_context(Listener(server, additional_headers=ALICE))
        again.start().hear_until(SessionCreated)


def test_without_keys_sessions_are_shared_with_nobody() -> None:
    limits.SessionLimits(sessions=1).share("", ["", "", ""])
    with pytest.raises(ProtocolError):
        limits.SessionLimits(sessions=1).share("alice", ["bob", "alice"])


def test_a_longer_message_is_told_of_and_a_far_longer_one_closes_the_socket_with_1009() -> None:
    with serving(message_bytes=2048) as server, Listener(server) as listener:
        assert listener.start().hear_until(SessionCreated).limits.message_bytes == 2048
        error = listener.say("x" * 2049).refused()
        assert (error.error.code, error.fatal) == ("message_too_big", False)
        assert error.error.message == "a message has at most 2048 bytes, not 2049"
        assert listener.say("x" * (4 * 2048 + 1)).hear_out().close_code == 1009
        assert server.settled()


def test_of_connections_beyond_the_limit_each_is_told_and_probes_are_answered() -> None:
    with serving(connections=2) as server, ExitStack() as open_sockets:
        first, _ = (open_sockets.enter_context(Listener(server)) for _ in range(2))
        first.start().hear_until(SessionCreated)
        with Listener(server) as listener:
            heard = listener.hear_out()
        error = heard.one(Error)
        assert (error.error.code, error.fatal, heard.close_code) == ("full", True, 1013)
        assert error.error.message == "connections: 2 are open, the most there may be"
        refused = httpx.get(f"{server.url}/v1/models")
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "full")
        assert int(refused.headers["retry-after"]) > 0
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        whole(first.say(SessionEnd()).hear_out())
        assert httpx.get(f"{server.url}/v1/models").status_code == 200


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("TOKEN_S", "0"),
        ("TOKEN_S", "3601"),
        ("CONNECTIONS", "0"),
        ("REQUESTS_PER_S", "0"),
        ("REQUESTS_PER_S", "inf"),
        ("REQUESTS_BURST", "0.5"),
        ("SESSIONS_PER_KEY", "0"),
        ("VOICES_PER_SESSION", "65"),
        ("DURATION_S", "3601"),
        ("MESSAGE_BYTES", "100"),
        ("MESSAGES_PER_S", "-1"),
        ("MESSAGES_PER_S", "nan"),
        ("MESSAGES_BURST", "8191"),
    ],
)
def test_a_limit_out_of_range_is_refused_by_name_and_value(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str
) -> None:
    monkeypatch.setenv(f"OSTINATO_{name}", value)
    with pytest.raises(SettingsError, match=f"OSTINATO_{name}.*'{value}'"):
        read_settings()
