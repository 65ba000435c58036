"""A sound as it is sent: PCM as it is drawn, or a file of another kind once it is whole."""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator, AsyncIterator
from typing import BinaryIO, Final

import numpy as np

from ostinato.server.aside import aside, entered_aside
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


async def contain(
    blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags
) -> AsyncGenerator[bytes, None]:
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
            await aside(file.write, piece)
        return
    async with entered_aside(lambda: SoundWriter(file, spec, tags)) as writer:
        async for block in blocks:
            await aside(writer.write, np.frombuffer(block, dtype="<f4"))


async def _encode(
    blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags
) -> AsyncGenerator[bytes, None]:
    """Encoded off the event loop, into a file on disk, since its header is written last."""
    async with entered_aside(tempfile.TemporaryFile) as file:
        await fill(file, blocks, spec, samples, tags)
        await aside(file.seek, 0)
        while piece := await aside(file.read, CHUNK_BYTES):
            yield piece
