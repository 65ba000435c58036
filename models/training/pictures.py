"""Pictures of a run and of what it learned. matplotlib is loaded only where something is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

SMOOTH: Final = 50  # steps
DYNAMIC_RANGE_DB: Final = 90.0


def draw_losses(losses: Sequence[float], path: Path) -> None:
    """The loss at each step, in bits per sample, and its running mean."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7, 3.5), layout="constrained")
    axes = figure.subplots()
    axes.plot(losses, color="0.8", linewidth=0.5)
    if len(losses) >= SMOOTH:
        mean = np.convolve(losses, np.full(SMOOTH, 1 / SMOOTH), "valid")
        axes.plot(np.arange(len(mean)) + SMOOTH - 1, mean, color="tab:blue")
        axes.set_ylim(float(mean.min()) - 0.5, float(np.quantile(mean, 0.98)) + 0.5)
    axes.set(xlabel="step", ylabel="bits per sample")
    figure.savefig(path, dpi=100)


def draw_spectrograms(
    rows: Sequence[tuple[str, NDArray[np.float32], NDArray[np.float32]]], path: Path, *, sample_rate: int
) -> None:
    """Each row a title, a recording and a model's note [T], side by side on one scale of decibels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 2.1 * len(rows)), layout="constrained")
    grid = figure.subplots(len(rows), 2, sharex=True, sharey=True, squeeze=False)
    for (title, recording, model), axes in zip(rows, grid, strict=True):
        top = 20 * np.log10(np.abs(recording).max() + 1e-9)
        for name, audio, ax in zip(("recording", "model, free-running"), (recording, model), axes, strict=True):
            # a trace of white noise, far below what is drawn, keeps the logarithm of silence finite
            heard = audio + np.random.default_rng(0).normal(0, 1e-7, len(audio))
            ax.specgram(
                heard, NFFT=1024, Fs=sample_rate, noverlap=768, mode="psd",
                vmin=top - 40 - DYNAMIC_RANGE_DB, vmax=top - 40, cmap="magma",
            )  # fmt: skip
            ax.set_title(f"{title}: {name}", fontsize=9)
            ax.set_ylim(0, 12000)
    figure.savefig(path, dpi=80)
