"""`ostinato load`, as it is typed: a table, JSON, exit codes, and what an interrupt leaves."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys

import pytest
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from ostinato.clients.ramp import MOST
from tests.clients.test_load import DONE, saying
from tests.clients.test_stream import CREATED, free_port, stub
from tests.server.serving import serving

SHORT = ["--model", "tiny", "--streams", "2", "--seconds", "0.2"]


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, ["load", *arguments], env={"COLUMNS": "200", **environment})


def test_a_table_for_people(server: str) -> None:
    result = run(server, *SHORT)
    assert result.exit_code == 0, result.output
    counts, head, *rows = result.stdout.splitlines()
    assert counts.startswith("streams 2  joined ")
    assert "lost 0  corrupt 0  unreachable 0  underruns " in counts
    assert head.split() == ["ms", "p50", "p95", "p99"]
    assert rows[0].split()[0] == "TTFA"
    assert rows[1].split()[0] == "control"
    assert "client lag" in rows[4]


def test_the_same_for_programs_from_the_server_of_the_environment(server: str) -> None:
    result = run(*SHORT, "--json", OSTINATO_URL=server)
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert {
        "streams", "joined", "refused", "underruns", "ttfa_ms_p50", "ttfa_ms_p95", "ttfa_ms_p99",
        "control_ms_p50", "control_ms_p95", "control_ms_p99", "client_lag_ms_p99", "least_buffered_ms",
        "lost", "corrupt", "seconds", "model", "lead_ms", "rtf_worst", "rtf_median",
    } <= set(told)  # fmt: skip
    assert told["streams"] == 2
    assert 1 <= told["joined"] == told["whole"]
    assert (told["model"], told["seconds"], told["lead_ms"]) == ("tiny", 0.2, 200.0)


def test_a_ramp_tells_each_step_and_what_ended_it() -> None:
    with serving(slots=2) as running:
        options = [running.url, "--model", "tiny", "--seconds", "0.2", "--ramp"]
        result = run(*options)
        told = json.loads(run(*options, "--json").stdout)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0].endswith("without a gap for 0.2 s at a lead of 200 ms")
    assert result.stdout.splitlines()[1].startswith("limit ")
    assert "streams 1 of 1" in result.stderr
    assert set(told) == {"most", "limit", "steps"}
    assert told["steps"][0]["streams"] == 1
    assert told["most"] <= 2


def test_where_no_server_is_the_exit_code_is_3() -> None:
    result = run(f"ws://127.0.0.1:{free_port()}", *SHORT)
    assert result.exit_code == 3
    assert "unreachable: ws://127.0.0.1" in result.stderr
    assert "unreachable 2" in result.stdout


@pytest.mark.parametrize("ramp", [[], ["--ramp"]])
def test_where_nobody_joined_the_exit_code_is_4(server: str, ramp: list[str]) -> None:
    result = run(server, *SHORT, "--model", "nobody", *ramp)
    assert result.exit_code == 4
    assert "'nobody' is not served" in result.stderr


def test_a_loss_fails_a_check_alone() -> None:
    with stub(saying(CREATED)) as url:
        assert run(url, *SHORT).exit_code == 0
        result = run(url, *SHORT, "--check")
    assert result.exit_code == 5
    assert "--check: streams 2 of 2  refused 0  lost 2" in result.stderr
    with stub(saying(CREATED, DONE.to_json())) as url:
        assert run(url, *SHORT, "--check").exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["localhost"], "'localhost' does not begin with"),
        (["--streams", "0"], f"'--streams': 0 is outside 1..{MOST}"),
        (["--streams", str(MOST + 1)], f"is outside 1..{MOST}"),
        (["--seconds", "nan"], "'--seconds': nan is outside 0.1..3000"),
        (["--lead-ms", "19"], "'--lead-ms': 19.0 is outside 20..10000"),
        (["--frame-ms", "1"], "'--frame-ms': 1.0 is outside 2..1000"),
        (["--control-every", "0"], "'--control-every': 0.0 is outside 0.01..3600"),
        (["--model", "../etc"], "model: String should match pattern"),
        (["--ramp", "--check"], "--check: a ramp goes on until"),
    ],
)
def test_bad_input_is_one_line_that_names_it(arguments: list[str], told: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize("ramp", [[], ["--ramp"]])
def test_an_interrupt_leaves_what_was_measured(server: str, ramp: list[str]) -> None:
    program = "from ostinato.clients.cli import app; app()"
    command = [sys.executable, "-c", program, "load", server, "--model", "tiny", "--seconds", "60", "--json", *ramp]
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OSTINATO_")}
    with subprocess.Popen(
        [*command, "--streams", "1"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as client:
        assert client.stderr is not None
        while "streams 1 of 1" not in client.stderr.readline():
            pass
        client.send_signal(signal.SIGINT)
        out, err = client.communicate(timeout=20)
    assert client.returncode == 130
    assert "Traceback" not in err
    told = json.loads(out)
    if ramp:
        assert (told["most"], told["limit"], told["steps"]) == (0, None, [])
    else:
        assert (told["joined"], told["lost"]) == (1, 0)
        assert told["samples"] > 0
