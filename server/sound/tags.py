"""What a sound file says of itself: which model made it, from which seed, and that no one played it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import version
from typing import Final

SYNTHETIC: Final = "synthetic audio, made by a machine"


@dataclass(frozen=True, slots=True)
class Tags:
    """Metadata, by the names that soundfile has for it. The same for the same sound: there is no date."""

    title: str
    artist: str
    comment: str
    software: str


def tags_of(model: str, seed: int) -> Tags:
    """The tags of what a model drew from a seed."""
    comment = f"{SYNTHETIC}; model: {model}; seed: {seed}"
    return Tags(f"{model}, seed {seed}", model, comment, f"Ostinato {version('ostinato')}")
