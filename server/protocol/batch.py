"""The bodies of `/v1/batches`: what is asked for, how it stands, what became of each item."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from pydantic import Field, field_validator, model_validator

from ostinato.server.protocol.http import (
    NOTES,
    HttpErrorDetail,
    SampleFormat,
    SoundFormat,
    SynthesizeNote,
    SynthesizeOptions,
)
from ostinato.server.protocol.message import Message

ITEMS: Final = 10_000  # of a batch at most
PAGE: Final = 1000  # items told at once at most
BatchState: TypeAlias = Literal["queued", "running", "done", "cancelled"]
ItemState: TypeAlias = Literal["queued", "running", "done", "failed", "cancelled"]


class BatchItem(SynthesizeOptions):
    """One sound: a list of notes or a MIDI file, and how it is made."""

    notes: tuple[SynthesizeNote, ...] | None = Field(None, min_length=1, max_length=NOTES)
    midi: str | None = None  # a MIDI file as base64

    @field_validator("midi")
    @classmethod
    def _check_midi(cls, value: str | None) -> str | None:
        try:
            base64.b64decode(value or "", validate=True)
        except binascii.Error as error:
            raise ValueError(f"is no base64: {error}") from None
        return value

    @model_validator(mode="after")
    def _check_score(self) -> BatchItem:
        if (self.notes is None) == (self.midi is None):
            raise ValueError("an item has either notes or midi")
        return self

    def with_defaults(self, defaults: SynthesizeOptions) -> BatchItem:
        """The same item, what it leaves open being decided by these."""
        given: dict[str, Any] = {
            name: getattr(defaults, name) for name in SynthesizeOptions.model_fields if getattr(self, name) is None
        }
        return self.model_copy(update={**given, "controls": {**defaults.controls, **self.controls}})


class BatchRequest(Message):
    """`POST /v1/batches`."""

    items: tuple[BatchItem, ...] = Field(min_length=1, max_length=ITEMS)
    defaults: SynthesizeOptions = Field(default_factory=SynthesizeOptions)  # of items that do not say


class BatchCounts(Message):
    """How many items are in each state."""

    queued: int = 0
    running: int = 0
    done: int = 0
    failed: int = 0
    cancelled: int = 0


class BatchFailure(Message):
    """An item that can't be had, and why."""

    item: int
    error: HttpErrorDetail


class BatchStatus(Message):
    """How a batch stands."""

    id: str
    state: BatchState
    items: int
    counts: BatchCounts
    progress: float = Field(ge=0.0, le=1.0)  # of all that is to be drawn
    audio_s: float  # seconds of sound in all
    eta_s: float | None  # until it is done, as things go; None where that is not known, or it is over
    created_at: str  # ISO 8601, UTC
    ended_at: str | None
    expires_at: str | None  # when it is forgotten, with its files; None until it is over
    failures: tuple[BatchFailure, ...] = ()  # the first hundred
    missing_models: tuple[str, ...] = ()  # that items wait for, and that the server does not serve now


class BatchItemStatus(Message):
    """How an item stands, and what it was decided to be."""

    item: int
    state: ItemState
    model: str
    seed: int
    format: SoundFormat
    sample_format: SampleFormat | None
    sample_rate: int
    controls: Mapping[str, float | str]
    audio_s: float
    bytes: int | None  # of its file, once it is there
    warnings: tuple[str, ...] = ()
    error: HttpErrorDetail | None = None


class BatchItems(Message):
    """`GET /v1/batches/{id}/items`: a page of them."""

    items: tuple[BatchItemStatus, ...]
    first: int
    next: int | None  # where the next page begins; None: there is none


class BatchItemsQuery(Message):
    """Which page."""

    first: int = Field(0, ge=0, lt=2**31)
    limit: int = Field(100, ge=1, le=PAGE)


class Batches(Message):
    """`GET /v1/batches`: those of the key that asks, the newest first, a hundred at most."""

    batches: tuple[BatchStatus, ...]
