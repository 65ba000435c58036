"""The audio of one session as it arrives, over one connection after another: counted, checked, hashed."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.clients.errors import CorruptError
from ostinato.server.protocol import AudioDone, AudioStart, Encoding, FrameHeader

HEADER_BYTES: Final = len(FrameHeader(0, 0).pack())
SAMPLE_BYTES: Final[Mapping[Encoding, int]] = {"pcm_s16le": 2, "pcm_f32le": 4}


@dataclass(frozen=True, slots=True)
class Block:
    """Some audio, as it came."""

    first_sample: int
    pcm: bytes
    encoding: Encoding

    @property
    def samples(self) -> NDArray[np.float32]:
        """Float32 in [-1, 1]."""
        if self.encoding == "pcm_f32le":
            return np.frombuffer(self.pcm, dtype="<f4").astype(np.float32)
        return np.frombuffer(self.pcm, dtype="<i2").astype(np.float32) / np.float32(32767.0)


class IncomingAudio:
    """What came so far. Each sample comes once: a new connection begins where the last one ended."""

    def __init__(self, encoding: Encoding) -> None:
        self.received = 0  # samples
        self._encoding: Final[Encoding] = encoding
        self._sequence = 0  # of the next frame
        self._hash = hashlib.sha256()

    def reconnect(self) -> None:
        """Expect frames of another connection, which are numbered from 0."""
        self._sequence = 0

    def take(self, frame: bytes) -> Block:
        """The samples of a frame. Raises ProtocolError for its header, CorruptError where it is not the next one."""
        header, pcm = FrameHeader.unpack(frame), frame[HEADER_BYTES:]
        if header.sequence != self._sequence:
            raise CorruptError(f"sequence: {header.sequence} came where {self._sequence} was to come")
        if header.first_sample != self.received:
            raise CorruptError(f"first sample: {header.first_sample} came where {self.received} was to come")
        size = SAMPLE_BYTES[self._encoding]
        if len(pcm) % size:
            raise CorruptError(f"a frame of {len(pcm)} bytes splits a sample")
        self._sequence = (self._sequence + 1) & 0xFFFFFFFF
        self.received += len(pcm) // size
        self._hash.update(pcm)
        return Block(header.first_sample, pcm, self._encoding)

    def check_start(self, start: AudioStart) -> None:
        """Raise CorruptError where the audio of a connection begins elsewhere."""
        if start.sample != self.received:
            raise CorruptError(f"audio.start: sample {start.sample} where {self.received} was to come")

    def check_whole(self, done: AudioDone) -> None:
        """Raise CorruptError where something is missing, or is not what was sent."""
        if done.samples != self.received:
            raise CorruptError(f"samples: {self.received} arrived of {done.samples}")
        if done.sha256 != self._hash.hexdigest():
            raise CorruptError(f"sha256: {self._hash.hexdigest()} arrived, {done.sha256} was sent")
