import json
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from ostinato.clients import startup
from ostinato.clients.cli import app
from ostinato.clients.startup import StartUp, StartUpError, start_up

WELL = StartUp(ready_s=0.7, check_s=0.25, resident_mb=80.0, torch=False, live=("default",), too_slow={})

pytestmark = pytest.mark.skipif(not Path("/proc/self/maps").exists(), reason="no /proc here")


def test_a_start_is_measured_on_a_server_of_its_own_that_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[subprocess.Popen[str]] = []

    class Recorded(subprocess.Popen[str]):
        def __init__(self, *arguments: Any, **options: Any) -> None:  # noqa: ANN401
            super().__init__(*arguments, **options)
            started.append(self)

    monkeypatch.setattr(subprocess, "Popen", Recorded)
    measured = start_up(["--model", "tiny", "--slots", "2"])
    assert 0 < measured.check_s < measured.ready_s
    assert measured.resident_mb > 10
    assert not measured.torch
    assert (measured.live, measured.too_slow) == (("tiny",), {})
    (server,) = started
    assert server.returncode is not None


def test_torch_is_seen_where_it_is_loaded() -> None:
    measured = start_up(["--model", "tiny", "--slots", "1", "--engine", "naive"])
    assert measured.torch
    assert measured.live == ()
    assert measured.too_slow["tiny"] > 1
    assert "torch was loaded" in measured.missed()


def test_a_server_that_does_not_come_up_is_told_with_what_it_said() -> None:
    with pytest.raises(StartUpError, match=r"exit code 2: .*'nonesuch' is not known"):
        start_up(["--model", "nonesuch"])


@pytest.mark.parametrize(
    ("measured", "told"),
    [
        (replace(WELL, ready_s=2.5), "ready after 2.50 s, at most 2"),
        (replace(WELL, check_s=0.31), "measured for 0.310 s, at most 0.3"),
        (replace(WELL, resident_mb=200.0), "200 MB resident, less than 200"),
        (replace(WELL, torch=True), "torch was loaded"),
    ],
)
def test_a_missed_bar_is_named_and_fails_a_check_alone(
    measured: StartUp, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert measured.missed() == (told,)
    monkeypatch.setattr(startup, "start_up", lambda _: measured)
    run = CliRunner().invoke(app, ["startup", "--check", "--json"])
    assert run.exit_code == 5
    assert told in run.stderr
    assert json.loads(run.stdout)["missed"] == [told]
    assert CliRunner().invoke(app, ["startup"]).exit_code == 0


def test_what_serve_takes_is_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    passed: list[str] = []

    def measured(options: list[str]) -> StartUp:
        passed.extend(options)
        return WELL

    monkeypatch.setattr(startup, "start_up", measured)
    run = CliRunner().invoke(app, ["startup", "--check", "--", "--model", "r64", "--precision", "int8"])
    assert (run.exit_code, passed) == (0, ["--model", "r64", "--precision", "int8"])
    assert "ready     0.70 s" in run.stdout
