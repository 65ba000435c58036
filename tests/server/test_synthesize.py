import io
import json
import socket
import time
from typing import Any

import httpx
import mido  # type: ignore[import-untyped]
import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]

from ostinato.models import registry
from ostinato.models.sampling.native import NativeSampler
from ostinato.server.midi import from_midi
from ostinato.server.pcm import encode
from ostinato.server.render import render
from ostinato.server.score import Score, TimedNote, from_notes
from tests.server.serving import Listener, Serving, eventually, serving, whole
from tests.songs import as_bytes, canon

NOTES: list[dict[str, Any]] = [
    {"note": 60, "duration_s": 0.3},
    {"note": 64, "duration_s": 0.2, "start_s": 0.1, "velocity": 0.5},
]
TINY = registry.load("tiny")


def post(server: Serving, **body: Any) -> httpx.Response:  # noqa: ANN401
    return httpx.post(f"{server.url}/v1/audio/synthesize", json={"notes": NOTES, "seed": 3, **body}, timeout=30)


def rendered(score: Score, seed: int) -> bytes:
    blocks = list(render(score, NativeSampler(TINY, score.voices), seed))
    return encode(np.concatenate(blocks), "pcm_s16le")


def score() -> Score:
    return from_notes([TimedNote(**note) for note in NOTES], TINY.config)


def test_a_wav_has_an_exact_header_and_the_samples_of_an_offline_render(server: Serving) -> None:
    answer = post(server)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "audio/wav"
    assert int(answer.headers["content-length"]) == len(answer.content)
    samples, rate = soundfile.read(io.BytesIO(answer.content), dtype="int16")
    assert (rate, len(samples)) == (44100, score().samples)
    assert samples.tobytes() == rendered(score(), 3)
    assert answer.content.endswith(samples.tobytes())


def test_every_format_holds_the_same_sound(server: Serving) -> None:
    pcm = post(server, format="pcm").content
    for kept in ("wav", "flac"):
        samples, _ = soundfile.read(io.BytesIO(post(server, format=kept).content), dtype="int16")
        assert samples.tobytes() == pcm
    for lossy, at in (("ogg", 44100), ("mp3", 44100), ("opus", 48000)):
        samples, rate = soundfile.read(io.BytesIO(post(server, format=lossy).content))
        assert rate == at
        assert abs(len(samples) - len(pcm) / 2 * rate / 44100) <= 1


def test_more_bits_and_other_rates_can_be_had(server: Serving) -> None:
    exact = np.frombuffer(post(server, format="pcm", sample_format="f32").content, dtype="<f4")
    assert encode(exact, "pcm_s16le") == post(server, format="pcm").content
    deep, _ = soundfile.read(io.BytesIO(post(server, sample_format="s24").content))
    assert np.abs(deep - exact).max() <= 1.5 * 2.0**-23
    for rate in (8000, 96000):
        samples, told = soundfile.read(io.BytesIO(post(server, sample_rate=rate).content))
        assert told == rate
        assert abs(len(samples) - len(exact) * rate / 44100) <= 1


@pytest.mark.parametrize(
    ("accept", "told"),
    [
        ("audio/flac", "audio/flac"),
        ("audio/mpeg, audio/wav;q=0.5", "audio/mpeg"),
        ("audio/ogg; codecs=opus", "audio/ogg; codecs=opus"),
        ("*/*", "audio/wav"),
    ],
)
def test_accept_chooses_where_no_format_is_named(server: Serving, accept: str, told: str) -> None:
    body, headers = {"notes": NOTES, "seed": 3}, {"accept": accept}
    url = f"{server.url}/v1/audio/synthesize"
    assert httpx.post(url, json=body, headers=headers).headers["content-type"] == told
    assert httpx.post(url, json={**body, "format": "pcm"}, headers=headers).headers["content-type"] == "audio/pcm"


def test_what_is_not_acceptable_is_refused_with_what_there_is(server: Serving) -> None:
    headers = {"accept": "image/png"}
    answer = httpx.post(f"{server.url}/v1/audio/synthesize", json={"notes": NOTES}, headers=headers)
    assert (answer.status_code, answer.json()["error"]["code"]) == (406, "not_acceptable")
    assert "audio/flac" in answer.json()["error"]["message"]


def test_a_midi_file_sounds_as_it_does_offline(server: Serving) -> None:
    song = as_bytes(canon(3.0))
    answer = httpx.post(
        f"{server.url}/v1/audio/synthesize",
        content=song,
        params={"seed": 5, "format": "pcm", "sample_rate": 44100, "gain": 0.0},
        headers={"content-type": "audio/midi"},
        timeout=30,
    )
    assert answer.content == rendered(from_midi(song, TINY.config), 5)
    assert answer.headers["ostinato-seed"] == "5"


def test_the_same_events_streamed_live_are_the_same_sound(server: Serving) -> None:
    want = score()
    with Listener(server) as listener:
        listener.start(mode="fast", voices=want.voices, seed=3, duration_s=want.samples / 44100)
        listener.say({"type": "stream.pause"}, *want.events, {"type": "stream.resume"})
        heard = listener.hear_out()
    whole(heard)
    assert heard.pcm == post(server, format="pcm").content


def test_what_cannot_be_played_is_told_in_headers(server: Serving) -> None:
    file = mido.MidiFile()
    track = mido.MidiTrack()
    file.tracks.append(track)
    for channel in (0, 9):
        track.append(mido.Message("note_on", note=60, velocity=80, channel=channel, time=0))
        track.append(mido.Message("note_off", note=60, channel=channel, time=100))
    answer = httpx.post(
        f"{server.url}/v1/audio/synthesize", content=as_bytes(file), headers={"content-type": "audio/midi"}
    )
    assert any("channel 10" in warning for warning in json.loads(answer.headers["ostinato-warnings"]))


@pytest.mark.parametrize(
    ("body", "status", "code", "param"),
    [
        ({"notes": [{"note": 200, "duration_s": 1}]}, 400, "invalid_value", "notes[0].note"),
        ({"notes": [{"note": 60, "duration_s": -1}]}, 400, "invalid_value", "notes[0].duration_s"),
        ({"notes": []}, 400, "invalid_value", "notes"),
        ({"notes": [{"note": 60}]}, 400, "missing_field", "notes[0].duration_s"),
        ({"notes": [{"note": 60, "duration_s": 1, "instrument": "drum"}]}, 400, "invalid_value", "notes[0].instrument"),
        ({"notes": [{"note": 60, "duration_s": 3600}]}, 400, "invalid_value", "duration_s"),
        ({"model": "nonesuch"}, 404, "unknown_model", "model"),
        ({"format": "aiff"}, 400, "invalid_value", "format"),
        ({"sample_rate": 7999}, 400, "invalid_value", "sample_rate"),
        ({"format": "opus", "sample_rate": 44100}, 400, "unsupported_format", "sample_rate"),
        ({"format": "flac", "sample_format": "f32"}, 400, "unsupported_format", "sample_format"),
        ({"controls": {"gain": 99}}, 400, "invalid_value", "controls.gain"),
        ({"colour": "red"}, 400, "unknown_field", "colour"),
    ],
)
def test_a_wrong_request_is_refused_by_field(
    server: Serving, body: dict[str, Any], status: int, code: str, param: str
) -> None:
    answer = post(server, **body)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, param)
    assert param in error["message"]


@pytest.mark.parametrize("content", [b"", b"{", b"RIFF....", as_bytes(canon(3.0))[:-40]])
@pytest.mark.parametrize("kind", ["application/json", "audio/midi"])
def test_what_cannot_be_read_is_refused(server: Serving, content: bytes, kind: str) -> None:
    answer = httpx.post(f"{server.url}/v1/audio/synthesize", content=content, headers={"content-type": kind})
    assert answer.status_code == 400
    assert answer.json()["error"]["message"]


@pytest.mark.parametrize("kind", [None, "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; x"])
def test_what_a_web_page_may_post_anywhere_is_refused(server: Serving, kind: str | None) -> None:
    headers = {} if kind is None else {"content-type": kind}
    body = json.dumps({"notes": NOTES}).encode()
    answer = httpx.post(f"{server.url}/v1/audio/synthesize", content=body, headers=headers)
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (415, "unsupported_type", "content-type")
    assert "application/json" in error["message"]


def test_a_content_type_may_name_a_charset(server: Serving) -> None:
    body = json.dumps({"notes": NOTES}).encode()
    headers = {"content-type": "Application/JSON; charset=utf-8"}
    assert httpx.post(f"{server.url}/v1/audio/synthesize", content=body, headers=headers).status_code == 200


def test_a_body_too_big_is_refused(server: Serving) -> None:
    big = b" " * (3 * 2**20)
    answer = httpx.post(f"{server.url}/v1/audio/synthesize", content=big, headers={"content-type": "application/json"})
    assert (answer.status_code, answer.json()["error"]["code"]) == (413, "body_too_big")


def test_a_full_server_says_when_to_try_again(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(voices=32)
        assert eventually(lambda: server.free_slots == 0)
        answer = post(server)
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "full")
        assert int(answer.headers["retry-after"]) > 0


def long_request(server: Serving) -> httpx.Request:
    note = {"note": 60, "duration_s": 1200}
    return httpx.Request("POST", f"{server.url}/v1/audio/synthesize", json={"notes": [note], "format": "pcm"})


def test_a_failure_midway_aborts_the_transfer(server: Serving) -> None:
    with httpx.Client() as client:
        answer = client.send(long_request(server), stream=True)
        pieces = answer.iter_raw()
        next(pieces)
        (session,) = server.engine._sessions.values()
        session.performance._voices = None  # type: ignore[assignment]
        with pytest.raises(httpx.RemoteProtocolError, match="without sending complete"):
            list(pieces)
    assert server.settled()


def test_a_client_that_is_gone_frees_its_slots(server: Serving) -> None:
    with httpx.Client() as client:
        answer = client.send(long_request(server), stream=True)
        pieces = answer.iter_raw()
        next(pieces)
        assert server.free_slots < 32
        answer.close()
    assert server.settled()


def test_a_client_that_does_not_read_frees_its_slots() -> None:
    with serving(stall_s=0.5) as server, socket.create_connection(("127.0.0.1", server.port)) as peer:
        request = long_request(server)
        head = "POST /v1/audio/synthesize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        peer.sendall(f"{head}Content-Length: {len(request.content)}\r\n\r\n".encode() + request.content)
        assert eventually(lambda: server.free_slots < 32)
        time.sleep(0.2)
        assert server.settled()


def test_a_query_beside_a_json_body_is_refused_by_its_first_name(server: Serving) -> None:
    body = {"notes": [{"note": 60, "duration_s": 0.05}]}
    answer = httpx.post(f"{server.url}/v1/audio/synthesize?seed=7", json=body)
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["code"], error["param"]) == ("unknown_field", "seed")
    assert "'7'" in error["message"]
