"""What a load client asks of a server."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import ValidationError

from ostinato.clients.address import stream_address
from ostinato.clients.connection import DEFAULT_TIMEOUTS, Timeouts
from ostinato.server.protocol import AudioFormat, SessionStart
from ostinato.server.protocol.faults import explain


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """So many streams, for so long, each like the others but for its seed.

    Raises:
        ValueError: where the address is none, or a value of the session is out of its range.
    """

    url: str  # of the server, as `stream_address` takes it
    streams: int
    seconds: float  # that all of them play together
    model: str = "default"
    voices: int = 1  # of each stream, all of them sounding
    lead_ms: float = 200.0
    frame_ms: float = 20.0
    control_every_s: float = 1.0
    wait: bool = False  # for a place in the queue; else a session that is queued counts as refused
    api_key: str | None = None
    timeouts: Timeouts = DEFAULT_TIMEOUTS

    def __post_init__(self) -> None:
        stream_address(self.url)
        try:
            self.session(0)
        except ValidationError as error:
            fault = error.errors(include_url=False)[0]
            raise ValueError(str(explain(fault, fault["loc"], "session.start"))) from None

    def session(self, number: int) -> SessionStart:
        """What the stream of this number asks for; its seed is the number."""
        return SessionStart(
            model=self.model,
            voices=self.voices,
            format=AudioFormat(frame_ms=self.frame_ms),
            seed=number,
            lead_ms=self.lead_ms,
        )
