"""What the default instrument is: its network, and the notes that it learns and is tested on."""

from __future__ import annotations

from typing import Final

import numpy as np

from ostinato.models.config import (
    ExcitationConfig,
    Instrument,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    ToneConfig,
    WaveNetConfig,
)
from ostinato.models.training.notes import Note, Split

FLUTE: Final = Instrument(name="flute", low=60, high=84, programs=tuple(range(72, 80)))
FLUTE_PROGRAM: Final = 73

VELOCITIES: Final = (24, 40, 64, 112, 127)
HELD_OUT_VELOCITY: Final = 88
HELD_OUT_KEYS: Final = (64, 70, 77)  # none at a border between the soundfont's samples, where no answer is right
BEND_CENTS: Final = 50.0  # neighbouring keys meet, and no pitch is rendered from two different samples
HELD_S: Final = 1.6
SHORTEST_S: Final = 0.12
TEMPERATURE: Final = 0.2  # of several, the one that sounds nearest: see the card of the default model


def default_config() -> ModelConfig:
    """The shipped shape: small enough for real time on one core, its field as long as the excitation leaves useful."""
    network = WaveNetConfig(
        residual_channels=32,
        skip_channels=64,
        layers=18,
        dilation_cycle=(1, 2, 4, 8, 16, 32, 64, 128, 256),
        head_hidden=(64,),
        head=LogisticsHead(components=2),
        local=LocalConditioning(hidden=(128, 128), channels=32),
        excitation=ExcitationConfig(harmonics=8),
        tone=ToneConfig(harmonics=64),
        pre_emphasis=0.85,
    )
    return ModelConfig(
        name="default",
        licence="MIT",
        description="A flute, after the FluidR3 soundfont",
        release_s=0.3,
        temperature=TEMPERATURE,
        instruments=(FLUTE,),
        network=network,
    )


def flute_notes(seed: int, takes: int = 3) -> list[Note]:
    """What to render: every key of the range at each velocity, `takes` times.

    The first take is plain and long; each other one is bent by a random amount, and every second of those is let go
    early. Held out are whole keys, at all velocities, and one velocity at all keys.
    """
    rng = np.random.default_rng(seed)
    notes = []
    for key in range(int(FLUTE.low), int(FLUTE.high) + 1):
        for velocity in VELOCITIES:
            if key in HELD_OUT_KEYS:
                notes.append(Note(key, velocity, 0.0, HELD_S, Split.PITCH))
                continue
            notes.append(Note(key, velocity, 0.0, HELD_S, Split.TRAIN))
            for take in range(1, takes):
                bend = round(float(rng.uniform(-BEND_CENTS, BEND_CENTS)), 1)
                held = HELD_S if take % 2 else float(rng.uniform(SHORTEST_S, HELD_S / 2))
                notes.append(Note(key, velocity, bend, held, Split.TRAIN))
        notes.append(Note(key, HELD_OUT_VELOCITY, 0.0, HELD_S, Split.VELOCITY))
    return notes
