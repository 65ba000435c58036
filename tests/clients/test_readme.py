"""The examples of the documents do what they say: Python as it stands, commands without what follows a pipe."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest
import soundfile  # type: ignore[import-untyped]

from tests.clients.test_cli import run
from tests.songs import as_bytes, canon

ROOT = Path(__file__).parents[2]
DOCUMENTS = ("README.md", "clients/README.md")
HEARD = ("-o", "--output", "monitor")  # a command that needs neither a sound card nor a keyboard has one of these


def blocks(language: str) -> list[tuple[str, str]]:
    """(document, text) of every block of code in a language."""
    pattern = re.compile(rf"```{language}\n(.*?)```", re.DOTALL)
    return [(path, text) for path in DOCUMENTS for text in pattern.findall((ROOT / path).read_text(encoding="utf-8"))]


def commands() -> list[list[str]]:
    """Every `ostinato play`, `synth` and `monitor` for the model that is served by default, once, as its words."""
    found = []
    for _, text in blocks("sh"):
        for line in re.findall(r"^ostinato ((?:play|synth|monitor) [^|&\n]*)", text, re.MULTILINE):
            words = shlex.split(line, comments=True)
            if set(words) & set(HEARD) and "--model" not in words and words not in found:
                found.append(words)
    return found


@pytest.mark.parametrize(
    "example", [pytest.param(text, id=f"{path}-{n}") for n, (path, text) in enumerate(blocks("python"))]
)
def test_the_examples_play(example: str, server: str, capsys: pytest.CaptureFixture[str]) -> None:
    here = example
    for theirs in ("ws://127.0.0.1:8000", "http://127.0.0.1:8000"):
        here = here.replace(theirs, server)
    exec(compile(here.replace('"default"', '"tiny"'), "README.md", "exec"), {"__name__": "__main__"})
    assert re.match(r"0 \(?\d+|audio/wav \d+ \(\d+,\) 44100|audio\.zip \d+", capsys.readouterr().out)


@pytest.mark.parametrize("words", commands(), ids=" ".join)
def test_the_commands_do_what_they_say(
    words: list[str], server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("song.mid").write_bytes(as_bytes(canon(2)))
    words = [server if word.endswith("127.0.0.1:8000") else word for word in words]
    result = run(*words, *(["--model", "tiny"] if words[0] != "monitor" else []), OSTINATO_URL=server)
    assert result.exit_code == 0, result.output
    if words[0] == "monitor" or "-" in words:
        assert result.stdout_bytes
    else:
        assert soundfile.info(words[words.index("-o") + 1]).frames > 44_100


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl is installed (Debian: apt-get install curl)")
def test_a_batch_is_posted_collected_and_removed_by_curl(server: str, tmp_path: Path) -> None:
    (script,) = (text for _, text in blocks("sh") if text.startswith("batch="))
    (tmp_path / "song.mid").write_bytes(as_bytes(canon(2)))
    here = script.replace("localhost:8000", server.removeprefix("http://"))
    done = subprocess.run(["bash", "-euc", here], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=90)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["state"] == "done"
    with zipfile.ZipFile(tmp_path / "sounds.zip") as sounds:
        assert sorted(Path(name).suffix for name in sounds.namelist()) == [".json", ".mp3"]


def test_there_are_commands_and_examples_to_be_tried() -> None:
    assert {words[0] for words in commands()} == {"play", "synth", "monitor"}
    assert len(blocks("python")) >= 5
