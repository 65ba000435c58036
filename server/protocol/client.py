"""What a client says."""

from __future__ import annotations

from typing import Annotated, Final, Literal, TypeAlias

from pydantic import ConfigDict, Field, model_validator

from ostinato.server.protocol.message import (
    DURATION_S,
    LEAST_LEAD_MS,
    Encoding,
    EventId,
    Message,
    Milliseconds,
    Note,
    Params,
    Sample,
    VoiceId,
)

RESERVED: Final = ("frames.append",)  # types that a later kind of model will take


class AudioFormat(Message):
    """How samples are written, and how much audio a binary frame holds."""

    encoding: Encoding = "pcm_s16le"
    frame_ms: float = Field(20.0, ge=2.0, le=1000.0)


class Resume(Message):
    """Which dropped session to carry on with, and from where."""

    token: str = Field(pattern=r"^[A-Za-z0-9_-]{1,128}$")
    next_sample: Sample


class SessionStart(Message):
    """The first message."""

    type: Literal["session.start"] = "session.start"
    model: str = Field(min_length=1, max_length=64, pattern=r"^[a-z0-9][a-z0-9._-]*$")  # a name, never a path
    voices: int = Field(1, ge=1, le=64)  # slots reserved for this session
    format: AudioFormat = AudioFormat()
    seed: int | None = Field(None, ge=0, lt=2**64)  # None: the server draws one and tells it
    mode: Literal["live", "fast"] = "live"  # paced by the clock, or as fast as it goes
    lead_ms: float | None = Field(None, ge=LEAST_LEAD_MS, le=10_000.0)  # None: the server's default
    duration_s: float | None = Field(None, gt=0.0, le=DURATION_S)
    controls: Params = Field(default_factory=dict)
    framing: Literal["header", "raw"] = "header"
    resume: Resume | None = None


class _Event(Message):
    event_id: EventId
    at_sample: Sample | None = None  # None: now


class NoteOn(_Event):
    """Play a note."""

    type: Literal["note.on"] = "note.on"
    note: Note  # MIDI number, fractions allowed
    velocity: float = Field(0.8, ge=0.0, le=1.0)
    voice_id: VoiceId | None = None


class NoteOff(_Event):
    """Let a note go: the voice of this id, else the oldest one sounding this note."""

    model_config = ConfigDict(json_schema_extra={"anyOf": [{"required": ["note"]}, {"required": ["voice_id"]}]})

    type: Literal["note.off"] = "note.off"
    note: Note | None = None
    velocity: float | None = Field(None, ge=0.0, le=1.0)  # taken from MIDI keyboards, and not heard
    voice_id: VoiceId | None = None

    @model_validator(mode="after")
    def _names_a_voice(self) -> NoteOff:
        if self.note is None and self.voice_id is None:
            raise ValueError("names neither a note nor a voice_id")
        return self


class ControlUpdate(_Event):
    """Steer anything that the model lists, for one voice or for all."""

    type: Literal["control.update"] = "control.update"
    params: Annotated[Params, Field(min_length=1)]
    voice_id: VoiceId | None = None
    ramp_ms: float = Field(0.0, ge=0.0, le=60_000.0)


class PlaybackReport(Message):
    """What the listener hears."""

    type: Literal["playback.report"] = "playback.report"
    played_sample: Sample
    buffered_ms: Milliseconds = 0.0
    underruns: int = Field(0, ge=0)


class StreamPause(Message):
    """Stop the session's clock."""

    type: Literal["stream.pause"] = "stream.pause"


class StreamResume(Message):
    """Let the session's clock run on."""

    type: Literal["stream.resume"] = "stream.resume"


class SessionEnd(Message):
    """Let everything go, hear the tail, and close."""

    type: Literal["session.end"] = "session.end"


class Ping(Message):
    """Ask for a `pong`."""

    type: Literal["ping"] = "ping"
    id: str | None = Field(None, max_length=64)


Event: TypeAlias = NoteOn | NoteOff | ControlUpdate
ClientMessage: TypeAlias = Annotated[
    SessionStart | Event | PlaybackReport | StreamPause | StreamResume | SessionEnd | Ping,
    Field(discriminator="type"),
]
