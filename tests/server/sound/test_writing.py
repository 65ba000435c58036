"""Every kind of file, read back by libsndfile."""

from __future__ import annotations

import errno
import io
from typing import Any, get_args

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from ostinato.server.pcm import encode
from ostinato.server.protocol import ProtocolError, SoundFormat, SynthesizeOptions
from ostinato.server.sound.formats import CONTAINERS, SoundSpec, choose
from ostinato.server.sound.tags import SYNTHETIC, tags_of
from ostinato.server.sound.wav import wav_header
from ostinato.server.sound.writing import SoundWriter

RATE = 44100
TAGS = tags_of("tiny", 2**64 - 1)
TONE = (0.4 * np.sin(2 * np.pi * 440.0 * np.arange(RATE) / RATE)).astype(np.float32)
KEPT = [(name, samples) for name, c in CONTAINERS.items() for samples in c.samples]


def spec_of(sound_format: SoundFormat, **options: Any) -> SoundSpec:  # noqa: ANN401
    return choose(SynthesizeOptions(**options), sound_format, RATE)


def written(spec: SoundSpec, *blocks: NDArray[np.float32], into: io.BytesIO | None = None) -> bytes:
    file = into or io.BytesIO()
    with SoundWriter(file, spec, TAGS) as writer:
        for block in blocks:
            writer.write(block)
    return file.getvalue()


def read(content: bytes, spec: SoundSpec, dtype: str = "float64") -> NDArray[Any]:
    raw = {"samplerate": spec.rate, "channels": 1, "subtype": spec.subtype, "format": "RAW", "endian": "LITTLE"}
    with soundfile.SoundFile(io.BytesIO(content), **(raw if spec.format == "pcm" else {})) as file:
        assert (file.samplerate, file.channels, file.subtype) == (spec.rate, 1, spec.subtype)
        return np.asarray(file.read(dtype=dtype))


def test_every_format_of_the_protocol_is_there() -> None:
    assert set(CONTAINERS) == set(get_args(SoundFormat))


@pytest.mark.parametrize(("sound_format", "samples"), KEPT)
def test_what_keeps_samples_keeps_them(sound_format: SoundFormat, samples: str) -> None:
    spec = spec_of(sound_format, sample_format=samples)
    heard = read(written(spec, TONE), spec)
    steps = {"s16": 2.0**15, "s24": 2.0**23, "f32": np.inf}[samples]
    assert np.abs(heard - TONE).max() <= 1.5 / steps
    if samples == "s16":
        assert read(written(spec, TONE), spec, "int16").tobytes() == encode(TONE, "pcm_s16le")


RATES = [(name, rate) for name in CONTAINERS for rate in (8000, 16000, 24000, 44100, 48000, 96000)]


def has(sound_format: SoundFormat, rate: int) -> bool:
    rates = CONTAINERS[sound_format].rates
    return rates is None or rate in rates


@pytest.mark.parametrize(("sound_format", "rate"), [(name, rate) for name, rate in RATES if not has(name, rate)])
def test_a_rate_that_a_format_lacks_is_refused_with_those_it_has(sound_format: SoundFormat, rate: int) -> None:
    with pytest.raises(ProtocolError) as refusal:
        spec_of(sound_format, sample_rate=rate)
    assert refusal.value.detail.param == "sample_rate"
    assert all(str(there) in str(refusal.value) for there in CONTAINERS[sound_format].rates or ())


@pytest.mark.parametrize(("sound_format", "rate"), [(name, rate) for name, rate in RATES if has(name, rate)])
def test_another_rate_keeps_pitch_and_length(sound_format: SoundFormat, rate: int) -> None:
    spec = spec_of(sound_format, sample_rate=rate)
    heard = read(written(spec, TONE), spec)
    assert abs(len(heard) - rate) <= 1
    level = np.abs(np.fft.rfft(heard * np.hanning(len(heard))))
    assert np.argmax(level) * rate / len(heard) == pytest.approx(440.0, abs=1.0)
    middle = heard[rate // 4 : -rate // 4]
    assert np.sqrt(np.mean(middle**2)) == pytest.approx(0.4 / np.sqrt(2), rel=0.05)


@pytest.mark.parametrize("sound_format", [name for name in CONTAINERS if name != "pcm"])
def test_a_file_says_that_a_machine_made_it_from_which_model_and_seed(sound_format: SoundFormat) -> None:
    with soundfile.SoundFile(io.BytesIO(written(spec_of(sound_format), TONE))) as file:
        assert file.comment == f"{SYNTHETIC}; model: tiny; seed: {2**64 - 1}"
        assert file.title == f"tiny, seed {2**64 - 1}"


@given(st.integers(0, 10_000), st.sampled_from(["tiny", "a.b", "odd"]), st.integers(0, 2**64 - 1))
def test_the_head_of_a_wav_is_exact(samples: int, model: str, seed: int) -> None:
    pcm = encode(TONE[:samples], "pcm_s16le")
    content = wav_header(samples, RATE, tags_of(model, seed)) + pcm
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    with soundfile.SoundFile(io.BytesIO(content)) as file:
        assert (file.frames, file.samplerate) == (samples, RATE)
        assert file.read(dtype="int16").tobytes() == pcm
        assert SYNTHETIC in file.comment


@given(
    st.sampled_from([("flac", 44100), ("wav", 96000), ("ogg", 44100), ("opus", 48000), ("mp3", 44100), ("flac", 8000)]),
    st.lists(st.integers(1, 9000), max_size=12),
)
def test_however_a_stream_is_cut_the_sound_is_the_same(kind: tuple[SoundFormat, int], cuts: list[int]) -> None:
    spec = spec_of(kind[0], sample_rate=kind[1])
    blocks = np.split(TONE, np.cumsum(cuts)[np.cumsum(cuts) < len(TONE)])
    assert read(written(spec, *blocks), spec).tobytes() == read(written(spec, TONE), spec).tobytes()


def test_what_is_beyond_full_scale_is_clipped_not_wrapped() -> None:
    square = np.sign(TONE + 1e-9).astype(np.float32)  # overshoots once it is resampled
    for samples in ("s16", "s24"):
        spec = spec_of("wav", sample_format=samples, sample_rate=96000)
        heard = read(written(spec, square), spec)
        assert heard.max() > 0.999
        assert (
            heard * np.sign(np.interp(np.arange(len(heard)) / 96000, np.arange(RATE) / RATE, square)) > -0.5
        ).mean() > 0.97


@pytest.mark.parametrize(
    ("sound_format", "options", "param"),
    [
        ("flac", {"sample_format": "f32"}, "sample_format"),
        ("mp3", {"sample_format": "s16"}, "sample_format"),
        ("opus", {"sample_rate": 44100}, "sample_rate"),
    ],
)
def test_what_a_format_lacks_is_told_with_what_it_has(
    sound_format: SoundFormat, options: dict[str, Any], param: str
) -> None:
    with pytest.raises(ProtocolError) as refusal:
        spec_of(sound_format, **options)
    assert refusal.value.detail.param == param
    assert str(next(iter(options.values()))) in str(refusal.value)


@given(st.sampled_from(sorted(CONTAINERS)), st.integers(1, 5 * RATE))
def test_no_file_is_bigger_than_was_reckoned_with(sound_format: SoundFormat, samples: int) -> None:
    spec = spec_of(sound_format)
    noise = np.random.default_rng(samples).uniform(-1, 1, samples).astype(np.float32)
    assert len(written(spec, noise)) <= spec.most_bytes(samples)


class Full(io.BytesIO):
    """A file on a disk that has room for 4 KiB."""

    def write(self, data: Any) -> int:  # noqa: ANN401
        if self.tell() + len(data) > 4096:
            raise OSError(errno.ENOSPC, "No space left on device")
        return super().write(data)


@pytest.mark.parametrize("sound_format", get_args(SoundFormat))
def test_a_full_disk_is_told_as_what_it_is(sound_format: SoundFormat) -> None:
    noise = np.random.default_rng(1).uniform(-0.5, 0.5, RATE).astype(np.float32)
    with pytest.raises(OSError, match="No space left"):
        written(spec_of(sound_format), noise, into=Full())
