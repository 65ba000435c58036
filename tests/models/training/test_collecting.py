"""A folder of recordings becomes a data set and a report."""

import json
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models.training import measures
from ostinato.models.training.collecting import choose_held_out, collect_data, velocity_of
from ostinato.models.training.dataset import DatasetError, read_dataset
from ostinato.models.training.notes import Note, Split
from ostinato.models.training.takes import Take
from tests.models.training.tones import HOP, RATE, tone


def write(folder: Path, name: str, key: float, level: float = 0.2) -> None:
    note = Note(key, 100, 0.0, 0.5)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, tone(note, note.held(HOP, RATE) + RATE // 4, level=level)[0], RATE)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Eight notes in two folders, one of them quiet, one called velocity 30, and two files of no use."""
    folder, out = tmp_path_factory.mktemp("mine"), tmp_path_factory.mktemp("data") / "set"
    for i, key in enumerate((60, 62, 63.97, 65, 67, 69)):
        write(folder, f"{i}.wav", key)
    write(folder, "more/quiet.flac", 71, level=0.02)
    write(folder, "more/soft_v30.wav", 71)
    (folder / "text.wav").write_text("no sound")
    (folder / "notes.txt").write_text("not looked at")
    soundfile.write(folder / "silent.wav", np.zeros(RATE), RATE)
    collect_data(folder, out=out, name="my flute", licence="CC0-1.0")
    return folder, out


def test_every_take_is_there_and_the_trained_ones_also_resampled(made: tuple[Path, Path]) -> None:
    dataset = read_dataset(made[1])
    by_take: dict[str, list[Note]] = {}
    for recording in dataset.recordings:
        by_take.setdefault(recording.note.recording, []).append(recording.note)
    assert len(by_take) == 8
    held_out = [notes for notes in by_take.values() if notes[0].split is not Split.TRAIN]
    assert len(held_out) == 1
    assert all(len(notes) == 1 for notes in held_out)  # and nothing of it elsewhere
    assert all(len(notes) == 3 for notes in by_take.values() if notes not in held_out)


def test_each_note_sounds_as_high_as_it_says_and_its_release_is_shaped(made: tuple[Path, Path]) -> None:
    for recording in read_dataset(made[1]).recordings:
        sustain = recording.audio[4000 : recording.release - 1000]
        assert measures.pitch_cents(sustain, recording.note.hertz, RATE) == pytest.approx(0, abs=3)
        down = recording.release + round(0.28 * RATE)
        assert measures.level_db(recording.audio[down:]) < measures.level_db(sustain) - 45
        assert recording.audio[-1] == 0


def test_velocities_follow_the_level_or_the_name(made: tuple[Path, Path]) -> None:
    velocities = {r.note.recording.split("@")[0]: r.note.velocity for r in read_dataset(made[1]).recordings}
    assert velocities["0.wav"] == pytest.approx(127, abs=2)
    assert velocities["more/quiet.flac"] == pytest.approx(127 / np.sqrt(10), abs=2)  # 20 dB
    assert velocities["more/soft_v30.wav"] == 30


def test_the_instrument_is_named_and_reaches_a_little_beyond_what_was_found(made: tuple[Path, Path]) -> None:
    dataset = read_dataset(made[1])
    assert [(i.name, i.low, i.high) for i in dataset.instruments] == [("my flute", 58, 73)]
    assert dataset.sources[0].licence == "CC0-1.0"


def test_the_report_tells_of_each_file(made: tuple[Path, Path]) -> None:
    report = json.loads((made[1] / "report.json").read_text())
    assert report["used"] == 8
    assert report["notes"] == 8 + 2 * 7
    told = {row["file"]: row for row in report["rows"]}
    assert told["2.wav"]["key"] == 64
    assert told["2.wav"]["cents"] == pytest.approx(-3, abs=1)
    assert told["silent.wav"]["split"] is None
    assert told["text.wav"]["remark"].startswith("unreadable")
    assert "notes.txt" not in told
    assert "| more/quiet.flac |" in (made[1] / "report.md").read_text()


def test_the_same_folder_gives_the_same_set(made: tuple[Path, Path], tmp_path: Path) -> None:
    folder, out = made
    collect_data(folder, out=tmp_path / "again", name="my flute", licence="CC0-1.0")
    assert (tmp_path / "again" / "index.json").read_text() == (out / "index.json").read_text()


def test_what_can_not_become_a_data_set_is_named(made: tuple[Path, Path], tmp_path: Path) -> None:
    with pytest.raises(DatasetError, match="no such folder"):
        collect_data(tmp_path / "none", out=tmp_path / "out")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DatasetError, match="no recordings"):
        collect_data(tmp_path / "empty", out=tmp_path / "out")
    (tmp_path / "empty" / "text.wav").write_text("no sound")
    with pytest.raises(DatasetError, match=r"nothing can be used \(text\.wav: unreadable"):
        collect_data(tmp_path / "empty", out=tmp_path / "out")
    for out in (made[0], made[0] / "set", made[0].parent):
        with pytest.raises(DatasetError, match="can't lie in one another"):
            collect_data(made[0], out=out)
    with pytest.raises(DatasetError, match=r"empty is no part of a data set"):
        collect_data(made[0], out=tmp_path)


def takes(count: int) -> list[Take]:
    return [
        Take("a.wav", float(i), np.zeros(HOP, dtype=np.float32), HOP, 60.0 + i, -20, None, None) for i in range(count)
    ]


@given(st.integers(1, 60))
def test_one_take_in_six_is_held_out_and_never_the_outermost(count: int) -> None:
    held_out = choose_held_out(takes(count))
    assert len(held_out) == pytest.approx(count / 6, abs=1)
    assert held_out or count < 4
    assert not held_out & {0, count - 1} or count == 1


@given(st.floats(-200, 0), st.floats(-200, 0))
def test_louder_is_never_a_lower_velocity(a: float, b: float) -> None:
    assert 1 <= velocity_of(min(a, b)) <= velocity_of(max(a, b)) <= 127
