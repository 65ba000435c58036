"""Sound files as they are sent: 16-bit PCM as it is drawn, or compressed once it is whole."""

from __future__ import annotations

import asyncio
import struct
import tempfile
from collections.abc import AsyncIterator
from typing import Final

import numpy as np
import soundfile  # type: ignore[import-untyped]

from ostinato.server.protocol import SoundFormat

MEDIA_TYPES: Final[dict[SoundFormat, str]] = {
    "wav": "audio/wav",
    "flac": "audio/flac",
    "ogg": "audio/ogg",
    "pcm": "audio/pcm",
}
COMPRESSED: Final[dict[SoundFormat, tuple[str, str]]] = {"flac": ("FLAC", "PCM_16"), "ogg": ("OGG", "VORBIS")}
SAMPLE_BYTES: Final = 2
CHUNK_BYTES: Final = 64 * 1024


def wav_header(samples: int, sample_rate: int) -> bytes:
    """The 44 bytes before 16-bit mono PCM of this exact length."""
    data = samples * SAMPLE_BYTES
    chunks = struct.pack("<4sI4s", b"RIFF", 36 + data, b"WAVE")
    chunks += struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, sample_rate, sample_rate * SAMPLE_BYTES, SAMPLE_BYTES, 16)
    return chunks + struct.pack("<4sI", b"data", data)


def content_length(sound: SoundFormat, samples: int) -> int | None:
    """Bytes of the whole file, where that is known before it is drawn."""
    if sound in COMPRESSED:
        return None
    return samples * SAMPLE_BYTES + (44 if sound == "wav" else 0)


async def contain(
    blocks: AsyncIterator[bytes], sound: SoundFormat, samples: int, sample_rate: int
) -> AsyncIterator[bytes]:
    """The file that holds these blocks of 16-bit PCM, piece by piece."""
    if sound in COMPRESSED:
        async for piece in _compress(blocks, sound, sample_rate):
            yield piece
        return
    if sound == "wav":
        yield wav_header(samples, sample_rate)
    async for block in blocks:
        yield block


async def _compress(blocks: AsyncIterator[bytes], sound: SoundFormat, sample_rate: int) -> AsyncIterator[bytes]:
    """Encoded off the event loop, into a file on disk, since its header is written last."""
    container, subtype = COMPRESSED[sound]
    with tempfile.TemporaryFile() as file:
        with soundfile.SoundFile(file, "w", sample_rate, 1, subtype, format=container) as writer:
            async for block in blocks:
                await asyncio.to_thread(writer.write, np.frombuffer(block, dtype="<i2"))
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece
