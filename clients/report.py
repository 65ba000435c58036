"""What a client saw of a stream: its real-time factor, its delays, what went otherwise than asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

from ostinato.server.protocol import Error, Stats, Warned

KEPT: Final = 100  # warnings and errors, each


@dataclass
class Report:
    """Figures of one stream. What was not measured is None."""

    samples: int = 0
    rtf: float | None = None  # of the last second, or its part, in which some of it was drawn
    worst_rtf: float | None = None  # of all such seconds; each is all its work over all its audio
    ttfa_ms: float | None = None  # as the server measured it
    first_audio_ms: float | None = None  # from session.start to the first audio here
    lead_ms: float | None = None  # how far the server is ahead of the listener
    underruns: int = 0  # of the playhead here, or of the sound card
    reconnects: int = 0  # connections that were lost, and after which the session was carried on
    least_buffered_ms: float | None = None  # while it played
    warnings: list[str] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)

    def measured(self, stats: Stats) -> None:
        """Take the server's figures of the time since those before, a second at most; it sends the last at the end."""
        self.lead_ms = stats.lead_ms
        if stats.ttfa_ms is not None:
            self.ttfa_ms = stats.ttfa_ms
        if stats.rtf is not None:
            self.rtf = stats.rtf
            self.worst_rtf = max(stats.rtf, self.worst_rtf or 0.0)

    def warned(self, warning: Warned) -> None:
        """Keep what was done otherwise than asked."""
        if len(self.warnings) < KEPT:
            self.warnings.append(f"{warning.code}: {warning.message}")

    def erred(self, error: Error) -> None:
        """Keep what was not done."""
        if len(self.errors) < KEPT:
            self.errors.append(f"{error.error.code}: {error.error.message}")
