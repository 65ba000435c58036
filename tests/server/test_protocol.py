import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.protocol import (
    MESSAGE_BYTES,
    AudioDone,
    ControlUpdate,
    FrameHeader,
    NoteOff,
    NoteOn,
    ProtocolError,
    SessionStart,
    parse_body,
    parse_client,
    parse_query,
    parse_server,
)

names = st.text(st.characters(codec="utf-8", min_codepoint=32), min_size=1, max_size=64)
samples = st.none() | st.integers(0, 2**53 - 1)
notes = st.floats(0, 127)
json_values = st.recursive(st.none() | st.booleans() | st.floats() | st.text(), st.lists)
events = st.one_of(
    st.builds(
        NoteOn, event_id=names, note=notes, velocity=st.floats(0, 1), voice_id=st.none() | names, at_sample=samples
    ),
    st.builds(NoteOff, event_id=names, note=notes, at_sample=samples),
    st.builds(
        ControlUpdate,
        event_id=names,
        params=st.dictionaries(names, st.floats(-1e6, 1e6) | st.text(max_size=20).filter(str.isprintable), min_size=1),
        ramp_ms=st.floats(0, 60_000),
    ),
    st.builds(SessionStart, model=st.just("tiny"), seed=st.none() | st.integers(0, 2**64 - 1)),
)


@given(events)
def test_a_message_survives_the_wire(message: NoteOn) -> None:
    assert parse_client(message.to_json()) == message


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**64 - 1), st.integers(0, 255))
def test_a_header_survives_the_wire(sequence: int, first_sample: int, flags: int) -> None:
    header = FrameHeader(sequence, first_sample, flags)
    assert len(header.pack()) == 16
    assert FrameHeader.unpack(header.pack() + b"audio") == header


def test_the_header_is_laid_out_as_the_protocol_says() -> None:
    assert FrameHeader(0x01020304, 0x0A0B, 2).pack() == bytes.fromhex("01 02 0000 04030201 0b0a000000000000")


@pytest.mark.parametrize("frame", [b"", b"\x01" * 15, b"\x02" + b"\0" * 15])
def test_a_frame_that_is_short_or_of_another_version_is_refused(frame: bytes) -> None:
    with pytest.raises(ProtocolError):
        FrameHeader.unpack(frame)


NOTE: dict[str, Any] = {"type": "note.on", "event_id": "e", "note": 60}
START: dict[str, Any] = {"type": "session.start", "model": "tiny"}


@pytest.mark.parametrize(
    ("said", "code", "param", "quoted"),
    [
        ({**NOTE, "note": 200}, "invalid_value", "note", "200"),
        ({**NOTE, "note": float("nan")}, "invalid_value", "note", "nan"),
        ({**NOTE, "note": float("inf")}, "invalid_value", "note", "inf"),
        ({**NOTE, "note": "60"}, "invalid_value", "note", "'60'"),
        ({**NOTE, "note": True}, "invalid_value", "note", "True"),
        ({**NOTE, "velocity": -0.1}, "invalid_value", "velocity", "-0.1"),
        ({**NOTE, "at_sample": -1}, "invalid_value", "at_sample", "-1"),
        ({**NOTE, "at_sample": 1.5}, "invalid_value", "at_sample", "1.5"),
        ({**NOTE, "colour": "red"}, "unknown_field", "colour", "'red'"),
        ({"type": "note.on", "note": 60}, "missing_field", "event_id", ""),
        ({"type": "note.off", "event_id": "e"}, "invalid_value", None, "neither a note nor a voice_id"),
        ({"type": "control.update", "event_id": "e", "params": {}}, "invalid_value", "params", "{}"),
        (
            {"type": "control.update", "event_id": "e", "params": {"gain": float("nan")}},
            "invalid_value",
            "params.gain",
            "nan",
        ),
        ({**START, "duration_s": -1}, "invalid_value", "duration_s", "-1"),
        ({**START, "model": "../../etc"}, "invalid_value", "model", "'../../etc'"),
        ({**START, "voices": 0}, "invalid_value", "voices", "0"),
        ({**START, "lead_ms": 5}, "invalid_value", "lead_ms", "5"),
        ({**START, "format": {"encoding": "mp3"}}, "invalid_value", "format.encoding", "'mp3'"),
        ({**START, "seed": 2**64}, "invalid_value", "seed", str(2**64)),
        ({"type": "bogus", "event_id": "e"}, "unknown_type", "type", "'bogus'"),
        ({"type": 3}, "unknown_type", "type", "3"),
        ({}, "unknown_type", "type", "missing"),
        ({"type": "frames.append"}, "not_supported", "type", "reserved"),
    ],
)
def test_a_wrong_message_is_refused_by_field_and_value(
    said: dict[str, Any], code: str, param: str | None, quoted: str
) -> None:
    with pytest.raises(ProtocolError) as refusal:
        parse_client(json.dumps(said))
    detail = refusal.value.detail
    assert (detail.code, detail.param) == (code, param)
    assert quoted in detail.message
    assert detail.event_id == said.get("event_id")
    assert not refusal.value.as_message().fatal


@pytest.mark.parametrize(
    "text",
    ["", "{", "{'type': 'ping'}", "[" * 100_00, "\ud800", '{"type": "ping"} x', '{"type":"note.on","note":1e999}'],
)
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        parse_client(text)
    assert refusal.value.detail.code in ("malformed_json", "missing_field", "invalid_value")


@pytest.mark.parametrize("text", ["[]", "3", "null", '"ping"'])
def test_what_is_no_object_is_refused(text: str) -> None:
    with pytest.raises(ProtocolError, match="JSON object"):
        parse_client(text)


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_nothing_but_a_protocol_error_comes_out_of_garbage(text: str) -> None:
    with pytest.raises(ProtocolError):
        parse_client(text)


def test_a_message_over_the_limit_is_refused() -> None:
    with pytest.raises(ProtocolError, match=str(MESSAGE_BYTES)):
        parse_client('{"type": "ping", "id": "%s"}' % ("x" * MESSAGE_BYTES))


def test_a_client_reads_what_the_server_says() -> None:
    done = AudioDone(samples=5, sha256="00", reason="ended")
    assert parse_server(done.to_json()) == done


def test_an_error_is_told_and_understood() -> None:
    error = ProtocolError("full", "no room", kind="capacity", retry_after_s=2.0)
    told = parse_server(error.as_message().to_json())
    assert told == error.as_message()
    assert ProtocolError.of(error.as_message()).detail == error.detail


def test_a_body_is_refused_by_field_and_value() -> None:
    with pytest.raises(ProtocolError, match=r"notes\[1\]\.duration_s: .*-1"):
        parse_body(b'{"notes": [{"note": 60, "duration_s": 1}, {"note": 60, "duration_s": -1}]}')
    with pytest.raises(ProtocolError, match="not JSON"):
        parse_body(b"MThd")


def test_a_query_holds_options_and_controls() -> None:
    options = parse_query({"seed": "9", "format": "flac", "gain": "-3", "instrument": "flute"})
    assert (options.seed, options.format) == (9, "flac")
    assert options.controls == {"gain": -3.0, "instrument": "flute"}
    with pytest.raises(ProtocolError, match=r"seed: .*'abc'"):
        parse_query({"seed": "abc"})


def test_the_protocol_knows_neither_models_nor_a_web_framework() -> None:
    foreign = {"fastapi", "starlette", "torch", "numpy", "uvicorn"}
    code = f"import sys, ostinato.server.protocol; print({foreign} & {{m.split('.')[0] for m in sys.modules}})"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert loaded.strip() == "set()"
