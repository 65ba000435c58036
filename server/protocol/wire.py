"""Between messages and what crosses the socket: JSON text frames, and the header of binary ones."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from ostinato.server.protocol.client import RESERVED, ClientMessage
from ostinato.server.protocol.errors import ProtocolError
from ostinato.server.protocol.faults import code_of, explain, shown
from ostinato.server.protocol.message import MESSAGE_BYTES
from ostinato.server.protocol.server import ServerMessage

VERSION: Final = 1
DISCONTINUITY: Final = 1  # flag: the listener missed what lay between
LAST: Final = 2  # flag: no audio follows
FIELDS: Final = (("version", "u8"), ("flags", "u8"), ("reserved", "u16"), ("sequence", "u32"), ("first_sample", "u64"))
CODES: Final = {"u8": "B", "u16": "H", "u32": "I", "u64": "Q"}
LAYOUT: Final = struct.Struct("<" + "".join(CODES[kind] for _, kind in FIELDS))

_CLIENT: Final[TypeAdapter[ClientMessage]] = TypeAdapter(ClientMessage)
_SERVER: Final[TypeAdapter[ServerMessage]] = TypeAdapter(ServerMessage)
_Parsed = TypeVar("_Parsed")


def parse_client(text: str, longest: int = MESSAGE_BYTES) -> ClientMessage:
    """A text frame of at most so many bytes. Raises ProtocolError naming the field and its value."""
    return _parse(_CLIENT, text, longest)


def parse_server(text: str) -> ServerMessage:
    """A text frame from a server. Raises ProtocolError naming the field and its value."""
    return _parse(_SERVER, text, MESSAGE_BYTES)


def _parse(adapter: TypeAdapter[_Parsed], text: str, longest: int) -> _Parsed:
    encoded = text.encode(errors="surrogatepass")
    if len(encoded) > longest:
        raise ProtocolError("message_too_big", f"a message has at most {longest} bytes, not {len(encoded)}")
    try:
        return adapter.validate_json(encoded)
    except ValidationError as error:
        raise _explain(error, text) from None


def _explain(error: ValidationError, text: str) -> ProtocolError:
    """The first fault of a message, with the event that it was part of."""
    fault = error.errors(include_url=False)[0]
    if code_of(fault) == "malformed_json":
        return explain(fault, (), "message")
    said = _reread(text)
    if not isinstance(said, dict):
        return ProtocolError("invalid_value", f"a message is a JSON object, not {shown(said)}")
    event_id = said.get("event_id")
    event_id = event_id[:64] if isinstance(event_id, str) else None
    if code_of(fault) != "unknown_type":
        return explain(fault, fault["loc"][1:], str(said["type"]), event_id)  # after the message's own tag
    if said.get("type") in RESERVED:
        return ProtocolError("not_supported", f"type: {said['type']} is reserved", param="type", event_id=event_id)
    given = shown(said["type"]) if "type" in said else "missing"
    return ProtocolError("unknown_type", f"type: {given} is not a message type", param="type", event_id=event_id)


def _reread(text: str) -> Any:  # noqa: ANN401
    """What was said, without any check; None where json and pydantic differ on what is JSON."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


@dataclass(frozen=True, slots=True)
class FrameHeader:
    """The 16 bytes before the samples of a binary frame, little-endian: FIELDS, one after another."""

    sequence: int  # from 0, modulo 2^32
    first_sample: int
    flags: int = 0

    def pack(self) -> bytes:
        """The header as it is sent."""
        return LAYOUT.pack(VERSION, self.flags, 0, self.sequence & 0xFFFFFFFF, self.first_sample)

    @classmethod
    def unpack(cls, frame: bytes) -> FrameHeader:
        """The header of a whole binary frame. Raises ProtocolError where it is short or of another version."""
        if len(frame) < LAYOUT.size:
            raise ProtocolError("malformed_frame", f"a frame of {len(frame)} bytes holds no {LAYOUT.size}-byte header")
        version, flags, _, sequence, first_sample = LAYOUT.unpack_from(frame)
        if version != VERSION:
            raise ProtocolError("malformed_frame", f"version: {version} is not {VERSION}", param="version")
        return cls(sequence, first_sample, flags)
