"""Ways to sample a random model, compared on toy notes: every figure is there, from this run."""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
from typer.testing import CliRunner

from ostinato.clients.cli import app
from ostinato.models.benching.machine import this_machine
from ostinato.models.checkpoint import save_checkpoint
from ostinato.models.comparing.comparison import BASELINE, Plan, Row, run
from ostinato.models.comparing.shown import HEAD, draw, markdown, slowest_first
from ostinato.models.comparing.ways import shipped, ways_of
from ostinato.models.registry import RANDOM, load, random_checkpoint
from ostinato.models.training.dataset import DatasetError
from ostinato.models.training.notes import Split
from ostinato.models.training.recipe import draft_config
from tests.models.training.tones import write_recordings

PLAN = Plan(notes=1, seconds=0.02, together=2)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_recordings(folder, split=Split.VELOCITY)
    return folder


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model with a draft."""
    folder = tmp_path_factory.mktemp("models") / "tiny"
    checkpoint = load("tiny")
    save_checkpoint(checkpoint, folder)
    save_checkpoint(random_checkpoint(draft_config(checkpoint.config)), folder / "draft")
    return folder


@pytest.fixture(scope="module")
def rows(data: Path, model: Path) -> list[Row]:
    return run(ways_of([str(model)], ("native", "speculative", "naive")), data, PLAN)


def test_every_way_of_a_model_is_compared_and_the_baseline_too(rows: list[Row]) -> None:
    found = {(row.engine, row.precision) for row in rows}
    assert {("native", "float32"), ("native", "int8"), ("speculative", "float32"), ("naive", "float32")} <= found
    assert [row.name for row in rows if row.cost is None] == [BASELINE]


def test_figures_are_finite_and_of_the_same_notes(rows: list[Row]) -> None:
    played = [row.quality for row in rows if row.quality]
    assert len({quality.notes for quality in played}) == 1
    assert all(math.isfinite(value) for quality in played for value in vars(quality).values())
    for row in rows:
        if row.cost:
            assert row.cost.stream_bytes > 0
            assert row.cost.rtf == pytest.approx(row.cost.us_per_sample * 0.0441)


def test_likelihood_is_of_a_model_and_precision_whatever_samples_it(rows: list[Row]) -> None:
    bits = {(row.engine, row.precision): row.likelihood for row in rows}
    assert bits["native", "float32"] == bits["speculative", "float32"]
    assert bits["native", "float32"] is not None


def test_what_takes_hours_is_timed_and_not_played(rows: list[Row]) -> None:
    (naive,) = (row for row in rows if row.engine == "naive")
    assert naive.quality is None
    assert naive.cost is not None


def test_the_table_and_the_picture_show_every_row(rows: list[Row], tmp_path: Path) -> None:
    lines = markdown(slowest_first(rows)).splitlines()
    assert len(lines) == 2 + len(rows)
    assert all(line.count("|") == len(HEAD) + 1 for line in lines)
    draw(rows, this_machine(), tmp_path / "chart.svg")
    assert BASELINE not in (tmp_path / "chart.svg").read_text(encoding="utf-8").split("<svg")[0]
    assert (tmp_path / "chart.svg").stat().st_size > 10_000


def test_trained_models_join_by_being_shipped() -> None:
    assert "default" in shipped()
    assert not set(shipped()) & set(RANDOM)


def test_the_command_prints_a_table_or_json_and_fills_the_place_in_a_file(
    data: Path, model: Path, tmp_path: Path
) -> None:
    page = tmp_path / "page.md"
    page.write_text("before\n<!-- compare -->\nold\n<!-- /compare -->\nafter\n", encoding="utf-8")
    options = ["--model", str(model), "--engine", "native", "--data", str(data), "--notes", "1", "--seconds", "0.02"]
    told = CliRunner().invoke(app, ["compare", *options, "--table", str(page)])
    assert told.exit_code == 0, told.output
    text = page.read_text(encoding="utf-8")
    assert "old" not in text
    assert "native int8" in text
    found = json.loads(CliRunner().invoke(app, ["compare", *options, "--json"]).stdout)
    assert set(found) == {"machine", "rows"}
    assert {row["name"] for row in found["rows"]} >= {"tiny, native float32", BASELINE}
    assert found["rows"][0].keys() == asdict(run(ways_of([str(model)], ("native",)), data, PLAN)[0]).keys()


def test_a_data_set_without_held_out_notes_is_refused(model: Path, tmp_path: Path) -> None:
    write_recordings(tmp_path)
    with pytest.raises(DatasetError, match="no note was left out of training"):
        run(ways_of([str(model)], ("native",)), tmp_path, PLAN)


@pytest.mark.parametrize("wrong", [["--engine", "quick"], ["--model", "nonesuch"], ["--data", "nowhere"]])
def test_what_can_not_be_compared_is_told(wrong: list[str]) -> None:
    told = CliRunner().invoke(app, ["compare", *wrong])
    assert told.exit_code == 2
    assert wrong[1] in told.output
