"""The body of a batch, read item by item, so that no one who plays waits for the whole of it to be parsed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import re
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from pydantic import Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ostinato.server.batches.pauses import Pauses
from ostinato.server.protocol import BatchItem, ProtocolError, SynthesizeOptions
from ostinato.server.protocol.faults import explain
from ostinato.server.protocol.message import Message

SPACE: Final = re.compile(r"[ \t\n\r]*")
DECODER: Final = json.JSONDecoder()
PIECE: Final = 64 * 1024  # of a form that is parsed before others have their turn
FORM_FIELDS: Final = 8


class Digest(Protocol):
    """One of hashlib's."""

    def update(self, data: bytes, /) -> None:
        """Take more."""

    def digest(self) -> bytes:
        """Of all that was taken."""
        ...


class Head(Message):
    """All of a JSON body but its items."""

    defaults: SynthesizeOptions = Field(default_factory=SynthesizeOptions)


@dataclass(frozen=True)
class Asked:
    """What a body asks for. Items are kept as text: a collection of garbage that walks thousands holds everybody up."""

    texts: tuple[str, ...]  # of items, each of which can be read
    defaults: SynthesizeOptions
    digest: bytes  # the same for the same request, however it was written

    def items(self) -> Iterator[BatchItem]:
        """Each item, what it leaves open being decided by the defaults."""
        for text in self.texts:
            yield BatchItem.model_validate_json(text).with_defaults(self.defaults)


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
    return _asked(reader.texts, reader.digest, head.defaults)


async def read_form(headers: Headers, body: bytes, most: int) -> Asked:
    """A multipart form: each file a MIDI file, and `defaults` as JSON. Raises ProtocolError."""

    async def pieces() -> AsyncIterator[bytes]:
        for at in range(0, len(body), PIECE):
            yield body[at : at + PIECE]
            await asyncio.sleep(0)

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
        self.texts: list[str] = []  # of items
        self.digest = hashlib.sha256()  # of them, as they are meant
        self._text, self._at, self._most = text, 0, most
        self._pauses = Pauses()

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
            if self.texts:
                self._expect(",")
            text = self._value()
            self.digest.update(_plain(_item(text, len(self.texts))))
            self.texts.append(text)
            if len(self.texts) > self._most:
                message = f"items: more than the {self._most} that a batch may have"
                raise ProtocolError("over_limit", message, param="items")
            self._pauses.take()

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
    texts, digest, pauses = [], hashlib.sha256(), Pauses()
    for file in files:
        item = BatchItem(midi=base64.b64encode(file).decode())
        texts.append(item.model_dump_json(exclude_defaults=True))
        digest.update(_plain(item))
        pauses.take()
    return _asked(texts, digest, defaults)


def _asked(texts: Sequence[str], digest: Digest, defaults: SynthesizeOptions) -> Asked:
    if not texts:
        raise ProtocolError("missing_field", "items: there are none", param="items")
    digest.update(_plain(defaults))
    return Asked(tuple(texts), defaults, digest.digest())


def _plain(options: SynthesizeOptions) -> bytes:
    """The same for the same options, in whatever order they were given."""
    controls = dict(sorted(options.controls.items()))
    return options.model_copy(update={"controls": controls}).model_dump_json().encode() + b"\n"
