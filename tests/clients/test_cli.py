from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
from typer.testing import CliRunner, Result

from ostinato.clients.cli import app
from tests.clients.test_stream import free_port
from tests.songs import as_bytes, canon

TINY_SECOND = ["--note", "60", "--seconds", "0.2", "--model", "tiny"]  # 0.2 s and a release of 0.3 s
SAMPLES = 8832 + 13248  # each rounded up to hops


def run(*arguments: str, **environment: str) -> Result:
    return CliRunner().invoke(app, list(arguments), env={"COLUMNS": "200", **environment})


@pytest.fixture
def song(tmp_path: Path) -> Path:
    path = tmp_path / "song.mid"
    path.write_bytes(as_bytes(canon(4)))
    return path


def test_help_names_every_command() -> None:
    result = run("--help")
    assert result.exit_code == 0
    assert {
        "serve",
        "synth",
        "play",
        "monitor",
        "load",
        "bench",
        "models",
        "data",
        "train",
        "evaluate",
        "quantize",
    } <= set(result.output.split())


def test_without_a_command_the_help_is_shown() -> None:
    assert "Commands:" in run().stderr


def test_the_command_itself_imports_nothing_heavy() -> None:
    program = (
        "import sys, ostinato.clients.cli\n"
        "sys.exit(str({'torch', 'numpy', 'fastapi', 'httpx', 'pydantic', 'websockets'} & set(sys.modules) or '') or 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("command", ["models", "synth"])
def test_a_variable_that_nothing_reads_is_refused_by_every_command(command: str) -> None:
    result = run(command, OSTINATO_LEED_MS="20")
    assert result.exit_code == 2
    assert "OSTINATO_LEED_MS: no such setting (value: '20')" in result.stderr


def test_a_missing_package_of_an_extra_is_named_with_what_to_install(tmp_path: Path) -> None:
    program = (
        "import sys\n"
        "sys.modules['tqdm'] = sys.modules['matplotlib'] = None\n"
        "from ostinato.clients.cli import app\n"
        "app(sys.argv[1:])\n"
    )
    for arguments in (["train", "--data", str(tmp_path)], ["bench", "--picture", str(tmp_path / "a.png")]):
        done = subprocess.run(
            [sys.executable, "-c", program, *arguments], check=False, capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        assert done.stderr.endswith("is missing: pip install 'ostinato[train]'\n")
        assert done.stderr.count("\n") == 1


@pytest.mark.parametrize(("suffix", "subtype"), [("wav", "PCM_16"), ("flac", "PCM_16"), ("ogg", "VORBIS")])
def test_synth_writes_the_format_that_the_suffix_names(tmp_path: Path, suffix: str, subtype: str) -> None:
    path = tmp_path / f"note.{suffix}"
    result = run("synth", *TINY_SECOND, "-o", str(path))
    assert result.exit_code == 0, result.output
    assert "RTF" in result.stderr
    info = soundfile.info(path)
    assert (info.subtype, info.samplerate, info.frames) == (subtype, 44_100, SAMPLES)
    assert [file.name for file in tmp_path.iterdir()] == [path.name]


def test_the_same_seed_gives_the_same_bytes_in_a_file_and_on_stdout(tmp_path: Path) -> None:
    path = tmp_path / "note.raw"
    run("synth", *TINY_SECOND, "-o", str(path), "--seed", "7", "--encoding", "pcm_f32le")
    piped = run("synth", *TINY_SECOND, "-o", "-", "--seed", "7", "--encoding", "pcm_f32le")
    other = run("synth", *TINY_SECOND, "-o", "-", "--seed", "8", "--encoding", "pcm_f32le")
    assert path.read_bytes() == piped.stdout_bytes
    assert len(piped.stdout_bytes) == 4 * SAMPLES == len(other.stdout_bytes)
    assert other.stdout_bytes != piped.stdout_bytes


def test_synth_draws_in_the_precision_asked_for_and_tells_it(monkeypatch: pytest.MonkeyPatch) -> None:
    sounds = {}
    for precision in ("float32", "int8"):
        result = run("synth", *TINY_SECOND, "-o", "-", "--precision", precision)
        assert f"in {precision}" in result.stderr
        assert ", 1 voice, " in result.stderr
        sounds[precision] = result.stdout_bytes
    assert sounds["float32"] != sounds["int8"]
    monkeypatch.setenv("OSTINATO_PRECISION", "int8")
    assert run("synth", *TINY_SECOND, "-o", "-").stdout_bytes == sounds["int8"]
    refused = run("synth", *TINY_SECOND, "-o", "-", "--engine", "torch")
    assert refused.exit_code == 2
    assert (
        "--precision int8: precision: 'int8' is for the native and speculative engines, not 'torch'" in refused.stderr
    )


def test_a_played_song_is_the_rendered_song(server: str, song: Path, tmp_path: Path) -> None:
    options = [str(song), "--model", "tiny", "--seed", "11"]
    rendered = run("synth", *options, "-o", str(tmp_path / "a.wav"))
    played = run("play", *options, "-o", str(tmp_path / "b.wav"), "--mode", "fast", "--json", OSTINATO_URL=server)
    assert (rendered.exit_code, played.exit_code) == (0, 0), played.output
    assert (tmp_path / "a.wav").read_bytes() == (tmp_path / "b.wav").read_bytes()
    figures = json.loads(played.stdout)
    assert (figures["seed"], figures["underruns"], figures["errors"]) == (11, 0, [])
    assert "TTFA" in played.stderr


def test_a_played_note_is_paced_and_piped(server: str) -> None:
    result = run("play", *TINY_SECOND, "-o", "-", "--server", server, "--json")
    assert result.exit_code == 0, result.output
    assert len(result.stdout_bytes) == 2 * SAMPLES
    assert np.frombuffer(result.stdout_bytes, dtype="<i2").any()
    assert json.loads(result.stderr.splitlines()[-1])["reason"] == "duration"


def test_a_chord_takes_several_notes(tmp_path: Path) -> None:
    result = run("synth", *TINY_SECOND, "--note", "64.5", "--note", "67", "-o", str(tmp_path / "chord.wav"))
    assert "3 voices" in result.stderr


@pytest.mark.parametrize("suffix", ["wav", "flac", "raw"])
def test_a_server_renders_what_is_rendered_here(server: str, song: Path, tmp_path: Path, suffix: str) -> None:
    here, there = tmp_path / f"a.{suffix}", tmp_path / f"b.{suffix}"
    options = [str(song), "--seed", "11", "--json"]
    local = run("synth", *options, "-m", "tiny", "-o", str(here))
    remote = run("synth", *options, "--server", server, "-o", str(there))
    assert (local.exit_code, remote.exit_code) == (0, 0), remote.output
    assert json.loads(remote.stdout)["bytes"] == there.stat().st_size
    assert (json.loads(local.stdout)["seed"], json.loads(remote.stdout)["seed"]) == (11, 11)
    if suffix == "raw":
        assert here.read_bytes() == there.read_bytes()
    else:
        assert np.array_equal(soundfile.read(here)[0], soundfile.read(there)[0])
    assert "program 73 is no instrument of this model" in remote.stderr


def test_a_server_renders_notes_to_stdout(server: str) -> None:
    local = run("synth", *TINY_SECOND, "-o", "-", "--seed", "7")
    remote = run("synth", *TINY_SECOND, "-o", "-", "--seed", "7", "--server", server)
    assert local.stdout_bytes == remote.stdout_bytes != b""


@pytest.mark.parametrize(
    ("arguments", "code", "told"),
    [
        (["--engine", "native"], 2, "--engine: with --server that is the server's to choose"),
        (["--encoding", "pcm_f32le"], 2, "--encoding: with --server that is the server's to choose"),
        (["--model", "nobody"], 4, "'nobody' is not served"),
        (["--sample-format", "s12"], 2, "'s12'"),
        (["--sample-rate", "7999"], 2, "7999 is outside 8000..96000"),
        (["--model", "../tiny"], 4, "'../tiny' is not served"),
        (["--instrument", "kazoo"], 4, "'kazoo' is not known"),
    ],
)
def test_what_a_server_does_not_render_is_one_line_and_leaves_no_file(
    arguments: list[str], code: int, told: str, server: str, tmp_path: Path
) -> None:
    result = run("synth", "--note", "60", *arguments, "--server", server, "-o", str(tmp_path / "a.wav"))
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert told in result.stderr
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("name", "options", "kind"),
    [
        ("a.mp3", (), ("MP3", "MPEG_LAYER_III", 44_100)),
        ("a.opus", (), ("OGG", "OPUS", 48_000)),
        ("a.MP3", ("--sample-rate", "22050"), ("MP3", "MPEG_LAYER_III", 22_050)),
        ("a.wav", ("--sample-rate", "96000", "--sample-format", "f32"), ("WAV", "FLOAT", 96_000)),
        ("a.flac", ("--sample-format", "s24"), ("FLAC", "PCM_24", 44_100)),
    ],
)
def test_a_server_renders_each_kind_of_file_that_it_has(
    name: str, options: tuple[str, ...], kind: tuple[str, str, int], server: str, tmp_path: Path
) -> None:
    result = run("synth", *TINY_SECOND, *options, "--server", server, "-o", str(tmp_path / name))
    assert result.exit_code == 0, result.output
    info = soundfile.info(tmp_path / name)
    assert (info.format, info.subtype, info.samplerate) == kind
    assert info.duration == pytest.approx(SAMPLES / 44_100, abs=0.1)


def test_raw_samples_of_a_server_have_the_rate_and_the_kind_asked_for(server: str) -> None:
    options = ("--sample-rate", "22050", "--sample-format", "s24", "--server", server)
    result = run("synth", *TINY_SECOND, *options, "-o", "-")
    assert len(result.stdout_bytes) == pytest.approx(3 * SAMPLES / 2, abs=3)


def test_a_shell_completes_commands_and_options() -> None:
    program = "from ostinato.clients.cli import app; app(prog_name='ostinato')"
    for words, found in (("ostinato mon", "monitor"), ("ostinato play --key", "--keyboard")):
        asked = {"_OSTINATO_COMPLETE": "complete_bash", "COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
        done = subprocess.run(
            [sys.executable, "-c", program],
            check=False,
            capture_output=True,
            text=True,
            timeout=60,
            env={**os.environ, **asked},
        )
        assert (done.returncode, done.stdout.split(), done.stderr) == (0, [found], "")


def test_warnings_of_a_score_are_told(song: Path, tmp_path: Path) -> None:
    result = run("synth", str(song), "-m", "tiny", "-o", str(tmp_path / "a.wav"))
    assert "program 73 is no instrument of this model" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["synth", "-o", "a.wav"], "give a MIDI file or --note"),
        (["synth", "--note", "60"], "--output"),
        (["synth", "--note", "200", "-o", "a.wav"], "'--note': 200.0 is outside 0..127"),
        (["synth", "--note", "nan", "-m", "tiny", "-o", "a.wav"], "nan is outside 0..127"),
        (["synth", "--note", "60", "--seconds", "-1", "-o", "a.wav"], "'--seconds': -1.0 is outside 0.001..3600"),
        (["synth", "--note", "60", "-o", "a.mp3"], "--output: 'a.mp3' ends in none of .wav"),
        (
            ["synth", "--note", "60", "-o", "a.mp4", "--server", "ws://127.0.0.1:1"],
            "ends in none of .wav, .flac, .ogg, .opus",
        ),
        (["synth", *TINY_SECOND, "-o", "a.wav", "--sample-rate", "48000"], "--sample-rate: without --server"),
        (["synth", *TINY_SECOND, "-o", "a.wav", "--sample-format", "s24"], "--sample-format: without --server"),
        (["synth", "--note", "60", "-o", "nowhere/a.wav"], "--output: 'nowhere' is no folder"),
        (["synth", "--note", "60", "-m", "nobody", "-o", "a.wav"], "--model: model: 'nobody' is not known"),
        (
            ["synth", "--note", "60", "-m", "runs/nobody", "-o", "a.wav"],
            "'runs/nobody': there is no such folder",
        ),
        (["serve", "-m", "./nobody"], "model: './nobody': there is no such folder"),
        (["synth", "--note", "60", "-m", "tiny", "--engine", "warp", "-o", "a.wav"], "'warp'"),
        (["synth", *TINY_SECOND, "--engine", "native", "--device", "cuda", "-o", "a.wav"], "--device cuda"),
        (["synth", *TINY_SECOND, "--instrument", "kazoo", "-o", "a.wav"], "'kazoo' is not known"),
        (["synth", "missing.mid", "-o", "a.wav"], "'missing.mid' does not exist"),
        (["synth", "bad.mid", "-m", "tiny", "-o", "a.wav"], "bad.mid: midi: not a MIDI file"),
        (["synth", "cut.mid", "-m", "tiny", "-o", "a.wav"], "cut.mid: midi: truncated"),
        (["play", "--note", "60", "-o", "a.wav", "--server", "localhost"], "--server: 'localhost' does not begin with"),
        (["serve", "--port", "99999"], "port (OSTINATO_PORT)"),
        (["serve", "--model", "nobody"], "'nobody' is not known"),
        (["evaluate", "--model", "tiny", "--data", "nowhere"], "nowhere"),
        (["train", "--data", "nowhere"], "nowhere"),
        (["bench", "--model", "nobody"], "'nobody' is not known"),
        (["sing"], "'sing'"),
    ],
)
def test_bad_input_is_one_line_that_names_it(
    arguments: list[str], told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("bad.mid").write_bytes(b"no music")
    Path("cut.mid").write_bytes(as_bytes(canon(4))[:-9])
    result = run(*arguments)
    assert result.exit_code == 2
    assert told in result.stderr
    assert result.stderr.startswith("ostinato: ")
    assert "Traceback" not in result.output
    assert result.stderr.count("\n") == 1
    assert not Path("a.wav").exists()


def test_a_setting_of_the_environment_is_refused_by_name_and_value() -> None:
    result = run("serve", OSTINATO_SLOTS="many")
    assert result.exit_code == 2
    assert "OSTINATO_SLOTS" in result.stderr
    assert "'many'" in result.stderr


def test_a_server_that_is_not_there_is_exit_code_3() -> None:
    url = f"http://127.0.0.1:{free_port()}"
    result = run("play", "--note", "60", "-o", "-", "--server", url)
    assert result.exit_code == 3
    assert result.stderr.startswith(f"ostinato: --server: {url}")


def test_a_refusal_of_the_server_is_exit_code_4(server: str) -> None:
    result = run("play", "--note", "60", "--model", "nobody", "-o", "-", "--server", server)
    assert result.exit_code == 4
    assert "'nobody' is not served" in result.stderr


def test_models_are_listed() -> None:
    assert {"tiny", "r32", "r64"} <= set(run("models").stdout.split())
    assert "tiny" in json.loads(run("models", "--json").stdout)


def test_serve_tells_where_it_is_stops_on_interrupt_and_never_imports_torch() -> None:
    program = (
        "import sys, atexit\n"
        "atexit.register(lambda: print('torch' in sys.modules, flush=True))\n"
        "from ostinato.clients.cli import app\n"
        "app(['serve', '--model', 'tiny', '--port', '0', '--log-level', 'warning'])\n"
    )
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OSTINATO_")}
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as server:
        assert server.stderr is not None
        line = server.stderr.readline()
        server.send_signal(signal.SIGINT)
        out, err = server.communicate(timeout=20)
    assert "ostinato: tiny on native/" in line
    assert (server.returncode, out, err) == (0, "False\n", "")
