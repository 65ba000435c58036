"""What the default instrument is: its network."""

from __future__ import annotations

from typing import Final

from ostinato.models.config import (
    ExcitationConfig,
    Instrument,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    ToneConfig,
    WaveNetConfig,
)

FLUTE: Final = Instrument(name="flute", low=60, high=84, programs=tuple(range(72, 80)))
HELD_OUT_KEYS: Final = (64, 70, 77)  # none at a border between the soundfont's samples, where no answer is right
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
