"""The document at `/asyncapi.json`: what is said and heard on the socket, generated from the messages themselves.

AsyncAPI 3.1 (https://www.asyncapi.com/docs/reference/specification/v3.1.0), written from the client's place: it sends
what clients say and receives what servers do.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from functools import cache
from importlib.metadata import version
from typing import Any, Final, get_args

from pydantic import BaseModel
from pydantic.json_schema import JsonSchemaMode, models_json_schema

from ostinato.server.protocol import (
    DISCONTINUITY,
    LAST,
    MESSAGE_BYTES,
    SUBPROTOCOL,
    TOKEN_SUBPROTOCOL,
    ClientMessage,
    CloseCode,
    ServerMessage,
)
from ostinato.server.protocol.wire import FIELDS, VERSION

PATH: Final = "/v1/audio/stream"
REFERENCE: Final = "#/components/schemas/{model}"
FRAME: Final = "audio"
MEANINGS: Final[Mapping[CloseCode, str]] = {
    CloseCode.DONE: "The session is done; from a client: and is not to be kept.",
    CloseCode.GOING_AWAY: "The other side goes away.",
    CloseCode.NOT_AUTHORISED: "The key or token is missing, wrong or used up.",
    CloseCode.TOO_BIG: "A message is larger than any that is taken.",
    CloseCode.INTERNAL: "Something went wrong in the server.",
    CloseCode.DRAINED: "The server stops; come back, to another or in a while.",
    CloseCode.FULL: "There is no room, and none in the line; the error tells when to try again.",
    CloseCode.BAD_MESSAGE: "The first message can't be.",
    CloseCode.IDLE: "Nothing was said and nothing sounded for too long.",
    CloseCode.RESUME_REFUSED: "The token or the sample of a resume is none that can be gone on from.",
    CloseCode.OVER_LIMIT: "More was asked for than this session may have.",
    CloseCode.TOO_MANY_REQUESTS: "Too many messages or sockets; the error tells when to try again.",
    CloseCode.SLOW_CONSUMER: "The audio was not read for too long.",
}
INTRODUCTION: Final = """\
One socket carries one session: JSON text frames for what is said, binary frames for what is heard.

The first message is `session.start`. The server answers `session.created`, perhaps after some `queue.update`, and \
from `audio.start` on sends audio, until `audio.done`. An error leaves the session open unless it is fatal.
A dropped session is taken up with `session.start.resume`; events that were not answered are said again, which their \
`event_id` makes harmless."""


@cache
def describe() -> dict[str, Any]:
    """The whole document, as JSON has it."""
    said, heard = (_kinds(union) for union in (ClientMessage, ServerMessage))
    messages = {**_messages(said), **_messages(heard), FRAME: _frame()}
    channel = "#/channels/stream"
    return {
        "asyncapi": "3.1.0",
        "info": {"title": "Ostinato", "version": version("ostinato"), "description": INTRODUCTION},
        "defaultContentType": "application/json",
        "channels": {
            "stream": {
                "address": PATH,
                "title": "A session",
                "messages": {name: {"$ref": f"#/components/messages/{name}"} for name in messages},
                "bindings": {"ws": {"method": "GET", "headers": _handshake(), "bindingVersion": "0.1.0"}},
                "x-close-codes": {str(int(code)): MEANINGS[code] for code in CloseCode},
                "x-message-bytes": MESSAGE_BYTES,
            }
        },
        "operations": {
            "say": _operation("send", channel, _names(said), "What a client says."),
            "hear": _operation("receive", channel, (*_names(heard), FRAME), "What the server says, and the audio."),
        },
        "components": {
            "messages": messages,
            "schemas": {**_schemas(said, "validation"), **_schemas(heard, "serialization")},
            "securitySchemes": {
                "key": {"type": "http", "scheme": "bearer", "description": "An API key, where the server has any."}
            },
        },
    }


def _kinds(union: Any) -> tuple[type[BaseModel], ...]:  # noqa: ANN401
    """The models of a discriminated union."""
    members = get_args(union)[0]
    return tuple(get_args(members))


def _names(kinds: Iterable[type[BaseModel]]) -> tuple[str, ...]:
    return tuple(str(kind.model_fields["type"].default) for kind in kinds)


def _messages(kinds: tuple[type[BaseModel], ...]) -> dict[str, Any]:
    return {
        name: {
            "name": name,
            "title": kind.__name__,
            "summary": inspect.getdoc(kind),
            "contentType": "application/json",
            "payload": {"$ref": REFERENCE.format(model=kind.__name__)},
        }
        for name, kind in zip(_names(kinds), kinds, strict=True)
    }


def _schemas(kinds: tuple[type[BaseModel], ...], mode: JsonSchemaMode) -> dict[str, Any]:
    """The models and all that they are made of; each says its type, by which the others are told apart."""
    _, found = models_json_schema([(kind, mode) for kind in kinds], ref_template=REFERENCE)
    schemas: dict[str, Any] = found["$defs"]
    for kind in kinds:
        schema = schemas[kind.__name__]
        schema["required"] = ["type", *(name for name in schema.get("required", ()) if name != "type")]
    return schemas


def _frame() -> dict[str, Any]:
    """The binary frame, which has no JSON to describe."""
    return {
        "name": FRAME,
        "title": "Audio",
        "summary": "A binary frame: a header, unless framing is raw, and then whole samples in the session's encoding.",
        "contentType": "application/octet-stream",
        "payload": {"type": "string", "format": "binary"},
        "x-header": {
            "byteOrder": "little-endian",
            "fields": [{"name": name, "type": kind} for name, kind in FIELDS],
            "flags": {"discontinuity": DISCONTINUITY, "last": LAST},
            "version": VERSION,
        },
    }


def _handshake() -> dict[str, Any]:
    """What the opening request carries."""
    offered = f"{SUBPROTOCOL}, and from a browser where the server has keys {TOKEN_SUBPROTOCOL} with a token after it"
    return {
        "type": "object",
        "properties": {
            "Sec-WebSocket-Protocol": {"type": "string", "description": offered},
            "Authorization": {"type": "string", "description": "Bearer and an API key, where the server has any."},
        },
    }


def _operation(action: str, channel: str, names: Iterable[str], summary: str) -> dict[str, Any]:
    return {
        "action": action,
        "channel": {"$ref": channel},
        "summary": summary,
        "messages": [{"$ref": f"{channel}/messages/{name}"} for name in names],
        "security": [{"$ref": "#/components/securitySchemes/key"}],
    }
