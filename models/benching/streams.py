"""A measured picture of how many voices one core plays: real-time factor against streams, for each precision."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from ostinato.models.benching.interference import Watch
from ostinato.models.benching.machine import Machine
from ostinato.models.benching.rows import Plan, Row, measure

if TYPE_CHECKING:
    from matplotlib.axes import Axes

STREAMS: Final = (1, 2, 4, 8, 16, 32, 64)
COLORS: Final = {"float32": "#c79a2b", "int8": "#2f6f8f"}


def measure_streams(models: tuple[str, ...], watch: Watch, seconds: float) -> list[Row]:
    """Rows of the native engine at every number of streams, both precisions in turn."""
    return list(measure(Plan(models=models, engines=("native",), streams=STREAMS, seconds=seconds), None, watch))


def draw(rows: list[Row], machine: Machine, path: Path, *, busy: bool = False) -> None:
    """Draw into `path` (PNG or SVG by its suffix): a panel a model, a curve a precision, and whether it was busy."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    models = list(dict.fromkeys(row.model for row in rows))
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(4.5 * len(models), 3.8), layout="constrained")
        panels = figure.subplots(1, len(models), sharey=True, squeeze=False)[0]
        for axes, model in zip(panels, models, strict=True):
            _plot(axes, [row for row in rows if row.model == model])
            axes.set_title(model)
            axes.legend(frameon=False, loc="upper left")
        panels[0].set_ylabel("seconds of work per second of audio (RTF)")
        isas = ", ".join(dict.fromkeys(row.isa for row in rows))
        panels[0].yaxis.set_major_formatter("{x:g}")
        told = f"{machine.cpu}, one core, {isas}{'; others used the machine meanwhile' if busy else ''}"
        figure.supxlabel(told, fontsize=8, color="#555555")
        figure.savefig(path, dpi=160)


def _plot(axes: Axes, rows: list[Row]) -> None:
    for precision, color in COLORS.items():
        curve = [(row.slots, row.rtf) for row in rows if row.precision == precision]
        if curve:
            axes.plot(*zip(*curve, strict=True), marker="o", markersize=4, color=color, label=precision)
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    axes.set_xticks(STREAMS, [str(streams) for streams in STREAMS])
    axes.axhline(1, color="black", linewidth=1, linestyle="--")
    axes.text(0.99, 0.92, "real time", transform=axes.get_yaxis_transform(), ha="right", va="top")
    axes.set_xlabel("streams at once")
    axes.grid(visible=True, which="major", alpha=0.25)
