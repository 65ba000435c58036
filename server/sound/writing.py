"""A sound file from the samples of a session, at another rate where that is asked for. Blocking."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from types import TracebackType
from typing import BinaryIO, Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
import soxr  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.server.pcm import encode
from ostinato.server.sound.formats import SoundSpec
from ostinato.server.sound.tags import Tags

PIECE: Final = 4096  # samples that an encoder is given at once, so that the cutting of a stream changes nothing
SCALE_24: Final = float(2**23 - 1)


class SoundWriter:
    """Writes one sound; the same file for the same samples, however they are cut.

    Args:
        file: open for writing, seekable.
        spec: what it is to be.
        tags: what it says of itself, where the format can.

    Raises:
        OSError: where it can't be written, here and in `write` and `close`.
    """

    def __init__(self, file: BinaryIO, spec: SoundSpec, tags: Tags) -> None:
        self._spec = spec
        self._sink = Sink(file)
        options = {"samplerate": spec.rate, "channels": 1, "subtype": spec.subtype, "format": spec.container.major}
        if spec.format == "pcm":
            options["endian"] = "LITTLE"
        with self._sink.watched():
            self._sound = soundfile.SoundFile(self._sink, "w", **options)
            if spec.format != "pcm":
                for name, text in asdict(tags).items():
                    setattr(self._sound, name, text)
        self._resampled = (
            None
            if spec.rate == spec.source_rate
            else soxr.ResampleStream(spec.source_rate, spec.rate, 1, dtype="float32", quality="HQ")
        )
        self._waiting = np.zeros(0, dtype=np.float32)

    def write(self, samples: NDArray[np.float32]) -> None:
        """The next samples, in [-1, 1], at the source's rate."""
        self._waiting = np.concatenate((self._waiting, samples))
        whole = len(self._waiting) // PIECE * PIECE
        for at in range(0, whole, PIECE):
            self._encode(self._waiting[at : at + PIECE])
        self._waiting = self._waiting[whole:]

    def close(self) -> None:
        """Write what is left, and the head."""
        try:
            self._encode(self._waiting, last=True)
        finally:
            with self._sink.watched():
                self._sound.close()

    def _encode(self, samples: NDArray[np.float32], *, last: bool = False) -> None:
        if self._resampled is not None:
            samples = self._resampled.resample_chunk(samples, last=last)
        if len(samples):
            with self._sink.watched():
                self._sound.write(quantized(samples, self._spec))

    def __enter__(self) -> SoundWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._sound.close()


class Sink:
    """A file as libsndfile writes to it: through C, which no exception passes, so the first is kept for its caller."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._fault: OSError | None = None

    def read(self, size: int = -1) -> bytes:
        """So many bytes."""
        return self._file.read(size)

    def write(self, data: bytes) -> int:
        """How many bytes were written: none after a fault."""
        return self._kept(lambda: self._file.write(data))

    def seek(self, offset: int, whence: int = 0) -> int:
        """Go to a place, for which what waits may have to be written."""
        return self._kept(lambda: self._file.seek(offset, whence))

    def tell(self) -> int:
        """The place."""
        return self._file.tell()

    def _kept(self, call: Callable[[], int]) -> int:
        if self._fault is None:
            try:
                return call()
            except OSError as error:
                self._fault = error
        return 0

    @contextmanager
    def watched(self) -> Iterator[None]:
        """Raise an OSError that `write` kept, whatever libsndfile made of it."""
        try:
            yield
        finally:
            if self._fault is not None:
                raise self._fault from None


def quantized(samples: NDArray[np.float32], spec: SoundSpec) -> NDArray[np.generic]:
    """Samples as libsndfile is to take them, so that it changes none: 24 bits stand at the top of 32."""
    match spec.samples:
        case "s16":
            return np.frombuffer(encode(samples, "pcm_s16le"), dtype="<i2")
        case "s24":
            scaled = np.rint(np.clip(samples.astype(np.float64), -1.0, 1.0) * SCALE_24)
            return scaled.astype(np.int32) << 8
        case "f32":
            return samples
        case None:
            return np.clip(samples, -1.0, 1.0)
