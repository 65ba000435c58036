"""A score drawn for a file: what is to be drawn, the session that draws it, and the PCM that comes of it."""

from __future__ import annotations

import time
import uuid
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.models.config import ModelConfig
from ostinato.server.mailbox import Audio, Close, Delivered, Mailbox, Opening
from ostinato.server.pool import Card
from ostinato.server.protocol import (
    AudioDone,
    AudioFormat,
    Error,
    ProtocolError,
    QueueUpdate,
    SessionCreated,
    SessionStart,
)
from ostinato.server.score import Score
from ostinato.server.sound.formats import SoundSpec
from ostinato.server.sound.tags import Tags, tags_of

BLOCK_MS: Final = 100.0


@dataclass(frozen=True, slots=True)
class Synthesis:
    """One sound, all of it decided."""

    model: str
    seed: int
    controls: Mapping[str, float | str]
    score: Score
    sound: SoundSpec

    @property
    def tags(self) -> Tags:
        """What its file says of itself."""
        return tags_of(self.model, self.seed)

    def opening(self, mailbox: Mailbox, owner: str, *, batch: bool = False) -> Opening:
        """What asks an engine for the session that draws it."""
        start = SessionStart(
            model=self.model,
            voices=self.score.voices,
            format=AudioFormat(encoding=self.sound.encoding, frame_ms=BLOCK_MS),
            seed=self.seed,
            mode="fast",
            controls=self.controls,
            framing="raw",
        )
        score = self.score
        now = time.monotonic()
        return Opening(
            uuid.uuid4().hex, start, mailbox, now, owner, score=score.events, samples=score.samples, batch=batch
        )


class SessionLostError(Exception):
    """The session ended before its sound did."""

    def __init__(self, error: ProtocolError) -> None:
        super().__init__(str(error))
        self.error = error


def served(cards: Mapping[str, Card], name: str | None) -> tuple[str, ModelConfig]:
    """A model by its name, the first where none is given. Raises ProtocolError where it is not served."""
    name = next(iter(cards)) if name is None else name
    if name not in cards:
        message = f"model: {name!r} is not served; there are {', '.join(cards)}"
        raise ProtocolError("unknown_model", message, param="model")
    return name, cards[name].config


async def admitted(mailbox: Mailbox) -> None:
    """Wait for the session, in the line too. Raises ProtocolError where it is refused."""
    while True:
        match await mailbox.receive():
            case SessionCreated():
                return
            case Error() as error:
                raise ProtocolError.of(error)
            case QueueUpdate():
                pass
            case other:
                raise AssertionError(f"{other} before session.created")


async def pcm(mailbox: Mailbox) -> AsyncIterator[bytes]:
    """The PCM of a session, block by block. Raises SessionLostError where it ends before it is whole."""
    while True:
        match await mailbox.receive():
            case Audio() as block:
                taken_at = time.monotonic()
                yield block.payload
                now = time.monotonic()
                mailbox.say(Delivered(block.samples, block.ready_at, taken_at, now), now)
            case AudioDone(reason="drained"):
                raise SessionLostError(ProtocolError("draining", "the server stops", kind="capacity"))
            case AudioDone():
                return
            case Error() as error:
                raise SessionLostError(ProtocolError.of(error))
            case Close(reason=reason):
                raise SessionLostError(ProtocolError("closed", reason, kind="internal"))
            case _:
                pass
