"""Listening to a stream from the command line: audio to where it goes, figures to stderr."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from ostinato.clients.cli.status import Status
from ostinato.clients.errors import StreamError
from ostinato.clients.incoming import Block
from ostinato.clients.report import Report
from ostinato.clients.stream import Stream
from ostinato.server.protocol import QueueUpdate, ServerDraining, ServerMessage, SessionCreated

Take = Callable[[Block], object]
"""Takes the next audio."""


class Teller:
    """Tells what befalls a session: its place in line, a lost connection, a server that stops."""

    def __init__(self, status: Status) -> None:
        self._status = status
        self._lost = self._waited = False

    def heard(self, message: ServerMessage) -> None:
        """Take a message of the server."""
        match message:
            case QueueUpdate():
                self._waited = True
                soon = "" if message.eta_s is None else f", about {message.eta_s:.0f} s"
                self._status.say(f"waiting: place {message.position} in line{soon}")
            case SessionCreated() if self._lost:
                self._lost = False
                self._status.say("carried on")
            case SessionCreated() if self._waited:
                self._waited = False
                self._status.say("let in")
            case ServerDraining():
                self._status.say(f"the server stops within {message.deadline_s:.0f} s")
            case _:
                pass

    def lost(self, why: StreamError) -> None:
        """Take the loss of a connection."""
        self._lost = True
        self._status.say(f"{why}; looking for a way back")


def listen(stream: Stream, takes: Sequence[Take], status: Status, seconds: float | None) -> None:
    """Hand on every block as it arrives, and show how a stream of so many seconds does.

    Raises:
        StreamError: where it breaks off.
    """
    rate = stream.created.format.sample_rate
    for block in stream:
        for take in takes:
            take(block)
        status.show(described(stream.report, rate), stream.report.samples / rate / seconds if seconds else None)


def described(report: Report, sample_rate: int) -> str:
    """One line of figures."""
    return "  ".join(
        [
            f"{report.samples / sample_rate:7.2f} s",
            f"RTF {_shown(report.rtf, '.3f')} (worst {_shown(report.worst_rtf, '.3f')})",
            f"TTFA {_shown(report.ttfa_ms, '.1f')} ms",
            f"lead {_shown(report.lead_ms, '.0f')} ms",
            f"underruns {report.underruns}",
        ]
    )


def summary(stream: Stream) -> dict[str, Any]:
    """Everything that was measured, for JSON."""
    created, report = stream.created, stream.report
    seconds = round(report.samples / created.format.sample_rate, 3)
    done = stream.done
    return {
        "model": created.model,
        "seed": created.seed,
        "seconds": seconds,
        **{name: round(v, 4) if isinstance(v, float) else v for name, v in asdict(report).items()},
        "sha256": done.sha256 if done else None,
        "reason": done.reason if done else None,
    }


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
