"""`ostinato evaluate`: say how a model sounds beside its recordings."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

from ostinato.models.registry import load_name_or_folder
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training.dataset import Recording, check_fit, read_dataset
from ostinato.models.training.evaluation import measure_bends, play_recordings
from ostinato.models.training.figures import make_report
from ostinato.models.training.measures import Audio

PICTURED_KEYS: Final = (60, 64, 72, 84)
PICTURED_VELOCITY: Final = 112


def evaluate(
    *,
    model: str = "default",
    data: Path = Path("data/flute"),
    out: Path | None = None,
    temperature: float | None = None,
    slots: int = 16,
    seed: int = 0,
    every: int = 1,
) -> dict[str, Any]:
    """Play the unbent notes of a data set (or every `every`-th of them) free-running, and measure them.

    `model` is a name or a folder; `temperature` is the model's own where it is None. Returns figures for each split
    (`train`, `held-out pitch`, `held-out velocity`), bends, likelihoods, and each note; with `out`, also writes them to
    `evaluation.json` and pictures to `spectrograms.png` there.

    Raises:
        DatasetError: where the data set is missing or broken.
        UnknownModelError: where the model is.
    """
    checkpoint, dataset = load_name_or_folder(model), read_dataset(data)
    network = checkpoint.config.network
    check_fit(dataset, network, data)
    warmth = checkpoint.config.temperature if temperature is None else temperature
    recordings = [r for r in dataset.recordings if r.note.bend_cents == 0][::every]
    sampler, _ = open_sampler(checkpoint, slots=slots)
    played = play_recordings(sampler, recordings, warmth, seed)
    bent = [r.note for r in recordings if r.note.velocity == PICTURED_VELOCITY]
    bends = measure_bends(sampler, bent, warmth, seed)
    report = {"model": model, "engine": sampler.build.engine, "temperature": warmth, "seed": seed} | make_report(
        checkpoint, recordings, played, bends
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        draw_notes(recordings, played, out / "spectrograms.png", network.sample_rate)
    return report


def draw_notes(recordings: Sequence[Recording], played: Sequence[Audio], path: Path, sample_rate: int) -> None:
    """The spectrograms of a few notes beside their recordings."""
    from ostinato.models.training.pictures import draw_spectrograms

    rows = [
        (f"key {r.note.key:g}, {r.note.split.value}", r.audio, audio)
        for r, audio in zip(recordings, played, strict=True)
        if r.note.key in PICTURED_KEYS and r.note.velocity == PICTURED_VELOCITY
    ]
    if rows:
        draw_spectrograms(rows, path, sample_rate=sample_rate)
