"""A sound as it is sent: PCM as it is drawn, or a file of another kind once it is whole."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from typing import BinaryIO, Final, TypeVar

import numpy as np

from ostinato.server.sound.formats import SoundSpec
from ostinato.server.sound.tags import Tags
from ostinato.server.sound.wav import SAMPLE_BYTES, wav_header
from ostinato.server.sound.writing import SoundWriter

T = TypeVar("T")
CHUNK_BYTES: Final = 64 * 1024


def content_length(spec: SoundSpec, samples: int, tags: Tags) -> int | None:
    """Bytes of the whole file, where that is known before it is drawn."""
    if not spec.exact:
        return None
    return samples * SAMPLE_BYTES + len(_head(spec, samples, tags))


async def contain(blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags) -> AsyncIterator[bytes]:
    """The file that holds these blocks of PCM, in the spec's encoding, piece by piece."""
    if not spec.exact:
        async for piece in _encode(blocks, spec, samples, tags):
            yield piece
        return
    yield _head(spec, samples, tags)
    async for block in blocks:
        yield block


def _head(spec: SoundSpec, samples: int, tags: Tags) -> bytes:
    return wav_header(samples, spec.rate, tags) if spec.format == "wav" else b""


async def fill(file: BinaryIO, blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags) -> None:
    """Write the file that holds these blocks, as `contain`. Raises OSError."""
    if spec.exact:
        async for piece in contain(blocks, spec, samples, tags):
            await _whole(file.write, piece)
        return
    with SoundWriter(file, spec, tags) as writer:
        async for block in blocks:
            await _whole(writer.write, np.frombuffer(block, dtype="<f4"))


async def _encode(blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags) -> AsyncIterator[bytes]:
    """Encoded off the event loop, into a file on disk, since its header is written last."""
    with tempfile.TemporaryFile() as file:
        await fill(file, blocks, spec, samples, tags)
        file.seek(0)
        while piece := await asyncio.to_thread(file.read, CHUNK_BYTES):
            yield piece


async def _whole(call: Callable[[T], object], value: T) -> None:
    """A call in a thread, which is over when this is, also where it is cancelled: a file is closed by one at a time."""
    running = asyncio.create_task(asyncio.to_thread(call, value))
    try:
        await asyncio.shield(running)
    except asyncio.CancelledError:
        await asyncio.wait([running])
        with suppress(Exception):
            running.result()
        raise
