"""Batches and items as the queue's database tells them."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Kept:
    """A batch."""

    seq: int
    id: str
    owner: str
    digest: bytes
    created: float  # seconds since 1970
    ended: float | None
    removed: int  # 1: its files are, and what was still to be drawn is cancelled


@dataclass(frozen=True, slots=True)
class Tally:
    """Items of a batch in one state."""

    state: str
    items: int
    seconds: float


@dataclass(frozen=True, slots=True)
class Standing:
    """How a batch stands, at one moment."""

    kept: Kept
    tallies: list[Tally]
    failures: list[tuple[int, str]]  # the first items that failed, each with its error as JSON
    ahead_s: float  # seconds of sound to be drawn until it is done, if those before it go first
    models: set[str]  # that its items wait for


@dataclass(frozen=True, slots=True)
class KeptItem:
    """An item."""

    n: int
    options: str  # JSON
    seconds: float
    state: str
    bytes: int | None
    error: str | None  # JSON
    warnings: str  # JSON


@dataclass(frozen=True, slots=True)
class Claim:
    """An item that is somebody's turn."""

    seq: int
    batch: str
    n: int
    request: str
    seconds: float
    most_bytes: int
