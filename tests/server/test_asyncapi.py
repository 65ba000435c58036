import json
import struct
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from typing import Any, get_args

import httpx
import pytest
from jsonschema import Draft202012Validator
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Subprotocol

from ostinato.server.asyncapi import MEANINGS, describe
from ostinato.server.protocol import (
    SUBPROTOCOL,
    ClientMessage,
    CloseCode,
    ControlUpdate,
    FrameHeader,
    NoteOff,
    NoteOn,
    Ping,
    PlaybackReport,
    ServerMessage,
    SessionEnd,
    SessionStart,
    StreamPause,
    StreamResume,
)
from ostinato.server.protocol.message import Message
from tests.server.serving import Serving, serving

SAID: tuple[Message, ...] = (
    SessionStart(model="tiny", seed=3, voices=2, lead_ms=100.0, controls={"gain": -6.0}),
    NoteOn(event_id="on", note=60.5, voice_id="a"),
    ControlUpdate(event_id="bend", params={"bend": 20.0, "instrument": 0.0}, ramp_ms=5.0),
    NoteOn(event_id="late", note=60, at_sample=0),
    NoteOn(event_id="far", note=60, at_sample=2**40),
    PlaybackReport(played_sample=0, buffered_ms=1.5, underruns=1),
    Ping(id="p"),
    StreamPause(),
    StreamResume(),
    NoteOff(event_id="off", voice_id="a"),
    SessionEnd(),
)


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    return describe()


def kinds(union: Any) -> set[str]:  # noqa: ANN401
    return {kind.model_fields["type"].default for kind in get_args(get_args(union)[0])}


def validator(document: dict[str, Any], name: str) -> Draft202012Validator:
    payload = document["components"]["messages"][name]["payload"]
    return Draft202012Validator({**payload, "components": document["components"]})


def messages_of(document: dict[str, Any], operation: str) -> set[str]:
    return {reference["$ref"].rsplit("/", 1)[1] for reference in document["operations"][operation]["messages"]}


def references(part: Any) -> Iterator[str]:  # noqa: ANN401
    if isinstance(part, dict):
        for name, value in part.items():
            yield from [value] if name == "$ref" else references(value)
    elif isinstance(part, list):
        for value in part:
            yield from references(value)


def say(socket: ClientConnection, *messages: Message) -> ClientConnection:
    for message in messages:
        socket.send(message.to_json())
    return socket


def hear_until(socket: ClientConnection, kind: str) -> Iterator[dict[str, Any]]:
    """Every text frame to the first of a kind or the close, unread by any model."""
    with suppress(ConnectionClosed):
        while True:
            frame = socket.recv(timeout=20)
            if isinstance(frame, str):
                yield (text := json.loads(frame))
                if text["type"] == kind:
                    return


def test_the_server_serves_the_document(server: Serving, document: dict[str, Any]) -> None:
    answer = httpx.get(f"{server.url}/asyncapi.json")
    assert answer.headers["content-type"] == "application/json"
    assert answer.json() == document


def test_every_message_of_the_protocol_is_in_the_document(document: dict[str, Any]) -> None:
    assert messages_of(document, "say") == kinds(ClientMessage)
    assert messages_of(document, "hear") == kinds(ServerMessage) | {"audio"}
    assert set(MEANINGS) == set(CloseCode)


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    for reference in references(document):
        place: Any = document
        for step in reference.removeprefix("#/").split("/"):
            place = place[step]


def test_all_that_clients_say_is_as_the_document_has_it(document: dict[str, Any]) -> None:
    said = [json.loads(message.to_json()) for message in SAID]
    assert {text["type"] for text in said} == messages_of(document, "say")
    for text in said:
        validator(document, text["type"]).validate(text)


def test_all_that_the_server_says_is_as_the_document_has_it(document: dict[str, Any]) -> None:
    start = SessionStart(model="tiny", mode="fast")
    with serving(slots=2, queue=1) as server, ExitStack() as opened:
        playing, waiting, refused = (
            opened.enter_context(connect(server.stream_url, subprotocols=[Subprotocol(SUBPROTOCOL)])) for _ in range(3)
        )
        heard = [*hear_until(say(playing, *SAID[:3]), "stats")]
        heard += hear_until(say(playing, *SAID[3:-1]), "stats")  # now that there is something to be late for
        heard += hear_until(say(waiting, start), "queue.update")
        heard += hear_until(say(refused, start), "error")
        server.engine.drain(0.2)
        heard += (*hear_until(playing, "nothing more"), *hear_until(waiting, "nothing more"))
    assert {text["type"] for text in heard} == messages_of(document, "hear") - {"audio"}
    for text in heard:
        validator(document, text["type"]).validate(text)


def test_what_the_server_refuses_the_document_refuses_too(document: dict[str, Any]) -> None:
    for wrong in (
        {"type": "note.on", "event_id": "a"},
        {"type": "note.on", "event_id": "a", "note": 128},
        {"type": "note.on", "event_id": "", "note": 60},
        {"type": "note.on", "event_id": "a", "note": 60, "colour": "red"},
        {"event_id": "a", "note": 60},
        {"type": "note.off", "event_id": "a", "note": 60},
    ):
        assert not validator(document, "note.on").is_valid(wrong)
    assert not validator(document, "note.off").is_valid({"type": "note.off", "event_id": "a"})


def test_the_header_of_a_frame_is_laid_out_as_the_document_has_it(document: dict[str, Any]) -> None:
    header = document["components"]["messages"]["audio"]["x-header"]
    codes = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
    layout = struct.Struct("<" + "".join(codes[field["type"]] for field in header["fields"]))
    packed = FrameHeader(sequence=7, first_sample=2**40, flags=header["flags"]["last"]).pack()
    named = dict(zip((field["name"] for field in header["fields"]), layout.unpack(packed), strict=True))
    assert named == {
        "version": header["version"], "flags": 2, "reserved": 0, "sequence": 7, "first_sample": 2**40,
    }  # fmt: skip
