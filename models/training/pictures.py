"""Pictures of a run and of what it learned. matplotlib is loaded only where something is drawn."""

from __future__ import annotations

from collections.abc import Sequence
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ostinato.models.training import bars
from ostinato.models.training.evaluation import Case
from ostinato.models.training.figures import Measured
from ostinato.models.training.measures import Audio
from ostinato.models.training.notes import Split
from ostinato.models.training.spectrogram import (
    DYNAMIC_RANGE_DB,
    TICKS_HZ,
    mel_position,
    note_name,
    spectrogram,
    tick_name,
    top_power_db,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SMOOTH: Final = 50  # steps
COLOURS: Final = 64

PLOTTED: Final = (
    (bars.NOISE, "noise short, dB"),
    (bars.LEVEL, "level error, dB"),
    (bars.LOG_MEL, "log-mel distance, dB"),
    (bars.SILENCE, "after release, dBFS"),
    (bars.ONSET_CLICK, "onset click, dB"),
)


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


def draw_instruments(cases: Sequence[Case], played: Sequence[Audio], path: Path) -> None:
    """A row for each note: its recording beside what the model plays [T], on one scale of decibels."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(7.5, 0.45 + 1.25 * len(cases)), layout="constrained")
    grid = figure.subplots(len(cases), 2, sharex=True, squeeze=False)
    for (left, right), case, audio in zip(grid, cases, played, strict=True):
        recording, note = case.recording.audio, case.recording.note
        top = top_power_db(recording, note.hertz, case.sample_rate)
        for axes, sound in ((left, recording), (right, audio[: len(recording)])):
            levels = spectrogram(sound, note.hertz, case.sample_rate) - top
            seconds = len(sound) / case.sample_rate
            axes.imshow(
                levels, origin="lower", aspect="auto", cmap="magma", vmin=-DYNAMIC_RANGE_DB, vmax=0,
                extent=(0, seconds, 0, 1),
            )  # fmt: skip
            axes.set_yticks([mel_position(f) for f in TICKS_HZ], [tick_name(f) for f in TICKS_HZ], fontsize=6)
            axes.tick_params(labelsize=6, length=2)
            axes.set_facecolor("black")
        left.set_ylabel(f"{case.kind.name}\n{note_name(note.key)}", fontsize=8)
        right.set_yticks([])
    grid[0, 0].set_title("recording", fontsize=9)
    grid[0, 1].set_title("model, free-running", fontsize=9)
    for axes in grid[-1]:
        axes.set_xlabel("seconds", fontsize=7)
    save_small(figure, path, dpi=100)


def draw_figures(notes: Sequence[Measured], path: Path) -> None:
    """For each instrument, a point for each note's figure, against the bar (line) and the aim (dashes)."""
    from matplotlib.figure import Figure

    names = list(dict.fromkeys(m.kind.name for m in notes))
    figure = Figure(figsize=(9, 0.9 + 0.34 * len(names)), layout="constrained")
    panels = figure.subplots(1, len(PLOTTED), sharey=True)
    rng = np.random.default_rng(0)
    for axes, (bar, title) in zip(panels, PLOTTED, strict=True):
        for trained, colour in ((True, "tab:blue"), (False, "tab:orange")):
            some = [m for m in notes if (m.note.split is Split.TRAIN) is trained]
            values = [next((r.value for r in m.readings() if r.bar is bar), np.nan) for m in some]
            rows = np.array([names.index(m.kind.name) for m in some]) + rng.uniform(-0.25, 0.25, len(some))
            label = "trained" if trained else "held out"
            axes.plot(values, rows, ".", markersize=2.5, alpha=0.6, color=colour, markeredgewidth=0, label=label)
        axes.axvline(bar.limit, color="tab:red", linewidth=1)
        if bar.aim is not None:
            axes.axvline(bar.aim, color="tab:red", linewidth=0.8, linestyle="--")
        axes.set_xlabel(title, fontsize=7)
        axes.tick_params(labelsize=7)
        axes.grid(axis="x", linewidth=0.3)
    panels[0].set_yticks(range(len(names)), names, fontsize=8)
    panels[0].set_ylim(len(names) - 0.5, -0.5)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, fontsize=7, markerscale=4, ncols=2, loc="outside upper right", frameon=False)
    save_small(figure, path, dpi=110)


def save_small(figure: Figure, path: Path, *, dpi: int) -> None:
    """Save a picture as a PNG of few colours, since pictures of noise don't compress."""
    from PIL import Image

    whole = BytesIO()
    figure.savefig(whole, dpi=dpi)
    Image.open(whole).convert("RGB").quantize(COLOURS).save(path, optimize=True)
