import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from ostinato.clients.cli import app
from ostinato.models.benching.budget import Budget, explained, standings


def test_a_microsecond_a_sample_leaves_what_is_known_of_it() -> None:
    budget = Budget(44_100, 1.0, 64)
    assert budget.sample_us == pytest.approx(22.676, abs=5e-4)
    assert budget.work_ms_per_s == pytest.approx(44.1)
    assert budget.rtf == pytest.approx(0.0441)
    assert budget.left_us == pytest.approx(21.676, abs=5e-4)
    assert budget.streams == 22
    assert budget.block_ms == pytest.approx(1.4512, abs=1e-4)
    assert "44.1 ms of work a second of audio, RTF 0.0441" in explained(budget)


@given(st.floats(8000, 192_000), st.floats(0.01, 1000), st.integers(1, 4096))
def test_the_parts_of_a_budget_agree(rate: float, cost: float, block: int) -> None:
    budget = Budget(rate, cost, block)
    assert budget.left_us + cost == pytest.approx(budget.sample_us)
    assert (budget.rtf < 1) == (budget.left_us > 0) or budget.rtf == pytest.approx(1)
    assert budget.streams * budget.rtf <= 1
    assert budget.block_work_ms == pytest.approx(1e-3 * block * cost)


def test_a_cost_above_real_time_is_told_as_missing() -> None:
    told = explained(Budget(44_100, 30.0, 64))
    assert "7.324 µs are missing" in told
    assert "one core carries none" in told


def test_models_are_timed_alone_and_together() -> None:
    (row,) = standings(("tiny",), block=64, seconds=0.02, at_once=4)
    assert (row.model, row.engine) == ("tiny", "native")
    assert row.together.us_per_sample > 0
    assert row.alone.rtf > 0


def test_the_command_answers_for_programs_too() -> None:
    options = ["budget", "--json", "--us-per-sample", "2", "--model", "tiny", "--seconds", "0.02"]
    told = json.loads(CliRunner().invoke(app, options).stdout)
    assert told["budget"]["rtf"] == pytest.approx(0.0882)
    assert [row["model"] for row in told["models"]] == ["tiny"]
    assert "RTF 0.0441" in CliRunner().invoke(app, ["budget", "--no-measure"]).stdout


def test_a_model_that_is_not_known_is_told() -> None:
    result = CliRunner().invoke(app, ["budget", "--model", "nonesuch"])
    assert result.exit_code == 2
