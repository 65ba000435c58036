"""`ostinato train`, as it is typed."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
import torch
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from ostinato.models.checkpoint import load_checkpoint
from ostinato.models.training import running
from ostinato.models.training.recipe import BlockPlan
from tests.models.training.tones import write_recordings


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["train", *arguments], env={"COLUMNS": "200"})


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """What `train` is called with, in place of training."""
    given: dict[str, Any] = {}
    monkeypatch.setattr(running, "train", lambda **options: given.update(options))
    return given


def test_a_data_set_becomes_a_model_that_can_be_gone_on_with(tmp_path: Path) -> None:
    data, out = tmp_path / "data", tmp_path / "whistle"
    write_recordings(data)
    options = ["--data", str(data), "--out", str(out), "--seed", "7"]
    first = run(*options, "--steps", "1")
    assert first.exit_code == 0, first.output
    assert "bits per sample" in first.output
    assert json.loads((out / "config.json").read_text())["name"] == "whistle"
    again = run(*options, "--steps", "2", "--resume")
    assert again.exit_code == 0, again.output
    assert "step 2" in again.output
    assert [i.name for i in load_checkpoint(out).config.instruments] == ["tone"]


def test_plain_train_is_the_orchestra_on_a_cpu(called: dict[str, Any]) -> None:
    assert run().exit_code == 0
    assert (called["data"], called["out"]) == (Path("data/orchestra"), Path("runs/orchestra"))
    assert (called["device"], called["minutes"], called["steps"]) == ("cpu", 45.0, None)
    assert called["learning_rate"] is None  # the recipe's
    assert called["resume"] is False


def test_every_option_is_handed_on(called: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    result = run(
        "--data", "a", "-o", "b", "--minutes", "3", "--device", "cuda", "--threads", "2", "--learning-rate", "0.002",
        "--seed", "9", "--strategy", "nade", "--steering", "default",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert called == {
        "data": Path("a"), "out": Path("b"), "minutes": 3.0, "steps": None, "device": "cuda", "threads": 2,
        "learning_rate": 0.002, "strategy": "nade", "plan": None, "steering": "default", "seed": 9,
        "resume": False,
    }  # fmt: skip


def test_blocks_are_of_the_length_and_the_inside_that_were_asked_for(called: dict[str, Any]) -> None:
    assert run("--strategy", "blocks", "--block", "4", "--inside", "parallel").exit_code == 0
    assert called["plan"] == BlockPlan(block=4, inside="parallel")
    assert run("--strategy", "blocks").exit_code == 0
    assert called["plan"] is None  # the recipe's


def test_blocks_alone_have_a_length() -> None:
    result = run("--strategy", "nade", "--block", "4")
    assert result.exit_code != 0
    assert "--block, --inside: these are for --strategy blocks, not nade" in result.output


def test_steps_stand_in_place_of_minutes(called: dict[str, Any]) -> None:
    assert run("--steps", "12").exit_code == 0
    assert (called["minutes"], called["steps"]) == (None, 12)


def test_the_help_says_that_a_gpu_takes_the_same_command() -> None:
    text = " ".join(run("--help").output.split())
    assert "in the background of a CPU, or with the same command on a GPU" in text
    assert "--resume" in text
    assert "data/orchestra" in text


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--data", "nowhere"), "--data: nowhere: no index.json; make the data set first"),
        (("--resume", "--out", "none"), f"--resume: none{os.sep}state.pt: nothing to resume"),
        (("--device", "cuda"), "--device: 'cuda' was asked for, but torch finds no GPU here"),
        (
            ("--strategy", "blocks", "--block", "3"),
            "ostinato: --block: 3 does not divide the hop of 64 (1, 2, 4, 8, 16, 32, 64)\n",
        ),
        (("--steering", "nothing"), "--steering: model: 'nothing' is not known; known are "),
        (("--device", "abacus"), "'abacus'"),
        (("--out", "file"), "'file' is a file"),
        (("--minutes", "0"), "'--minutes': 0.0 is outside 0.01..100000"),
        (("--steps", "0"), "'--steps': 0 is outside 1..1000000000"),
        (("--threads", "0"), "'--threads': 0 is outside 1..1024"),
        (("--learning-rate", "nan"), "'--learning-rate': nan is outside 1e-07..1"),
        (("--seed", "-1"), "'--seed': -1 is outside 0.."),
    ],
)
def test_what_can_not_work_is_one_line_that_names_it(
    arguments: tuple[str, ...], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    Path("file").touch()
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.startswith("ostinato: ")
    assert result.stderr.count("\n") == 1
    assert {path.name for path in tmp_path.iterdir()} == {"file"}
