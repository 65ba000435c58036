"""Which kinds of sound file there are, what each can hold, and which one a request asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.server.protocol import Encoding, ProtocolError, SampleFormat, SoundFormat, SynthesizeOptions

PCM_SUBTYPES: Final[Mapping[SampleFormat, str]] = {"s16": "PCM_16", "s24": "PCM_24", "f32": "FLOAT"}
SAMPLE_BYTES: Final[Mapping[SampleFormat, int]] = {"s16": 2, "s24": 3, "f32": 4}
LOSSY_BYTES_PER_S: Final = 40_000  # more than any lossy encoder here makes of one channel
BESIDE_BYTES: Final = 64 * 1024  # of a file, beside its samples, at most

MP3_RATES: Final = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
OPUS_RATES: Final = (8000, 12000, 16000, 24000, 48000)


@dataclass(frozen=True, slots=True)
class Container:
    """A kind of file, by the names that libsndfile has for it."""

    media_type: str
    suffix: str
    major: str
    lossy: str | None = None  # the subtype of one that keeps no samples
    samples: tuple[SampleFormat, ...] = ()  # that it can keep; the first where none is asked for
    rates: tuple[int, ...] | None = None  # Hz, in order; None: any


CONTAINERS: Final[Mapping[SoundFormat, Container]] = {
    "wav": Container("audio/wav", "wav", "WAV", samples=("s16", "s24", "f32")),
    "flac": Container("audio/flac", "flac", "FLAC", samples=("s16", "s24")),
    "ogg": Container("audio/ogg", "ogg", "OGG", lossy="VORBIS"),
    "opus": Container("audio/ogg; codecs=opus", "opus", "OGG", lossy="OPUS", rates=OPUS_RATES),
    "mp3": Container("audio/mpeg", "mp3", "MP3", lossy="MPEG_LAYER_III", rates=MP3_RATES),
    "pcm": Container("audio/pcm", "pcm", "RAW", samples=("s16", "s24", "f32")),
}


@dataclass(frozen=True, slots=True)
class SoundSpec:
    """One kind of file, of one channel, all of it decided."""

    format: SoundFormat
    samples: SampleFormat | None  # None: lossy
    rate: int  # Hz
    source_rate: int  # Hz, of what is drawn

    @property
    def container(self) -> Container:
        """The kind of file."""
        return CONTAINERS[self.format]

    @property
    def subtype(self) -> str:
        """What libsndfile calls its samples."""
        if self.samples is not None:
            return PCM_SUBTYPES[self.samples]
        assert self.container.lossy is not None
        return self.container.lossy

    @property
    def exact(self) -> bool:
        """Whether it is what is drawn, byte by byte, so that it can be sent at once and its length is known."""
        return self.format in ("wav", "pcm") and self.samples == "s16" and self.rate == self.source_rate

    @property
    def encoding(self) -> Encoding:
        """What a session is asked for to make it."""
        return "pcm_s16le" if self.exact else "pcm_f32le"

    def most_bytes(self, samples: int) -> int:
        """What a file of so many samples at the source's rate takes at most."""
        seconds = samples / self.source_rate
        per_s = LOSSY_BYTES_PER_S if self.samples is None else SAMPLE_BYTES[self.samples] * self.rate
        return BESIDE_BYTES + round(seconds * per_s)


def choose(options: SynthesizeOptions, sound_format: SoundFormat, source_rate: int) -> SoundSpec:
    """What is asked for, in a format, of a model that draws at this rate.

    Raises:
        ProtocolError: naming what the format has, where that is something else.
    """
    container = CONTAINERS[sound_format]
    samples, rate = options.sample_format, options.sample_rate
    if samples is not None and samples not in container.samples:
        there = ", ".join(container.samples) or "none, since it keeps no samples"
        raise _lacks("sample_format", f"{sound_format} has {there}", samples)
    if rate is not None and container.rates is not None and rate not in container.rates:
        raise _lacks("sample_rate", f"{sound_format} has {', '.join(map(str, container.rates))} Hz", rate)
    if samples is None and container.samples:
        samples = container.samples[0]
    return SoundSpec(sound_format, samples, rate or _nearest(container, source_rate), source_rate)


def _nearest(container: Container, source_rate: int) -> int:
    """The source's rate, or the next above that the container has, else its highest."""
    if container.rates is None:
        return source_rate
    return next((rate for rate in container.rates if rate >= source_rate), container.rates[-1])


def _lacks(param: str, message: str, value: object) -> ProtocolError:
    return ProtocolError("unsupported_format", f"{param}: {message} (value: {value!r})", param=param)
