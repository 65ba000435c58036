"""The body of a batch, read item by item, so that no one who plays waits for the whole of it to be parsed."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Final, Protocol, TypeVar

from pydantic import Field, ValidationError
from starlette.datastructures import Headers, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser

from ostinato.server.batches.item import parse_item, read_item, written
from ostinato.server.batches.pauses import Pauses
from ostinato.server.batches.walk import Walk
from ostinato.server.protocol import BatchItem, ProtocolError, SynthesizeOptions
from ostinato.server.protocol.faults import explain
from ostinato.server.protocol.message import Message

PIECE: Final = 64 * 1024  # of a form that is parsed before others have their turn
FORM_FIELDS: Final = 8

Options = TypeVar("Options", bound=SynthesizeOptions)


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
        """Each item, what it leaves open being decided by the defaults. Takes long, and rests as it goes."""
        pauses = Pauses()
        for number, text in enumerate(self.texts):
            yield parse_item(text, f"items[{number}]", pauses).with_defaults(self.defaults)
            pauses.take()


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
    except json.JSONDecodeError as error:
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
    """Reads the text of a JSON object: members as they stand, but `items` one by one."""

    def __init__(self, text: str, most: int) -> None:
        self.members: dict[str, str] = {}
        self.texts: list[str] = []  # of items
        self.digest = hashlib.sha256()  # of them, as they are meant
        self._most, self._pauses = most, Pauses()
        self._walk = Walk(text, self._pauses)

    def read(self) -> None:
        """Read all of it. Raises JSONDecodeError, and ProtocolError for an item that can't be."""
        for name in self._walk.members():
            if name != "items":
                self.members[name] = self._walk.value()
            elif self._walk.next() == "[":
                self._read_items()
            else:
                raise ProtocolError("invalid_value", "items: is no list", param="items")
        self._walk.end()

    def _read_items(self) -> None:
        for number in self._walk.elements():
            if number == self._most:
                message = f"items: more than the {self._most} that a batch may have"
                raise ProtocolError("over_limit", message, param="items")
            began = self._walk.at
            item = read_item(self._walk, f"items[{number}]", self._pauses)
            self.texts.append(self._walk.since(began))
            _digest(self.digest, item, self._pauses)


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
        _digest(digest, item, pauses)
        pauses.take()
    return _asked(texts, digest, defaults)


def _asked(texts: Sequence[str], digest: Digest, defaults: SynthesizeOptions) -> Asked:
    if not texts:
        raise ProtocolError("missing_field", "items: there are none", param="items")
    digest.update(_ordered(defaults).model_dump_json().encode())
    return Asked(tuple(texts), defaults, digest.digest())


def _digest(digest: Digest, item: BatchItem, pauses: Pauses) -> None:
    for piece in written(_ordered(item)):
        digest.update(piece.encode())
        pauses.take()
    digest.update(b"\n")


def _ordered(options: Options) -> Options:
    """The same for the same options, in whatever order they were given."""
    return options.model_copy(update={"controls": dict(sorted(options.controls.items()))})
