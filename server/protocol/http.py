"""The bodies of HTTP requests and errors."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, TypeAlias

from pydantic import Field, ValidationError

from ostinato.server.protocol.errors import ErrorDetail, ErrorKind
from ostinato.server.protocol.faults import explain
from ostinato.server.protocol.message import DURATION_S, Message, Note, Params

SoundFormat: TypeAlias = Literal["wav", "flac", "ogg", "opus", "mp3", "pcm"]  # ogg: with Vorbis in it
SampleFormat: TypeAlias = Literal["s16", "s24", "f32"]

NOTES: Final = 20_000  # of a list
TEXTS: Final = ("model", "format", "sample_format")  # options that are no numbers, in a query
NUMBERS: Final = ("seed", "sample_rate")


class SynthesizeNote(Message):
    """A note of a list, in seconds."""

    note: Note
    duration_s: float = Field(gt=0.0, le=DURATION_S)
    start_s: float = Field(0.0, ge=0.0, le=DURATION_S)
    velocity: float = Field(0.8, ge=0.0, le=1.0)
    instrument: str | int | None = None  # by name or index; None: the model's first


class SynthesizeOptions(Message):
    """How a sound is made; the query of a request whose body is a MIDI file."""

    model: str | None = Field(None, max_length=64)  # None: the server's first
    seed: int | None = Field(None, ge=0, lt=2**64)  # None: the server draws one and tells it
    format: SoundFormat | None = None  # None: what `Accept` asks for, else wav
    sample_format: SampleFormat | None = None  # None: s16, where the format keeps samples
    sample_rate: int | None = Field(None, ge=8000, le=96_000)  # Hz; None: the model's, or the next that there is
    controls: Params = Field(default_factory=dict)


class SynthesizeRequest(SynthesizeOptions):
    """`POST /v1/audio/synthesize` with a list of notes."""

    notes: tuple[SynthesizeNote, ...] = Field(min_length=1, max_length=NOTES)


class Token(Message):
    """What a browser opens sockets with, as the subprotocol `ostinato.token.` and the token, beside `ostinato.v1`."""

    token: str
    expires_s: float  # from now


class HttpErrorDetail(Message):
    """What was wrong."""

    type: ErrorKind
    code: str
    message: str
    param: str | None = None  # the field


class HttpError(Message):
    """The body of every error."""

    error: HttpErrorDetail

    @classmethod
    def of(cls, detail: ErrorDetail) -> HttpError:
        """The same as it is told over HTTP, where there are no events."""
        return cls(
            error=HttpErrorDetail(type=detail.type, code=detail.code, message=detail.message, param=detail.param)
        )


def parse_body(body: bytes) -> SynthesizeRequest:
    """A JSON body. Raises ProtocolError naming the field and its value."""
    try:
        return SynthesizeRequest.model_validate_json(body)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, fault["loc"], "body") from None


def parse_query(query: Mapping[str, str]) -> SynthesizeOptions:
    """The options in a query, every name that is none of them being a control. Raises ProtocolError as above."""
    options: dict[str, object] = {name: query[name] for name in TEXTS if name in query}
    options |= {name: _number(query[name]) for name in NUMBERS if name in query}
    options["controls"] = {name: _number(text) for name, text in query.items() if name not in options}
    try:
        return SynthesizeOptions.model_validate(options)
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        raise explain(fault, fault["loc"], "query") from None


def _number(text: str) -> int | float | str:
    """A number where the text is one."""
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text
