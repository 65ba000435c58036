"""`ostinato data`, as it is typed."""

import json
from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from ostinato.models.training.dataset import read_dataset
from ostinato.models.training.notes import Note
from tests.models.training.tones import HOP, RATE, tone


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["data", *arguments], env={"COLUMNS": "200"})


def test_a_folder_of_recordings_becomes_a_data_set_and_a_table(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    for key in (60, 62, 64, 65):
        note = Note(key, 100, 0.0, 0.5)
        soundfile.write(mine / f"key{key}.wav", tone(note, note.held(HOP, RATE) + RATE // 4)[0], RATE)
    result = run("--from", str(mine), "--out", str(tmp_path / "set"), "--name", "whistle")
    assert result.exit_code == 0, result.output
    assert "key62.wav" in result.output
    assert "4 files: 4 takes used (1 of them held out), 0 stretches left out; 10 notes" in result.output
    assert read_dataset(tmp_path / "set").instruments[0].name == "whistle"
    again = run("--from", str(mine), "--out", str(tmp_path / "set"), "--name", "whistle", "--json")
    assert json.loads(again.stdout)["used"] == 4
    assert again.stderr == ""  # no bar where it is piped


@pytest.mark.parametrize(
    ("arguments", "fault"),
    [
        (("--only", "kazoo"), "no instrument 'kazoo'; there are flute"),
        (("--from", "nowhere"), "nowhere: no such folder"),
        (("--only", "flute", "--soundfont-folder", "nowhere"), "fluid"),  # the program's or the package's name
    ],
)
def test_what_is_not_there_is_named_in_a_line(tmp_path: Path, arguments: tuple[str, ...], fault: str) -> None:
    result = run(*arguments, "--out", str(tmp_path / "set"))
    assert result.exit_code == 2
    assert fault in result.stderr
    assert not (tmp_path / "set").exists()
