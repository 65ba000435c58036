"""A sound file from the samples of a session, at another rate where that is asked for. Blocking."""

from __future__ import annotations

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
        options = {"samplerate": spec.rate, "channels": 1, "subtype": spec.subtype, "format": spec.container.major}
        if spec.format == "pcm":
            options["endian"] = "LITTLE"
        self._sound = soundfile.SoundFile(file, "w", **options)
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
        self._encode(self._waiting, last=True)
        self._sound.close()

    def _encode(self, samples: NDArray[np.float32], *, last: bool = False) -> None:
        if self._resampled is not None:
            samples = self._resampled.resample_chunk(samples, last=last)
        if len(samples):
            self._sound.write(quantized(samples, self._spec))

    def __enter__(self) -> SoundWriter:
        return self

    def __exit__(self, kind: type[BaseException] | None, _: BaseException | None, __: TracebackType | None) -> None:
        if kind is None:
            self.close()
        else:
            self._sound.close()


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
