"""An item of a batch, read from its text and written to it some notes at a time, so that thousands hold nobody up."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Final, TypeVar

from pydantic import TypeAdapter, ValidationError

from ostinato.server.batches.pauses import Pauses
from ostinato.server.batches.walk import Walk
from ostinato.server.protocol import NOTES, BatchItem, ProtocolError, SynthesizeNote
from ostinato.server.protocol.faults import explain

SLICE: Final = 128  # notes that are read, or written, at once
SLICES: Final = TypeAdapter(tuple[SynthesizeNote, ...])

T = TypeVar("T")


def read_item(walk: Walk, path: str, pauses: Pauses) -> BatchItem:
    """The item before which a walk stands. Raises ProtocolError, naming the field below `path`."""
    try:
        return _read(walk, path, pauses)
    except json.JSONDecodeError as error:
        raise ProtocolError("malformed_json", f"{path}: not JSON: {error}", param=path) from None


def parse_item(text: str, path: str, pauses: Pauses) -> BatchItem:
    """The item that is all of a text. Raises ProtocolError as `read_item`."""
    return read_item(Walk(text, pauses), path, pauses)


def written(item: BatchItem) -> Iterator[str]:
    """An item as JSON, fields that were not given left out, some notes at a time."""
    if item.notes is None:
        yield item.model_dump_json(exclude_defaults=True)
        return
    rest = item.model_dump_json(exclude_defaults=True, exclude={"notes"})
    yield rest[:-1] + (', "notes": [' if rest != "{}" else '"notes": [')
    for at in range(0, len(item.notes), SLICE):
        yield ("," if at else "") + SLICES.dump_json(item.notes[at : at + SLICE]).decode()[1:-1]
    yield "]}"


def _read(walk: Walk, path: str, pauses: Pauses) -> BatchItem:
    if walk.next() != "{":
        text = walk.value()
        return _checked(lambda: BatchItem.model_validate_json(text), path)
    members: dict[str, str] = {}
    slices: list[str] = []
    for name in walk.members(f"{path}."):
        if name == "notes" and walk.next() == "[":
            slices = list(_slices(walk, path))
            members[name] = slices[0] if slices else "[]"
        else:
            members[name] = walk.value()
    text = ",".join(f"{json.dumps(name)}:{value}" for name, value in members.items())
    item = _checked(lambda: BatchItem.model_validate_json(f"{{{text}}}"), path)
    if item.notes is None or len(slices) < 2:
        return item
    notes = list(item.notes)
    for more in slices[1:]:
        notes += _checked(lambda: SLICES.validate_json(more), f"{path}.notes", len(notes))  # noqa: B023
        pauses.take()
    return item.model_copy(update={"notes": tuple(notes)})


def _slices(walk: Walk, path: str) -> Iterator[str]:
    """The text of a list, as lists that are short."""
    texts: list[str] = []
    for index in walk.elements():
        if index == NOTES:
            message = f"{path}.notes: more than the {NOTES} that an item may have"
            raise ProtocolError("invalid_value", message, param=f"{path}.notes")
        texts.append(walk.value())
        if len(texts) == SLICE:
            yield f"[{','.join(texts)}]"
            texts = []
    if texts:
        yield f"[{','.join(texts)}]"


def _checked(read: Callable[[], T], path: str, first: int = 0) -> T:
    """What is read at a path; first: the number that the first element of a list has."""
    try:
        return read()
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        if fault["type"] == "json_invalid":
            message = fault["msg"].removeprefix("Invalid JSON: ")
            raise ProtocolError("malformed_json", f"{path}: not JSON: {message}", param=path) from None
        location = [part + first if i == 0 and isinstance(part, int) else part for i, part in enumerate(fault["loc"])]
        raise explain(fault, [path, *location], path) from None
