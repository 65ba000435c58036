"""The body of a batch, read item by item, so that no one who plays waits for the whole of it to be parsed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass
from typing import Final

from pydantic import Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ostinato.server.protocol import BatchItem, ProtocolError, SynthesizeOptions
from ostinato.server.protocol.faults import explain
from ostinato.server.protocol.message import Message

SPACE: Final = re.compile(r"[ \t\n\r]*")
DECODER: Final = json.JSONDecoder()
PIECE: Final = 64 * 1024  # of a form that is parsed before others have their turn
FORM_FIELDS: Final = 8


class Head(Message):
    """All of a JSON body but its items."""

    defaults: SynthesizeOptions = Field(default_factory=SynthesizeOptions)


@dataclass(frozen=True)
class Asked:
    """The items of a body, each with what it leaves open decided by the body's defaults."""

    items: tuple[BatchItem, ...]
    digest: bytes  # the same for the same request, however it was written


def read_json(body: bytes, most: int) -> Asked:
    """A JSON body of at most so many items. Takes long; to be called off the event loop.

    Raises:
        ProtocolError: naming the item and the field.
    """
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise ProtocolError("malformed_json", f"not JSON: {error}") from None
    reader = Reader(text, most)
    try:
        reader.read()
    except (json.JSONDecodeError, RecursionError) as error:
        raise ProtocolError("malformed_json", f"not JSON: {error}") from None
    try:
        rest = ",".join(f"{json.dumps(name)}:{value}" for name, value in reader.members.items())
        head = Head.model_validate_json(f"{{{rest}}}")
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, fault["loc"], "body") from None
    return _asked(reader.items, head.defaults)


async def read_form(headers: Headers, body: bytes, most: int) -> Asked:
    """A multipart form: each file a MIDI file, and `defaults` as JSON. Raises ProtocolError."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), PIECE):
            yield body[at : at + PIECE]

    try:
        form = await MultiPartParser(headers, pieces(), max_files=most, max_fields=FORM_FIELDS).parse()  # type: ignore[arg-type]
    except (MultiPartException, KeyError) as error:
        raise ProtocolError("malformed_form", f"not a form: {getattr(error, 'message', error)}") from None
    files, defaults = [], SynthesizeOptions()
    try:
        for name, value in form.multi_items():
            if isinstance(value, UploadFile):
                files.append(await value.read())
            elif name == "defaults":
                defaults = _defaults(value)
            else:
                raise ProtocolError("unknown_field", f"{name}: no such field; there is defaults, and files", param=name)
    finally:
        await form.close()
    return await asyncio.to_thread(_of_files, files, defaults)


class Reader:
    """A walk through the text of a JSON object: members as they stand, but `items` one by one."""

    def __init__(self, text: str, most: int) -> None:
        self.members: dict[str, str] = {}
        self.items: list[BatchItem] = []
        self._text, self._at, self._most = text, 0, most

    def read(self) -> None:
        """Read all of it. Raises JSONDecodeError, and ProtocolError for an item that can't be."""
        self._expect("{")
        names: set[str] = set()
        while not self._skips("}"):
            if names:
                self._expect(",")
            name = self._name()
            if name in names:
                raise ProtocolError("invalid_value", f"{name}: is there twice", param=name)
            names.add(name)
            if name == "items":
                if not self._skips("["):
                    raise ProtocolError("invalid_value", "items: is no list", param="items")
                self._read_items()
            else:
                self.members[name] = self._value()
        if self._peek():
            raise json.JSONDecodeError("more follows its end", self._text, self._at)

    def _read_items(self) -> None:
        while not self._skips("]"):
            if self.items:
                self._expect(",")
            self.items.append(_item(self._value(), len(self.items)))
            _bound(len(self.items), self._most)
            time.sleep(0)  # the engine may have the interpreter

    def _peek(self) -> str:
        found = SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def _skips(self, char: str) -> bool:
        there = self._peek() == char
        self._at += there
        return there

    def _expect(self, char: str) -> None:
        if not self._skips(char):
            raise json.JSONDecodeError(f"expecting {char!r}", self._text, self._at)

    def _name(self) -> str:
        if self._peek() != '"':
            raise json.JSONDecodeError("expecting a name", self._text, self._at)
        name: str = json.loads(self._value())
        self._expect(":")
        return name

    def _value(self) -> str:
        self._peek()
        began = self._at
        _, self._at = DECODER.raw_decode(self._text, began)
        return self._text[began : self._at]


def _item(text: str, number: int) -> BatchItem:
    try:
        return BatchItem.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, ("items", number, *fault["loc"]), "body") from None


def _defaults(text: str) -> SynthesizeOptions:
    try:
        return SynthesizeOptions.model_validate_json(text)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, ("defaults", *fault["loc"]), "body") from None


def _of_files(files: Iterable[bytes], defaults: SynthesizeOptions) -> Asked:
    return _asked((BatchItem(midi=base64.b64encode(file).decode()) for file in files), defaults)


def _bound(items: int, most: int) -> None:
    if items > most:
        raise ProtocolError("over_limit", f"items: more than the {most} that a batch may have", param="items")


def _asked(items: Iterable[BatchItem], defaults: SynthesizeOptions) -> Asked:
    found, digest = [], hashlib.sha256()
    for item in items:
        whole = item.with_defaults(defaults)
        found.append(whole)
        digest.update(whole.model_dump_json().encode() + b"\n")
    if not found:
        raise ProtocolError("missing_field", "items: there are none", param="items")
    return Asked(tuple(found), digest.digest())
