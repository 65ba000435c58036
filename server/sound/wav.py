"""The head of a WAV file whose length is known before its samples are."""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import asdict
from typing import Final

from ostinato.server.sound.tags import Tags

SAMPLE_BYTES: Final = 2
INFO_CHUNKS: Final[Mapping[str, bytes]] = {"title": b"INAM", "artist": b"IART", "comment": b"ICMT", "software": b"ISFT"}


def wav_header(samples: int, sample_rate: int, tags: Tags) -> bytes:
    """All that comes before 16-bit mono PCM of this exact length: the format, the tags, the length."""
    data = samples * SAMPLE_BYTES
    byte_rate = sample_rate * SAMPLE_BYTES
    chunks = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, byte_rate, SAMPLE_BYTES, 16) + _info(tags)
    chunks += struct.pack("<4sI", b"data", data)
    return struct.pack("<4sI4s", b"RIFF", 4 + len(chunks) + data, b"WAVE") + chunks


def _info(tags: Tags) -> bytes:
    """A LIST chunk; each of its parts ends with a 0, and begins at an even place."""
    parts = b"INFO"
    for name, text in asdict(tags).items():
        value = text.encode() + b"\0"
        parts += struct.pack("<4sI", INFO_CHUNKS[name], len(value)) + value + b"\0" * (len(value) % 2)
    return struct.pack("<4sI", b"LIST", len(parts)) + parts
