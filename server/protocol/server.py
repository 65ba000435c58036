"""What the server says."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from pydantic import Field

from ostinato.server.protocol.client import AudioFormat
from ostinato.server.protocol.errors import Error
from ostinato.server.protocol.message import (
    AHEAD_S,
    MESSAGE_BYTES,
    MESSAGES_BURST,
    MESSAGES_PER_S,
    EventId,
    Message,
    Sample,
)

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
    messages_per_s: float = MESSAGES_PER_S  # in the long run; faster is closed with 4429
    messages_burst: int = MESSAGES_BURST  # at once, after silence


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
    """How the session does, once a second and before audio.done. What was not measured is left out.

    A step is one sample of every stream of a batch. The figures of steps are of those that drew voices of this
    session since the last stats; there are none where none did, nor where they would tell what neighbours play: live,
    paced, under the speculative engine.
    """

    type: Literal["stats"] = "stats"
    rtf: float | None = None  # all the work of those steps / all the audio they drew: below 1 is faster than real time
    us_per_sample: float | None = None  # the same work / the samples of all streams: one sample of one stream
    step_us_p50: float | None = None  # over blocks, each with its mean; rtf * budget_us is the mean over all
    step_us_p99: float | None = None
    ttfa_ms: float | None = None
    lead_ms: float
    underruns: int
    voices: int
    batch: int  # streams of the last step; 0 where there was none
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
    """Answers a `ping`. It has no place in the stream: audio that was drawn before it may come after it."""

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
