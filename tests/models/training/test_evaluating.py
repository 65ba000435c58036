"""The evaluation from end to end, on toy notes and random weights: all that it writes is there, and agrees."""

import json
import re
from pathlib import Path
from typing import Any

import pytest
import soundfile  # type: ignore[import-untyped]

from ostinato.models.config import Instrument
from ostinato.models.registry import load, random_checkpoint
from ostinato.models.training import bars
from ostinato.models.training.dataset import DatasetError, read_dataset
from ostinato.models.training.evaluating import Plan, bits_of_notes, choose_cases, evaluate, report_json
from ostinato.models.training.kinds import kinds_of
from ostinato.models.training.recipe import instrument_config
from ostinato.models.training.summary import report_text, temperatures_text
from ostinato.models.training.temperatures import sweep
from tests.models.training.tones import write_recordings

PLAN = Plan(held=0, bent=1, slots=4, jobs=1, page_notes=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder)
    return folder


@pytest.fixture(scope="module")
def out(data: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    folder = tmp_path_factory.mktemp("out")
    return folder, evaluate(model="tiny", data=data, out=folder, plan=PLAN)


def test_the_file_holds_what_is_returned_and_printed(out: tuple[Path, dict[str, Any]]) -> None:
    folder, report = out
    text = (folder / "evaluation.json").read_text(encoding="utf-8")
    assert text == report_json(report) + "\n"
    assert json.loads(text)["temperature"] == load("tiny").config.temperature


def test_every_note_is_measured_and_judged(out: tuple[Path, dict[str, Any]]) -> None:
    _, report = out
    assert len(report["notes"]) == 4
    rows = {row["name"]: row for row in report["bars"]}
    assert rows[bars.LEVEL.name]["of"] == 4
    assert rows[bars.BENT_PITCH.name]["of"] == 2
    tone = report["instruments"]["tone"]
    assert tone["splits"]["train"]["bits_of_notes"] == 2
    assert tone["splits"]["train"]["baseline"]["notes"] == 4


def test_the_page_is_whole_without_a_network(out: tuple[Path, dict[str, Any]]) -> None:
    folder, _ = out
    page = (folder / "index.html").read_text(encoding="utf-8")
    assert not re.search(r"https?://", page)
    found = re.search(r'<script type="application/json" id="report">(.*)</script>', page)
    assert found is not None
    notes = json.loads(found[1])["notes"]
    shown = [note["media"] for note in notes if "media" in note]
    assert len(notes) == 4
    assert len(shown) == 2
    for media in shown:
        for which in ("recording", "model", "baseline"):
            audio, rate = soundfile.read(folder / f"{media}-{which}.flac")
            assert rate == 44100
            assert len(audio) > 0
            assert (folder / f"{media}-{which}.png").read_bytes().startswith(b"\x89PNG")
        assert "<svg" in (folder / f"{media}-spectrum.svg").read_text(encoding="utf-8")


def test_the_card_and_the_pictures_are_there(out: tuple[Path, dict[str, Any]]) -> None:
    folder, report = out
    card = (folder / "card.md").read_text(encoding="utf-8")
    for row in report["bars"]:
        assert f"| {row['name']} |" in card
    tables = [block for block in card.split("\n\n") if block.startswith("|")]
    for table in tables:
        assert len({line.count("|") for line in table.splitlines()}) == 1
    for name in ("spectrograms.png", "figures.png"):
        assert 1000 < (folder / name).stat().st_size < 400_000


def test_the_summary_names_every_bar_and_split(out: tuple[Path, dict[str, Any]]) -> None:
    _, report = out
    text = report_text(report)
    assert all(row["name"] in text for row in report["bars"])
    assert "tone, train" in text


def test_temperatures_are_compared_on_the_same_notes(data: Path) -> None:
    rows = sweep([0.0, 1.0], model="tiny", data=data, plan=PLAN)
    assert [(row["temperature"], row["instrument"], row["notes"]) for row in rows] == [
        (t, name, 4) for t in (0.0, 1.0) for name in ("all", "tone")
    ]
    assert rows[0]["log_mel_db"] != rows[2]["log_mel_db"]
    assert len(temperatures_text(rows).splitlines()) == 5


def test_every_so_manieth_note_of_each_split_is_chosen(data: Path) -> None:
    dataset, checkpoint = read_dataset(data), load("tiny")
    cases = choose_cases(dataset, kinds_of(dataset), checkpoint, Plan(every=3))
    assert [case.recording.note for case in cases] == [dataset.recordings[i].note for i in (0, 3)]


def test_an_instrument_that_is_not_there_is_refused(data: Path) -> None:
    with pytest.raises(DatasetError, match="no instrument 'lute'; there are tone"):
        evaluate(model="tiny", data=data, plan=Plan(only="lute"))


def test_what_has_no_density_of_samples_has_no_bits() -> None:
    model = random_checkpoint(instrument_config([Instrument(name="one")], name="some", strategy="hybrid"))
    assert bits_of_notes(model, "float32", [], 1) == {}
