"""What each idea is worth: the same few minutes of training with one of them taken away.

    python -m ostinato.models.training.ablation --data data/orchestra --instrument flute --minutes 5

leaves one checkpoint a variant in `runs/ablation`, to be measured with `ostinato evaluate`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ostinato.models.config import ModelConfig
from ostinato.models.controls import FRAME
from ostinato.models.training.alignment import as_fixed_point, nominal_turns
from ostinato.models.training.budget import Budget
from ostinato.models.training.dataset import Recording, read_dataset
from ostinato.models.training.loop import Settings, Trainer
from ostinato.models.training.notes import Split
from ostinato.models.training.recipe import instrument_config
from ostinato.models.training.running import run

Variant = Callable[[ModelConfig, Settings, Sequence[Recording]], tuple[ModelConfig, Settings, Sequence[Recording]]]

SILENT_DECADES: Final = (-9.0, -9.0)
EXCITATION: Final = 8  # harmonics at the input, in place of the tone
ABSOLUTE_DECADES: Final = (-4.5, -2.5)  # without a tone the noise is added to samples, not to what a tone leaves


def whole(c: ModelConfig, s: Settings, r: Sequence[Recording]) -> tuple[ModelConfig, Settings, Sequence[Recording]]:
    """Nothing taken away."""
    return c, s, r


def without_alignment(
    c: ModelConfig, s: Settings, r: Sequence[Recording]
) -> tuple[ModelConfig, Settings, Sequence[Recording]]:
    """The phase runs at the nominal frequency from a start of its own, as if nobody had looked at the recording."""
    rate, starts = c.network.sample_rate, np.random.default_rng(s.seed)
    nominal = [
        replace(x, phase=as_fixed_point(nominal_turns(len(x.audio), x.note.hertz, rate) + starts.random())) for x in r
    ]
    return c, s, nominal


def without_noise(
    c: ModelConfig, s: Settings, r: Sequence[Recording]
) -> tuple[ModelConfig, Settings, Sequence[Recording]]:
    """The past is given as it was recorded."""
    return c, replace(s, noise=SILENT_DECADES), r


def without_pre_emphasis(
    c: ModelConfig, s: Settings, r: Sequence[Recording]
) -> tuple[ModelConfig, Settings, Sequence[Recording]]:
    """The model's own domain is the plain signal."""
    return changed(c, pre_emphasis=0.0), s, r


def without_tone(
    c: ModelConfig, s: Settings, r: Sequence[Recording]
) -> tuple[ModelConfig, Settings, Sequence[Recording]]:
    """The WaveNet draws all of a sample; sines and cosines at its input, the excitation, are its hold on the phase."""
    return (
        changed(c, tone=None, excitation={"harmonics": EXCITATION}),
        replace(s, noise=ABSOLUTE_DECADES, past_weight=1.0),
        r,
    )


VARIANTS: Final[dict[str, Variant]] = {
    "whole": whole,
    "no-alignment": without_alignment,
    "no-noise": without_noise,
    "no-pre-emphasis": without_pre_emphasis,
    "no-tone": without_tone,
}


def changed(config: ModelConfig, **network: object) -> ModelConfig:
    """The same model with some keys of its network replaced."""
    data = config.model_dump()
    return ModelConfig.model_validate({**data, "network": {**data["network"], **network}})


def main() -> None:
    """Train the variants that are named, one after another."""
    parser = argparse.ArgumentParser(description="Train with one idea at a time taken away.")
    parser.add_argument("--data", type=Path, default=Path("data/orchestra"))
    parser.add_argument("--instrument", default="flute")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    parser.add_argument("--minutes", type=float, default=5.0)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--variants", nargs="+", choices=VARIANTS, default=list(VARIANTS))
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    dataset = read_dataset(asked.data)
    names = [i.name for i in dataset.instruments]
    if asked.instrument not in names:
        parser.error(f"--instrument: {asked.instrument!r} is not among {', '.join(names)}")
    place = names.index(asked.instrument)
    recordings = [alone(r) for r in dataset.of_split(Split.TRAIN) if r.note.instrument == place]
    plain = instrument_config([dataset.instruments[place]], name="ablation")
    for variant in asked.variants:
        config, settings, some = VARIANTS[variant](plain, Settings(), recordings)
        out = asked.out / variant
        out.mkdir(parents=True, exist_ok=True)
        run(Trainer(config, some, Budget(minutes=asked.minutes), settings), out)


def alone(recording: Recording) -> Recording:
    """A recording as of a model's only instrument."""
    frames = recording.frames.copy()
    frames[:, FRAME.index("instrument")] = 0
    return replace(recording, note=replace(recording.note, instrument=0), frames=frames)


if __name__ == "__main__":
    main()
