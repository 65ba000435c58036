"""Batches of short notes, and what becomes of them."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import httpx
import soundfile  # type: ignore[import-untyped]

from tests.server.serving import Served, eventually

FORMATS = ("wav", "flac", "ogg", "opus", "mp3", "pcm")


def item(number: int, **fields: Any) -> dict[str, Any]:  # noqa: ANN401
    """A note of its own."""
    return {"notes": [{"note": 48 + number % 24, "duration_s": 0.05 + 0.01 * (number % 7)}], **fields}


def post(server: Served, items: list[dict[str, Any]], *, headers: dict[str, str] | None = None) -> httpx.Response:
    return httpx.post(f"{server.url}/v1/batches", json={"items": items}, headers=headers, timeout=60)


def posted(server: Served, items: list[dict[str, Any]], *, headers: dict[str, str] | None = None) -> str:
    """The id of a batch that is accepted."""
    answer = post(server, items, headers=headers)
    assert answer.status_code == 202, answer.text
    batch: str = answer.json()["id"]
    assert answer.headers["location"] == f"/v1/batches/{batch}"
    return batch


def get(server: Served, path: str, **options: Any) -> httpx.Response:  # noqa: ANN401
    return httpx.get(f"{server.url}/v1/batches/{path}", timeout=60, **options)


def status(server: Served, batch: str, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    answer = get(server, batch, **options)
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def done(server: Served, batch: str, patience_s: float = 60.0, **options: Any) -> dict[str, Any]:  # noqa: ANN401
    """How a batch stands once it is over."""
    assert eventually(lambda: status(server, batch, **options)["ended_at"] is not None, patience_s)
    return status(server, batch, **options)


def decoded(content: bytes) -> str:
    """The sha256 of the samples in a file, whose containers may hold times and serial numbers."""
    samples, _ = soundfile.read(io.BytesIO(content), dtype="int16")
    return hashlib.sha256(samples.tobytes()).hexdigest()


def all_decoded(server: Served, batch: str, items: int) -> list[str]:
    """Of every item of a batch that is done."""
    files = [get(server, f"{batch}/items/{n}/audio") for n in range(items)]
    assert all(file.status_code == 200 for file in files)
    return [decoded(file.content) for file in files]
