"""`ostinato bench`: rows for people and for programs, bars with an exit code, a table in its place."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from ostinato.models.benching import interference, report, rows
from ostinato.models.benching.bars import Bar, judge

TINY = ["bench", "--model", "tiny", "--engine", "native", "--precision", "float32", "--seconds", "0.01"]


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200"})


@pytest.fixture(autouse=True)
def quiet(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that always looks quiet, and at once."""
    monkeypatch.setattr(interference, "LOOK_S", 0.01)
    monkeypatch.setattr(interference, "BUSY_SHARE", 2.0)


def test_a_table_for_people() -> None:
    result = run(*TINY)
    assert (result.exit_code, result.stderr) == (0, "")
    head, *table = result.stdout.split("\n\n")[0].splitlines()
    assert head.split()[:5] == ["model", "engine", "precision", "isa", "streams"]
    assert [line.split()[4] for line in table] == ["1", "8", "16"]
    assert "one core with" in result.stdout.splitlines()[-1]


def test_the_same_for_programs() -> None:
    result = run(*TINY, "--streams", "2", "--json", "--threads", "1")
    told = json.loads(result.stdout)
    assert set(told) == {"machine", "limits", "busy", "share_of_others", "rows", "bars"}
    assert set(told["machine"]) == {"cpu", "cores", "system", "python"}
    assert told["busy"] is False
    (row,) = told["rows"]
    assert (row["model"], row["engine"], row["precision"], row["slots"]) == ("tiny", "native", "float32", 2)
    assert row["roofline_us"] > 0
    assert row["fraction_of_roofline"] > 0
    assert told["bars"] == []


def test_a_busy_machine_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(interference, "BUSY_SHARE", -1.0)
    result = run(*TINY, "--streams", "1", "--json")
    assert "ostinato: the machine is busy: others took" in result.stderr
    assert json.loads(result.stdout)["busy"] is True


@pytest.mark.parametrize(("bound", "code"), [(1e9, 0), (1e-9, 5)])
def test_a_missed_bar_has_an_exit_code(bound: float, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "BARS", (Bar("tiny", 1, "us_per_sample", bound),))
    as_int8 = lambda found, bars: judge([replace(row, precision="int8") for row in found], bars)  # noqa: E731
    monkeypatch.setattr(report, "judge", as_int8)
    result = run(*TINY, "--streams", "1", "--check")
    assert result.exit_code == code
    assert ("MISSED" in result.stderr) == (code == 5)


def test_a_bar_that_was_not_measured_is_not_met(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "BARS", (Bar("tiny", 16, "us_per_sample", 1e9),))
    result = run(*TINY, "--streams", "1", "--check")
    assert result.exit_code == 5
    assert "tiny, 16 streams: at most 1e+09 µs a stream-sample: not measured" in result.stderr


def test_a_model_without_a_bar_cannot_be_checked() -> None:
    result = run(*TINY, "--streams", "1", "--check")
    assert result.exit_code == 2
    assert "--check: there is no bar for tiny" in result.stderr


def test_a_table_is_written_in_its_place(tmp_path: Path) -> None:
    readme = tmp_path / "README.md"
    readme.write_text("before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n", encoding="utf-8")
    assert run(*TINY, "--streams", "1", "--table", str(readme)).exit_code == 0
    text = readme.read_text(encoding="utf-8")
    assert text.startswith("before\n<!-- bench -->\n")
    assert text.endswith("\n<!-- /bench -->\nafter\n")
    assert "old" not in text
    assert "| model | precision | streams |" in text


def test_a_table_needs_the_native_engine(tmp_path: Path) -> None:
    result = run("bench", "--model", "tiny", "--engine", "torch", "--table", str(tmp_path / "README.md"))
    assert result.exit_code == 2
    assert "--table: it shows the native engine, which would not be measured" in result.stderr


def test_a_picture_is_drawn_of_the_models_named(tmp_path: Path) -> None:
    path = tmp_path / "streams.png"
    assert run(*TINY, "--streams", "1", "--streams-picture", str(path)).exit_code == 0
    assert path.read_bytes().startswith(b"\x89PNG")


def test_a_file_without_a_place_is_refused_before_anything_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "measure", lambda *_: pytest.fail("measured"))
    readme = tmp_path / "README.md"
    readme.write_text("no place", encoding="utf-8")
    result = run(*TINY, "--table", str(readme))
    assert result.exit_code == 2
    assert "'<!-- bench -->' stands there 0 times" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--streams", "0"], "0 is outside 1..1024"),
        (["--threads", "0"], "0 is outside 1..256"),
        (["--device", "cuda"], "device: 'cuda'"),
    ],
)
def test_what_cannot_be_had_is_refused_by_its_value(arguments: list[str], told: str) -> None:
    result = run(*TINY, *arguments)
    assert result.exit_code == 2
    assert told in result.stderr
