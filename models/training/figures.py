"""The figures of many notes as one report: means, medians and worst cases of each split."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, fields
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.training.dataset import Recording
from ostinato.models.training.evaluation import NoteFigures, likelihood, measure_note
from ostinato.models.training.notes import Note, Split

IN_TUNE_CENTS: Final = 10.0


def make_report(
    checkpoint: Checkpoint,
    recordings: Sequence[Recording],
    played: Sequence[NDArray[np.float32]],
    bends: Sequence[tuple[Note, float, float]],
) -> dict[str, Any]:
    """Measure what was played against its recordings; plain numbers, ready for JSON."""
    network = checkpoint.config.network
    figures = [measure_note(r, a, network.sample_rate) for r, a in zip(recordings, played, strict=True)]
    splits = {}
    for split in Split:
        some = [(r, f) for r, f in zip(recordings, figures, strict=True) if r.note.split is split]
        if some:
            own, deaf = likelihood(checkpoint, [r for r, _ in some])
            splits[split.value] = summarise([f for _, f in some]) | {
                "bits_per_sample": own,
                "bits_per_sample_past_zeroed": deaf,
            }
    return {
        "parameters": checkpoint.parameters,
        "macs_per_sample": network.macs_per_sample,
        "splits": splits,
        "bends": summarise_bends([error for _, _, error in bends]),
        "notes": [r.note.to_json() | asdict(f) for r, f in zip(recordings, figures, strict=True)],
    }


def summarise(figures: Sequence[NoteFigures]) -> dict[str, Any]:
    """Mean, median and worst of each figure over some notes; of pitch and level, the size of the error."""
    column = {f.name: np.array([getattr(n, f.name) for n in figures]) for f in fields(NoteFigures)}
    cents = np.abs(column["pitch_cents"])
    return {
        "notes": len(figures),
        "in_tune": float(np.mean(cents <= IN_TUNE_CENTS)),
        "pitch_error_cents": spread(cents),
        "hnr_db": spread(column["hnr_db"], lower_is_worse=True),
        "recording_hnr_db": spread(column["recording_hnr_db"], lower_is_worse=True),
        "hnr_short_db": spread(column["recording_hnr_db"] - column["hnr_db"]),
        "level_error_db": spread(np.abs(column["level_db"])),
        "level_difference_db": float(column["level_db"].mean()),
        "log_mel_db": spread(column["log_mel_db"]),
        "after_release_dbfs": spread(column["after_release_dbfs"]),
        "after_release_db": spread(column["after_release_db"]),
    }


def summarise_bends(errors: Sequence[float]) -> dict[str, Any]:
    """How well bent notes keep to the pitch that was asked for."""
    if not errors:
        return {"notes": 0}
    return {"notes": len(errors), "pitch_error_cents": spread(np.abs(np.array(errors)))}


def spread(values: NDArray[np.float64], *, lower_is_worse: bool = False) -> dict[str, float]:
    """Mean, median and worst."""
    worst = values.min() if lower_is_worse else values.max()
    return {"mean": float(values.mean()), "median": float(np.median(values)), "worst": float(worst)}
