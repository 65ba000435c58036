"""A comparison for people: a table in Markdown, and a picture of quality against speed with the line of real time."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostinato.models.benching.machine import Machine
from ostinato.models.comparing.comparison import BASELINE, Cost, Row

if TYPE_CHECKING:
    from matplotlib.axes import Axes

HEAD: Final = (
    "model, sampler", "µs a sample", "RTF", "RTF of 16", "first hop", "state", "bits", "past zeroed", "pitch", "HNR",
    "level", "log-mel", "STFT",
)  # fmt: skip
NOTHING: Final = "-"
MARKERS: Final = {"native": "o", "speculative": "D", "torch": "s"}


def markdown(rows: Sequence[Row]) -> str:
    """The table; a dash stands where there is nothing to tell."""
    lines = [HEAD, ("---", *["---:"] * (len(HEAD) - 1)), *(_cells(row) for row in rows)]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _cells(row: Row) -> tuple[str, ...]:
    cost, bits, q = row.cost, row.likelihood, row.quality
    together = f"{cost.rtf_together:.3f}" if cost and cost.streams > 1 else NOTHING
    costs = (
        *(f"{cost.us_per_sample:.2f}", f"{cost.rtf:.3f}", together, f"{cost.first_hop_ms:.2f} ms"),
        f"{cost.stream_bytes / 1024:.0f} KB",
    ) if cost else (NOTHING,) * 5  # fmt: skip
    likely = (f"{bits.bits:.3f}", f"{bits.bits_past_zeroed:.3f}") if bits else (NOTHING,) * 2
    heard = (
        *(f"{q.pitch_cents:.1f} ct", f"{q.hnr_db:.1f} of {q.recording_hnr_db:.1f} dB", f"{q.level_db:.1f} dB"),
        *(f"{q.log_mel_db:.1f} dB", f"{q.stft_distance:.2f}"),
    ) if q else (NOTHING,) * 5  # fmt: skip
    return (row.name, *costs, *likely, *heard)


def draw(rows: Sequence[Row], machine: Machine, path: Path) -> None:
    """Log-mel distance against the real-time factor of one stream, into a .png or .svg; up and left is better."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(8.5, 4.6), layout="constrained")
        axes = figure.subplots()
        _plot(axes, rows)
        axes.set_xscale("log")
        axes.set_xlabel("seconds of work per second of audio, one stream on one core (RTF)")
        axes.set_ylabel("distance from held-out recordings (log-mel, dB)")
        axes.invert_yaxis()
        axes.axvline(1, color="black", linewidth=1, linestyle="--")
        axes.text(1.04, 0.02, "real time", transform=axes.get_xaxis_transform())
        axes.grid(visible=True, which="major", alpha=0.25)
        axes.legend(frameon=False, loc="center left", bbox_to_anchor=(1.01, 0.5))
        figure.supxlabel(machine.cpu, fontsize=8, color="#555555")
        figure.savefig(path, dpi=160)


def _plot(axes: Axes, rows: Sequence[Row]) -> None:
    colours = {model: f"C{i}" for i, model in enumerate(dict.fromkeys(r.model for r in rows if r.model != BASELINE))}
    for row in rows:
        if row.quality and row.cost:
            face = colours[row.model] if row.precision == "int8" else "none"
            axes.plot(
                row.cost.rtf,
                row.quality.log_mel_db,
                color=colours[row.model],
                label=row.name,
                marker=MARKERS.get(row.engine or "", "o"),
                markerfacecolor=face,
                linestyle="none",
            )
        elif row.quality:
            axes.axhline(row.quality.log_mel_db, color="#888888", linewidth=1, linestyle=":", label="excitation alone")


def slowest_first(rows: Sequence[Row]) -> list[Row]:
    """For reading: the ways from the slowest to the fastest, and what costs nothing last."""

    def cost_of(row: Row) -> float:
        cost: Cost | None = row.cost
        return -cost.rtf if cost else 0.0

    return sorted(rows, key=cost_of)
