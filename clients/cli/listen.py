"""Listening to a stream from the command line: audio to where it goes, figures to stderr."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from ostinato.clients.cli.output import Write
from ostinato.clients.cli.status import Status
from ostinato.clients.report import Report
from ostinato.clients.stream import Stream


def listen(stream: Stream, write: Write, status: Status) -> None:
    """Hand on every block as it arrives, and show how the stream does. Raises StreamError where it breaks off."""
    rate = stream.created.format.sample_rate
    for block in stream:
        write(block.pcm)
        status.show(described(stream.report, rate))


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
