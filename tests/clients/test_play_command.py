"""`ostinato play` where not all goes as planned: lines, losses, interrupts, what is missing, and keyboards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import mido  # type: ignore[import-untyped]
import pytest
import soundfile  # type: ignore[import-untyped]

from ostinato.clients import keyboard
from ostinato.clients.cli.listen import Teller
from ostinato.clients.cli.status import Status, bar
from ostinato.clients.errors import LostError
from ostinato.server.protocol import QueueUpdate, ServerDraining, SessionCreated
from tests.clients.proxy import proxied
from tests.clients.test_cli import SAMPLES, TINY_SECOND, run
from tests.server.serving import Listener, Serving, eventually, serving

TINY = ["--model", "tiny", "--seed", "7"]
LONG = ["--note", "60", "--seconds", "3", *TINY]


def after(condition: Callable[[], object], act: Callable[[], object]) -> threading.Thread:
    """Do something, on a thread of its own, once a condition holds."""

    def wait() -> None:
        if eventually(condition):
            act()

    thread = threading.Thread(target=wait)
    thread.start()
    return thread


def in_the_middle(server: Serving, act: Callable[[], object]) -> threading.Thread:
    """Do something once half a second of a session has been drawn."""
    return after(lambda: any(s.performance.clock > 22_050 for s in list(server.engine._sessions.values())), act)


def test_it_says_what_it_wrote(server: str, tmp_path: Path) -> None:
    path = tmp_path / "note.wav"
    result = run("play", *TINY_SECOND, "-o", str(path), "--server", server)
    assert result.exit_code == 0
    assert f"wrote {path}\n" in result.stderr
    assert soundfile.info(path).frames == SAMPLES


def test_a_connection_that_breaks_leaves_no_trace_in_the_file(tmp_path: Path) -> None:
    rendered, played = tmp_path / "a.wav", tmp_path / "b.wav"
    assert run("synth", *LONG, "-o", str(rendered)).exit_code == 0
    with serving() as server, proxied(server.port) as proxy:
        breaking = in_the_middle(server, proxy.break_)
        result = run("play", *LONG, "-o", str(played), "--server", proxy.url, "--json")
        breaking.join()
    assert result.exit_code == 0, result.output
    assert played.read_bytes() == rendered.read_bytes()
    assert json.loads(result.stdout)["reconnects"] == 1
    assert "the connection broke; looking for a way back\ncarried on\n" in result.stderr


def test_what_arrived_is_kept_where_there_is_no_way_back(tmp_path: Path) -> None:
    path = tmp_path / "note.wav"
    with serving() as server, proxied(server.port) as proxy:
        breaking = in_the_middle(server, proxy.cut)
        result = run("play", *LONG, "-o", str(path), "--server", proxy.url, "--reconnect", "0.3", "--json")
        breaking.join()
    assert result.exit_code == 1
    assert "no way back was found within 0.3 s" in result.stderr.splitlines()[-1]
    assert f"wrote {path}, as far as it came\n" in result.stderr
    figures = json.loads(result.stdout)
    assert soundfile.info(path).frames == figures["samples"] > 0
    assert figures["sha256"] is None


def test_an_interrupted_stream_leaves_what_has_arrived(server: str, tmp_path: Path) -> None:
    path = tmp_path / "note.wav"
    command = [sys.executable, "-c", "from ostinato.clients.cli import app; app()", "play", *LONG, "-o", str(path)]
    with subprocess.Popen([*command, "--server", server], stderr=subprocess.PIPE, text=True) as playing:
        staged = tmp_path / ".note.wav.part"
        assert eventually(lambda: staged.exists() and staged.stat().st_size > 20_000)
        playing.send_signal(signal.SIGINT)
        _, err = playing.communicate(timeout=20)
    assert playing.returncode == 130
    assert f"wrote {path}, as far as it came\nostinato: interrupted\n" in err
    assert 5000 < soundfile.info(path).frames < 3 * 44_100


def test_who_waits_in_line_is_told_the_place() -> None:
    with serving(slots=1, queue=4) as server, Listener(server) as full:
        full.start(voices=1).hear_until(SessionCreated)
        leaving = after(lambda: server.engine._attendance.waiting, full.socket.close)
        result = run("play", *TINY_SECOND, "-o", "-", "--server", server.url)
        leaving.join()
    assert result.exit_code == 0, result.output
    assert "waiting: place 1 in line\nlet in\n" in result.stderr
    assert len(result.stdout_bytes) == 2 * SAMPLES


def test_a_server_that_is_full_says_when_to_try_again() -> None:
    with serving(slots=1) as server, Listener(server) as full:
        full.start(voices=1).hear_until(SessionCreated)
        result = run("play", *TINY_SECOND, "-o", "-", "--server", server.url)
    assert result.exit_code == 4
    assert result.stderr.rstrip().endswith("; try again in 5 s")


def test_what_befalls_a_session_is_told(capsys: pytest.CaptureFixture[str]) -> None:
    teller = Teller(Status())
    teller.heard(QueueUpdate(position=3, eta_s=12.4))
    teller.heard(ServerDraining(deadline_s=30.0))
    teller.lost(LostError("the connection broke"))
    assert capsys.readouterr().err.splitlines() == [
        "waiting: place 3 in line, about 12 s",
        "the server stops within 30 s",
        "the connection broke; looking for a way back",
    ]


@pytest.mark.parametrize(
    ("arguments", "told", "code"),
    [
        (["--note", "60"], "sounddevice is missing: pip install 'ostinato[play]'; or name a file", 1),
        (["--note", "60", "--play", "-o", "a.wav"], "sounddevice is missing", 1),
        (["-o", "a.wav"], "give a MIDI file or --note", 2),
        (["--note", "60", "--keyboard", "", "-o", "a.wav"], "give a MIDI file, --note or --keyboard, one of them", 2),
        (["--note", "60", "--model", "runs/mine", "-o", "a.wav"], "--model: 'runs/mine' is a folder", 2),
        (["--keyboard", "grand", "-o", "a.wav"], "--keyboard: 'grand' is no MIDI input; there are 'Through'", 2),
    ],
)
def test_what_is_missing_or_mistaken_is_one_line(
    arguments: list[str], told: str, code: int, server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setitem(sys.modules, "sounddevice", None)
    monkeypatch.setattr(keyboard, "ports", lambda: ["Through"])
    named = [] if "--model" in arguments else ["--model", "tiny"]
    result = run("play", *arguments, *named, "--server", server)
    assert (result.exit_code, result.stderr.count("\n")) == (code, 1)
    assert told in result.stderr
    assert not list(tmp_path.iterdir())


def test_without_rtmidi_what_to_install_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "rtmidi", None)
    monkeypatch.setitem(sys.modules, "mido.backends.rtmidi", None)
    with pytest.raises(keyboard.KeyboardError, match=r"MIDI|python-rtmidi is missing: pip install 'ostinato\[midi\]'"):
        keyboard.ports()


@contextmanager
def pressed(name: str, callback: Callable[[mido.Message], None]) -> Iterator[None]:
    """A keyboard on which two keys are played, before its player presses Ctrl-C."""
    assert name == "Grand"

    def play() -> None:
        for message in (mido.Message("note_on", note=60), mido.Message("note_on", note=64)):
            callback(message)
        time.sleep(0.4)
        os.kill(os.getpid(), signal.SIGINT)

    player = threading.Thread(target=play)
    player.start()
    try:
        yield
    finally:
        player.join()


def test_a_keyboard_plays_until_ctrl_c_and_its_tail_is_heard(
    server: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keyboard, "ports", lambda: ["Grand"])
    monkeypatch.setattr(mido, "open_input", pressed)
    before = signal.getsignal(signal.SIGINT)
    path = tmp_path / "hands.wav"
    result = run("play", "--keyboard", "", *TINY, "--voices", "2", "-o", str(path), "--server", server, "--json")
    assert result.exit_code == 0, result.output
    figures = json.loads(result.stdout)
    assert (figures["reason"], figures["errors"]) == ("ended", [])
    assert "play on Grand; Ctrl-C ends\n" in result.stderr
    assert soundfile.info(path).duration > 0.6  # 0.3 s of it are the release
    assert signal.getsignal(signal.SIGINT) is before


def test_a_bar_is_drawn_on_a_terminal_alone(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    for terminal in (True, False):
        monkeypatch.setattr(sys.stderr, "isatty", lambda terminal=terminal: terminal)
        status = Status()
        status._next = 0.0
        status.show("half", 0.5)
        shown = capsys.readouterr().err
        assert ("━" * 12 + "─" * 12 in shown) == terminal
        assert "half" in shown
    assert (bar(-1.0), bar(2.0)) == ("─" * 24, "━" * 24)
