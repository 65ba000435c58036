"""The same notes at several temperatures: a model's default is chosen by it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ostinato.models.registry import load_name_or_folder
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training.dataset import check_fit, read_dataset
from ostinato.models.training.evaluating import Plan, choose_cases, play_and_measure
from ostinato.models.training.figures import Measured
from ostinato.models.training.kinds import kinds_of
from ostinato.models.training.measuring import workers


def sweep(
    temperatures: Sequence[float],
    *,
    model: str = "default",
    data: Path = Path("data/orchestra"),
    plan: Plan | None = None,
) -> list[dict[str, Any]]:
    """Mean figures over the notes of each instrument, and over all, at each temperature.

    Raises:
        DatasetError: where the data set is missing or broken.
        UnknownModelError: where the model is.
    """
    plan = plan or Plan()
    checkpoint, dataset = load_name_or_folder(model), read_dataset(data)
    check_fit(dataset, checkpoint.config.network, data)
    cases = choose_cases(dataset, kinds_of(dataset), checkpoint, plan)
    sampler, _ = open_sampler(checkpoint, slots=plan.slots, precision=plan.precision)
    rows = []
    with workers(plan.processes if len(cases) > plan.slots else 1) as pool:
        for temperature in temperatures:
            measured, _ = play_and_measure(sampler, cases, temperature, plan.seed, pool)
            for name in ("all", *dict.fromkeys(m.kind.name for m in measured)):
                some = [m for m in measured if name in ("all", m.kind.name)]
                rows.append({"temperature": temperature, "instrument": name} | means(some))
    return rows


def means(measured: Sequence[Measured]) -> dict[str, float]:
    """What a temperature is chosen by: noise against the recording's, level and colour."""
    short = np.array([m.figures.hnr_short_db for m in measured])
    level = np.array([m.figures.level_db for m in measured])
    return {
        "notes": len(measured),
        "hnr_short_db": float(short.mean()),
        "hnr_off_db": float(np.abs(short).mean()),
        "level_difference_db": float(level.mean()),
        "level_error_db": float(np.abs(level).mean()),
        "log_mel_db": float(np.mean([m.figures.log_mel_db for m in measured])),
    }
