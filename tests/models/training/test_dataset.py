"""The data set on disk, and what is refused."""

import json
from pathlib import Path

import numpy as np
import pytest

from ostinato.models.controls import FRAME
from ostinato.models.training.dataset import INDEX, PHASE, DatasetError, Recording, read_dataset
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.writing import PEAK
from tests.models.training.tones import HOP, RATE, recordings, tone, write_recordings


def test_written_set_is_read_again_with_its_gain(tmp_path: Path) -> None:
    gain, written = write_recordings(tmp_path), recordings()
    dataset = read_dataset(tmp_path)
    assert dataset.sources[0].gain == gain
    assert [i.name for i in dataset.instruments] == ["tone"]
    assert [r.note for r in dataset.recordings] == [r.note for r in written]
    assert max(float(np.abs(r.audio).max()) for r in dataset.recordings) == pytest.approx(PEAK, abs=1e-4)
    for a, b in zip(dataset.recordings, written, strict=True):
        np.testing.assert_allclose(a.audio, b.audio * gain, atol=2.0**-15)
        np.testing.assert_array_equal(a.frames, b.frames)
        assert a.release == b.release
    assert dataset.of_split(Split.PITCH) == []


def test_phase_between_the_stored_hops_is_the_tracked_one(tmp_path: Path) -> None:
    write_recordings(tmp_path)
    for read, tracked in zip(read_dataset(tmp_path).recordings, recordings(), strict=True):
        apart = (read.phase - tracked.phase) / 2.0**64  # the difference wraps as the phase does
        assert np.abs(apart).max() < 0.002


def test_frames_carry_the_instrument() -> None:
    note = Note(69, 100, 0.0, 0.1, instrument=3)
    recording = Recording.of(note, tone(note, 100 * HOP)[0], hop=HOP, sample_rate=RATE)
    assert np.all(recording.frames[:, FRAME.index("instrument")] == 3)


def test_missing_set_and_recording_are_named(tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="ostinato data"):
        read_dataset(tmp_path)
    write_recordings(tmp_path)
    file = json.loads((tmp_path / INDEX).read_text())["notes"][1]["file"]
    (tmp_path / file).unlink()
    with pytest.raises(DatasetError, match=file):
        read_dataset(tmp_path)


def test_missing_or_foreign_phases_are_named(tmp_path: Path) -> None:
    write_recordings(tmp_path)
    (tmp_path / PHASE).write_bytes(b"no zip")
    with pytest.raises(DatasetError, match=PHASE):
        read_dataset(tmp_path)
    np.savez(tmp_path / PHASE, drift=np.zeros(3, dtype=np.float32), hops=np.array([3]))
    with pytest.raises(DatasetError, match="phases of 1 notes, but the index has 4"):
        read_dataset(tmp_path)


def test_a_note_of_no_instrument_is_refused(tmp_path: Path) -> None:
    write_recordings(tmp_path)
    index = json.loads((tmp_path / INDEX).read_text())
    index["notes"][0]["instrument"] = 1
    (tmp_path / INDEX).write_text(json.dumps(index))
    with pytest.raises(DatasetError, match="not among the 1"):
        read_dataset(tmp_path)


@pytest.mark.parametrize("content", ["{", "{}", '{"sample_rate": 44100, "hop": 64, "notes": [{"file": 3}]}'])
def test_broken_index_is_named(tmp_path: Path, content: str) -> None:
    (tmp_path / INDEX).write_text(content)
    with pytest.raises(DatasetError, match="index"):
        read_dataset(tmp_path)
