"""`ostinato quantize`, as it is typed."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from ostinato.models.checkpoint import save_checkpoint
from ostinato.models.training.notes import Split
from tests.models.training.test_quantizing import small, write_data


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["quantize", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def options(tmp_path: Path) -> list[str]:
    save_checkpoint(small(), tmp_path / "small")
    return ["--model", str(tmp_path / "small"), "--data", str(write_data(tmp_path / "data", Split.PITCH))]


def test_the_cost_is_told_for_each_instrument_and_what_auto_makes_of_it(options: list[str]) -> None:
    result = run(*options)
    assert result.exit_code == 0, result.output
    lines = [line.split() for line in result.output.splitlines() if line]
    assert [line[0] for line in lines[1:3]] == ["tone", "all"]
    assert lines[-1][:3] in (["auto", "takes", "int8:"], ["auto", "stays", "with"])


def test_json_holds_the_calibration_and_the_costs(options: list[str]) -> None:
    told = json.loads(run(*options, "--json").output)
    assert told["extra_bits"] == pytest.approx(told["bits_int8"] - told["bits_float32"])
    assert told["instruments"][0]["instrument"] == "tone"
    assert len(told["hidden"]) == 3


def test_a_data_set_that_is_not_there_is_named(tmp_path: Path) -> None:
    save_checkpoint(small(), tmp_path / "small")
    result = run("--model", str(tmp_path / "small"), "--data", str(tmp_path / "none"))
    assert result.exit_code == 2
    assert "none" in result.output
