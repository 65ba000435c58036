"""Crops and hops: what is heard at one moment of one recording, and a past that can be trusted."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.config import WaveNetConfig
from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise
from ostinato.models.registry import random_config
from ostinato.models.training.crops import Corpus, CropPlan, Crops, Span, draw_start
from ostinato.models.training.dataset import Recording
from ostinato.models.training.demodulation import SILENT, demodulate
from ostinato.models.training.losses import emphasised
from tests.models.training.tones import HOP, RATE, recordings

FIELD = 256
PLAN = CropPlan(count=4, samples=2048)
CPU = torch.device("cpu")


def config() -> WaveNetConfig:
    return random_config("tiny").wavenet


@pytest.fixture(scope="module")
def toy() -> list[Recording]:
    return recordings()


@pytest.fixture(scope="module")
def corpus(toy: list[Recording]) -> Corpus:
    return Corpus(toy, config(), CPU)


def cut(corpus: Corpus, which: int, start: int) -> Crops:
    return corpus.cut([corpus.spans[which].first], [start], PLAN.samples, FIELD)


@pytest.mark.parametrize("which", range(4))
@pytest.mark.parametrize("start", [0, 5 * HOP, 268 * HOP])
def test_a_crop_is_its_recording_at_that_place(toy: list[Recording], corpus: Corpus, which: int, start: int) -> None:
    recording, crops = toy[which], cut(corpus, which, start)
    here, hops = slice(start, start + PLAN.samples), slice(start // HOP, (start + PLAN.samples) // HOP)
    np.testing.assert_array_equal(crops.audio[0, 1:], recording.audio[here])
    np.testing.assert_array_equal(crops.phase[0] >> 32, recording.phase[here] >> 32)  # which harmonics take
    np.testing.assert_array_equal(crops.frames[0], recording.frames[hops])
    assert crops.audio[0, 0] == (recording.audio[start - 1] if start else 0.0)


def test_a_crop_from_the_onset_begins_in_silence_and_counts_whole(corpus: Corpus) -> None:
    for which in range(4):
        crops = cut(corpus, which, 0)
        assert crops.audio[0, 0] == 0
        assert crops.counted.all()


def test_a_crop_from_within_counts_once_the_field_is_filled(corpus: Corpus) -> None:
    counted = cut(corpus, 1, HOP).counted[0]
    assert not counted[: FIELD - 1].any()
    assert counted[FIELD - 1 :].all()


@pytest.mark.parametrize("start", [0, 3 * HOP])
def test_pre_emphasis_of_a_crop_is_that_of_the_whole_note(toy: list[Recording], corpus: Corpus, start: int) -> None:
    whole = emphasise(torch.from_numpy(toy[2].audio), config().pre_emphasis)
    found = emphasised(cut(corpus, 2, start), config())[0]
    torch.testing.assert_close(found, whole[start : start + PLAN.samples], rtol=0, atol=0)


def test_the_gate_closes_in_the_frame_of_the_release(toy: list[Recording], corpus: Corpus) -> None:
    release = toy[0].release
    gate = cut(corpus, 0, release - 4 * HOP).frames[0, :, FRAME.index("gate")]
    assert gate.tolist() == [1.0] * 4 + [0.0] * (PLAN.samples // HOP - 4)


@given(
    length=st.integers(32, 3000), release=st.floats(0.1, 0.95), onsets=st.floats(0, 1), seed=st.integers(0, 2**32 - 1)
)
def test_a_crop_begins_on_a_hop_and_lies_within_its_recording(
    length: int, release: float, onsets: float, seed: int
) -> None:
    span = Span(0, length * HOP, int(release * length) * HOP)
    plan = CropPlan(samples=2048, onsets=onsets, releases=(1 - onsets) / 2)
    rng = np.random.default_rng(seed)
    for _ in range(10):
        start = draw_start(span, plan, FIELD, HOP, rng)
        assert start % HOP == 0
        assert 0 <= start <= span.length - plan.samples


@given(st.integers(0, 2**32 - 1), st.integers(64, 400))
def test_a_release_falls_where_the_loss_counts(seed: int, release: int) -> None:
    span, plan = Span(0, 500 * HOP, release * HOP), CropPlan(samples=2048, onsets=0.0, releases=1.0)
    start = draw_start(span, plan, FIELD, HOP, np.random.default_rng(seed))
    assert FIELD <= span.release - start <= plan.samples - HOP  # and a hop of it, at least, is heard


def test_onsets_and_releases_are_seen_more_often_than_they_last(corpus: Corpus) -> None:
    span, rng = corpus.spans[0], np.random.default_rng(1)
    starts = np.array([draw_start(span, PLAN, FIELD, HOP, rng) for _ in range(2000)])
    released = (starts + FIELD <= span.release) & (span.release < starts + PLAN.samples)
    assert np.mean(starts == 0) > PLAN.onsets * 0.9
    assert np.mean(released) > PLAN.releases * 0.9


def test_a_batch_is_a_function_of_its_generator_alone(corpus: Corpus) -> None:
    first, again, other = (corpus.draw(PLAN, FIELD, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert first.audio.shape == (PLAN.count, 1 + PLAN.samples)
    assert first.frames.shape == (PLAN.count, PLAN.samples // HOP, len(FRAME))
    for name in ("audio", "frames", "phase", "counted"):
        assert torch.equal(getattr(first, name), getattr(again, name))
    assert not torch.equal(first.phase, other.phase)
    hops, same, others = (corpus.draw_hops(50, np.random.default_rng(seed)) for seed in (5, 5, 6))
    assert torch.equal(hops.frames, same.frames)
    assert torch.equal(hops.log_levels, same.log_levels)
    assert not torch.equal(hops.frames, others.frames)


def test_hops_carry_what_is_heard_in_the_recording_they_come_from(toy: list[Recording], corpus: Corpus) -> None:
    net, hops = config(), corpus.draw_hops(200, np.random.default_rng(0))
    assert net.tone is not None
    found = [
        demodulate(
            emphasise(torch.from_numpy(r.audio), net.pre_emphasis), torch.from_numpy(r.phase), r.note.hertz,
            net.tone.harmonics, hop=HOP, sample_rate=RATE,
        )
        for r in toy
    ]  # fmt: skip
    for frame, log_levels, phases in zip(hops.frames, hops.log_levels, hops.phases, strict=True):
        (which,) = (i for i, r in enumerate(toy) if np.array_equal(r.frames[0, :2], frame[:2]))
        place = round(float(frame[FRAME.index("since_onset")]) * RATE / HOP)
        np.testing.assert_array_equal(frame, toy[which].frames[place])
        heard = found[which][place]
        torch.testing.assert_close(log_levels, heard.abs().log().clamp(min=SILENT), rtol=0, atol=0.01)
        apart = 1 - torch.cos(phases - heard.angle())
        assert apart.max() < 1e-5


def test_hops_of_onsets_and_releases_come_more_often_than_they_last(toy: list[Recording], corpus: Corpus) -> None:
    frames = corpus.draw_hops(6000, np.random.default_rng(2)).frames
    since, gate = frames[:, FRAME.index("since_onset")], frames[:, FRAME.index("gate")]
    anywhere = 1 - toy[0].release / len(toy[0].audio)
    soon = min(1.0, 0.3 * RATE / len(toy[0].audio))
    assert float((gate == 0).float().mean()) > 1 / 6 + anywhere / 2 - 0.05
    assert float((since < 0.3).float().mean()) > 1 / 3 + soon / 2 - 0.05


def test_a_model_without_a_tone_has_no_harmonics_to_hear(toy: list[Recording]) -> None:
    plain = config().model_copy(update={"tone": None})
    assert Corpus(toy, plain, CPU).draw_hops(3, np.random.default_rng(0)).log_levels.shape == (3, 0)


def test_silence_is_told_from_the_faintest_level(corpus: Corpus) -> None:
    levels = corpus.draw_hops(500, np.random.default_rng(3)).log_levels
    assert levels.min() >= SILENT
    assert levels.max() < math.log(0.5)
