"""Crops: audio, frames, phase and mask of one moment, and a past that can be trusted."""

import numpy as np
import pytest
import torch

from ostinato.models.controls import FRAME
from ostinato.models.excitation import emphasise
from ostinato.models.training.crops import CropPlan, Crops, crop, draw_crops, draw_start
from ostinato.models.training.loop import emphasised
from ostinato.models.training.recipe import default_config
from tests.models.training.tones import HOP, RATE, recordings

FIELD = 256
PLAN = CropPlan(count=4, samples=2048)


@pytest.mark.parametrize("start", [0, 5 * HOP, 20 * HOP])
def test_frames_and_phase_line_up_with_the_note(start: int) -> None:
    recording = recordings()[0]
    audio, frames, phase, _ = crop(recording, start, 2048, FIELD, HOP)
    np.testing.assert_array_equal(audio[1:], recording.audio[start : start + 2048])
    np.testing.assert_array_equal(phase, recording.phase[start : start + 2048])
    since_onset = frames[:, FRAME.index("since_onset")]
    np.testing.assert_allclose(since_onset, (start + HOP * np.arange(2048 // HOP)) / RATE, rtol=1e-6)


def test_gate_closes_in_the_frame_of_the_release() -> None:
    recording = recordings()[0]
    gate = recording.frames[:, FRAME.index("gate")]
    assert int(np.argmin(gate)) * HOP == recording.release
    assert np.all(gate[: recording.release // HOP] == 1)


def test_onset_counts_whole_and_the_middle_only_after_the_field() -> None:
    recording = recordings()[0]
    assert crop(recording, 0, 2048, FIELD, HOP)[3].all()
    counted = crop(recording, HOP, 2048, FIELD, HOP)[3]
    assert not counted[: FIELD - 1].any()
    assert counted[FIELD - 1 :].all()


def test_pre_emphasis_of_a_crop_is_that_of_the_whole_note() -> None:
    recording, config = recordings()[0], default_config().network
    parts = crop(recording, 3 * HOP, 2048, FIELD, HOP)
    crops = Crops(*(torch.from_numpy(part[None]) for part in parts))
    whole = emphasise(torch.from_numpy(recording.audio), config.pre_emphasis)
    torch.testing.assert_close(emphasised(crops, config)[0], whole[3 * HOP : 3 * HOP + 2048], rtol=0, atol=0)


def test_starts_lie_on_hops_within_the_recording() -> None:
    recording, rng = recordings()[0], np.random.default_rng(0)
    starts = [draw_start(recording, PLAN, FIELD, HOP, rng) for _ in range(500)]
    assert all(s % HOP == 0 and 0 <= s <= len(recording.audio) - PLAN.samples for s in starts)


def test_onsets_and_releases_are_seen_more_often_than_they_last() -> None:
    recording, rng = recordings()[0], np.random.default_rng(1)
    starts = np.array([draw_start(recording, PLAN, FIELD, HOP, rng) for _ in range(2000)])
    released = (starts + FIELD <= recording.release + HOP) & (recording.release <= starts + PLAN.samples)
    assert np.mean(starts == 0) > PLAN.onsets * 0.9
    assert np.mean(released) > PLAN.releases * 0.9


def test_a_batch_is_a_function_of_its_generator() -> None:
    first, second = (draw_crops(recordings(), PLAN, FIELD, HOP, np.random.default_rng(5)) for _ in range(2))
    assert first.audio.shape == (4, 2049)
    assert torch.equal(first.audio, second.audio)
    assert torch.equal(first.phase, second.phase)
