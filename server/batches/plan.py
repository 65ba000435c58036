"""What an item of a batch is: all of it decided when it is accepted, so that it is the same sound whenever drawn."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Mapping
from dataclasses import dataclass

from ostinato.models.config import ModelConfig
from ostinato.server.batches.item import parse_item, written
from ostinato.server.batches.pauses import Pauses, paced
from ostinato.server.limits import SessionLimits
from ostinato.server.midi import from_midi
from ostinato.server.pool import Card
from ostinato.server.protocol import BatchItem, HttpError, HttpErrorDetail, ProtocolError, SynthesizeOptions
from ostinato.server.score import Score, ScoreError, TimedNote, from_notes
from ostinato.server.sound.formats import choose
from ostinato.server.steering import Steering
from ostinato.server.synthesis import Synthesis, served


@dataclass(frozen=True, slots=True)
class Planned:
    """An item as it is kept."""

    request: str  # the item as JSON, nothing left open
    options: str  # the same without notes
    model: str
    seconds: float  # of its sound, releases included
    most_bytes: int  # of its file
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Planner:
    """Decides what items leave open, and refuses those that can't be drawn here.

    Args:
        cards: of the models that are served, the first being the one that is meant where none is named.
        limits: of a session.
        slots: of each model.
    """

    cards: Mapping[str, Card]
    limits: SessionLimits
    slots: int

    def plan(self, item: BatchItem, number: int) -> Planned:
        """The item as it is kept. Raises ProtocolError naming `items[number]` and the field."""
        try:
            return self._plan(item)
        except ScoreError as error:
            raise ProtocolError(
                "invalid_value", f"items[{number}].{error}", param=f"items[{number}].{error.param}"
            ) from None
        except ProtocolError as error:
            d = error.detail
            param = f"items[{number}].{d.param}" if d.param else f"items[{number}]"
            raise ProtocolError(d.code, f"items[{number}].{d.message}", param=param, kind=d.type) from None

    def _plan(self, item: BatchItem) -> Planned:
        model, config = served(self.cards, item.model)
        sound = choose(item, item.format or "wav", config.network.sample_rate)
        seed = secrets.randbits(53) if item.seed is None else item.seed
        Steering(self.cards[model].controls, config.instruments, item.controls)
        score = compose(item, config)
        seconds = score.samples / config.network.sample_rate
        self.limits.bound(score.voices, seconds)
        if score.voices > self.slots:
            message = f"voices: {score.voices} are more than the {self.slots} there are"
            raise ProtocolError("over_limit", message, param="voices")
        decided = item.model_copy(
            update={
                "model": model,
                "seed": seed,
                "format": sound.format,
                "sample_format": sound.samples,
                "sample_rate": sound.rate,
            }
        )
        return Planned(
            "".join(paced(written(decided))),
            decided.model_dump_json(include=set(SynthesizeOptions.model_fields)),
            model,
            seconds,
            sound.most_bytes(score.samples),
            score.warnings,
        )


def recalled(request: str) -> BatchItem:
    """An item that was kept."""
    return parse_item(request, "request", Pauses())


def synthesis(item: BatchItem, cards: Mapping[str, Card]) -> Synthesis:
    """What draws an item that was kept. Raises ProtocolError where its model is not served any more."""
    model, config = served(cards, item.model)
    assert item.seed is not None
    try:
        score = compose(item, config)
    except ScoreError as error:
        raise ProtocolError("invalid_value", str(error), param=error.param) from None
    assert item.format is not None
    sound = choose(item, item.format, config.network.sample_rate)
    return Synthesis(model, item.seed, item.controls, score, sound)


def compose(item: BatchItem, config: ModelConfig) -> Score:
    """The score of an item. Raises ScoreError."""
    if item.midi is not None:
        return from_midi(base64.b64decode(item.midi), config)
    assert item.notes is not None
    return from_notes(
        (TimedNote(n.note, n.duration_s, n.start_s, n.velocity, n.instrument) for n in paced(item.notes)), config
    )


def told(error: ProtocolError) -> HttpErrorDetail:
    """An error as it is kept with the item that it befell."""
    return HttpError.of(error.detail).error
