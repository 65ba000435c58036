"""What all messages share: strictness, and the kinds of value they are made of."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Final, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

SUBPROTOCOL: Final = "ostinato.v1"
TOKEN_SUBPROTOCOL: Final = "ostinato.token."  # and a token: what a browser sends instead of a key, beside the other
MESSAGE_BYTES: Final = 64 * 1024  # the largest message either side takes as text
MESSAGES_PER_S: Final = 4000.0  # sixteen voices under a pitch wheel, which a MIDI cable moves 250 times a second
MESSAGES_BURST: Final = 20_000  # at once, after silence: a score's first events
AHEAD_S: Final = 60.0  # how far before its time an event may arrive
DURATION_S: Final = 3600.0  # the longest session
LEAST_LEAD_MS: Final = 20.0

Encoding: TypeAlias = Literal["pcm_s16le", "pcm_f32le"]
EventId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
VoiceId: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
Sample: TypeAlias = Annotated[int, Field(ge=0, lt=2**53)]  # what JSON readers hold exactly
Note: TypeAlias = Annotated[float, Field(ge=0.0, le=127.0)]
ControlName: TypeAlias = Annotated[str, Field(min_length=1, max_length=64)]
ControlValue: TypeAlias = float | Annotated[str, Field(max_length=64)]
Params: TypeAlias = Annotated[Mapping[ControlName, ControlValue], Field(max_length=32)]
Milliseconds: TypeAlias = Annotated[float, Field(ge=0.0)]


class Message(BaseModel):
    """Frozen, strict, finite, and closed to unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True, allow_inf_nan=False)

    def to_json(self) -> str:
        """One text frame; fields that are None are left out."""
        return self.model_dump_json(exclude_none=True)
