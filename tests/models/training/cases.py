"""Cases to measure: toy notes, and what is measured of them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ostinato.models.training.dataset import Recording
from ostinato.models.training.evaluation import Case, NoteFigures
from ostinato.models.training.figures import Measured
from ostinato.models.training.kinds import Kind
from ostinato.models.training.notes import Note, Split
from tests.models.training.tones import HOP, RATE, tone

FLUTE = Kind("flute")
GUITAR = Kind("guitar", decays=True)
VIOLINS = Kind("violins", section=True)

PERFECT = NoteFigures(
    pitch_cents=0.0,
    recording_pitch_cents=0.0,
    hnr_db=30.0,
    recording_hnr_db=30.0,
    level_db=0.0,
    log_mel_db=0.0,
    after_release_dbfs=-90.0,
    after_release_db=-70.0,
    onset_click_db=0.0,
    release_click_db=0.0,
    end_click_db=0.0,
    border_click_db=0.0,
)


def recording(cents: float = 0.0, level: float = 0.2, held_s: float = 1.0) -> Recording:
    """A tone of a second and its release."""
    note = Note(69, 100, cents, held_s, Split.TRAIN)
    return Recording.of(note, tone(note, 1000 * HOP, level=level)[0], hop=HOP, sample_rate=RATE)


def case_of(recording: Recording, kind: Kind = FLUTE, release_s: float = 0.3) -> Case:
    """The recording as something to measure."""
    return Case(recording, kind, HOP, RATE, release_s)


def noise_of(samples: int, level_db: float, seed: int = 0) -> NDArray[np.float32]:
    """White noise of a level against full scale."""
    return np.random.default_rng(seed).normal(0, 10 ** (level_db / 20), samples).astype(np.float32)


def measured(
    index: int = 0, figures: NoteFigures = PERFECT, kind: Kind = FLUTE, split: Split = Split.TRAIN, key: float = 60.0
) -> Measured:
    """A note whose figures are given; its baseline is perfect."""
    return Measured(index, Note(key, 100, 0.0, 1.6, split), kind, figures, PERFECT)
