"""A sound as it is sent: PCM as it is drawn, or a file of another kind once it is whole."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator
from typing import Final

import numpy as np

from ostinato.server.sound.formats import SoundSpec
from ostinato.server.sound.tags import Tags
from ostinato.server.sound.wav import SAMPLE_BYTES, wav_header
from ostinato.server.sound.writing import SoundWriter

CHUNK_BYTES: Final = 64 * 1024


def content_length(spec: SoundSpec, samples: int, tags: Tags) -> int | None:
    """Bytes of the whole file, where that is known before it is drawn."""
    if not spec.exact:
        return None
    return samples * SAMPLE_BYTES + len(_head(spec, samples, tags))


async def contain(blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags) -> AsyncIterator[bytes]:
    """The file that holds these blocks of PCM, in the spec's encoding, piece by piece."""
    if not spec.exact:
        async for piece in _encode(blocks, spec, tags):
            yield piece
        return
    yield _head(spec, samples, tags)
    async for block in blocks:
        yield block


def _head(spec: SoundSpec, samples: int, tags: Tags) -> bytes:
    return wav_header(samples, spec.rate, tags) if spec.format == "wav" else b""


async def _encode(blocks: AsyncIterator[bytes], spec: SoundSpec, tags: Tags) -> AsyncIterator[bytes]:
    """Encoded off the event loop, into a file on disk, since its header is written last."""
    with tempfile.TemporaryFile() as file:
        with SoundWriter(file, spec, tags) as writer:
            async for block in blocks:
                await asyncio.to_thread(writer.write, np.frombuffer(block, dtype="<f4"))
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece
