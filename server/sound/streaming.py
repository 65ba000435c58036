"""A sound as it is sent: PCM as it is drawn, or a file of another kind once it is whole."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Callable
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
    """The file that holds these blocks of PCM, piece by piece, where the spec is exact."""
    yield _head(spec, samples, tags)
    async for block in blocks:
        yield block


async def encode(
    file: Callable[[], BinaryIO], blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags
) -> AsyncGenerator[bytes, None]:
    """The same for any spec, made as a file off the event loop first, since its header is written last."""
    async with entered_aside(file) as opened:
        await fill(opened, blocks, spec, samples, tags)
        await aside(opened.seek, 0)
        while piece := await aside(opened.read, CHUNK_BYTES):
            yield piece


def _head(spec: SoundSpec, samples: int, tags: Tags) -> bytes:
    return wav_header(samples, spec.rate, tags) if spec.format == "wav" else b""


async def fill(file: BinaryIO, blocks: AsyncIterator[bytes], spec: SoundSpec, samples: int, tags: Tags) -> None:
    """Write the file that holds these blocks. Raises OSError."""
    if spec.exact:
        async for piece in contain(blocks, spec, samples, tags):
            await aside(file.write, piece)
        return
    async with entered_aside(lambda: SoundWriter(file, spec, tags)) as writer:
        async for block in blocks:
            await aside(writer.write, np.frombuffer(block, dtype="<f4"))
