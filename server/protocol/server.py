"""What the server says."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ostinato.server.protocol.client import AudioFormat
from ostinato.server.protocol.errors import Error
from ostinato.server.protocol.message import AHEAD_S, MESSAGE_BYTES, EventId, Message, Sample

DoneReason: TypeAlias = Literal["ended", "duration", "limit", "drained"]


class StreamFormat(AudioFormat):
    """The format of a stream, with what the model decides of it."""

    sample_rate: int = Field(ge=1)
    channels: Literal[1] = 1
    hop: int = Field(ge=1)  # samples; events land on its multiples


class Limits(Message):
    """What this session may ask for."""

    voices: int
    duration_s: float
    ahead_s: float = AHEAD_S
    message_bytes: int = MESSAGE_BYTES


class SessionCreated(Message):
    """The session is admitted."""

    type: Literal["session.created"] = "session.created"
    session_id: str
    resume_token: str | None = None
    model: str
    format: StreamFormat
    seed: int
    lead_ms: float
    limits: Limits


class AudioStart(Message):
    """The session's clock has started."""

    type: Literal["audio.start"] = "audio.start"
    sample: Sample


class ControlApplied(Message):
    """The exact sample from which an event is heard."""

    type: Literal["control.applied"] = "control.applied"
    event_id: EventId
    sample: Sample


class Stats(Message):
    """How the session and its engine do, once a second. What was not measured yet is left out."""

    type: Literal["stats"] = "stats"
    rtf: float | None = None  # step_us_p50 / budget_us: below 1 is faster than real time
    step_us_p50: float | None = None
    step_us_p99: float | None = None
    ttfa_ms: float | None = None
    lead_ms: float
    underruns: int
    voices: int
    batch: int  # slots of the engine's last step
    budget_us: float  # one sample's time


class QueueUpdate(Message):
    """Not admitted yet."""

    type: Literal["queue.update"] = "queue.update"
    position: int
    eta_s: float | None = None


class Warned(Message):
    """Something was done otherwise than asked."""

    type: Literal["warning"] = "warning"
    code: str
    message: str
    event_id: str | None = None


class ServerDraining(Message):
    """The server will close."""

    type: Literal["server.draining"] = "server.draining"
    deadline_s: float


class AudioDone(Message):
    """The stream is whole: its length and the hash of its PCM, each sample once, from 0."""

    type: Literal["audio.done"] = "audio.done"
    samples: int
    sha256: str
    reason: DoneReason


class Pong(Message):
    """Answers a `ping`."""

    type: Literal["pong"] = "pong"
    id: str | None = None


ServerMessage: TypeAlias = Annotated[
    SessionCreated
    | AudioStart
    | ControlApplied
    | Stats
    | QueueUpdate
    | Warned
    | ServerDraining
    | AudioDone
    | Pong
    | Error,
    Field(discriminator="type"),
]
