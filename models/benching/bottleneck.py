"""The bottleneck as a measured picture: time of one sample against length, for naive, cached and native.

Left: against how long the stream already is. Without a cache every sample costs the whole past again, up to the
receptive field; with one the past is free. Right: against the receptive field, as the dilations grow.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from ostinato.models import registry
from ostinato.models.benching.roofline import Precision
from ostinato.models.benching.rows import Engine, hold_torch_to
from ostinato.models.benching.timing import Stopwatch, steady_frames, time_in_turn, with_history
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import ModelConfig, parse_config
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.sampling.contract import Sampler

if TYPE_CHECKING:
    from matplotlib.axes import Axes

LENGTHS: Final = tuple(2**n for n in range(0, 15, 2))
EXPONENTS: Final = (1, 3, 5, 7, 9)  # the largest dilation is 2 to this
HOP: Final = 8  # short, so that a stream hardly grows while it is timed
REPEATS: Final = 5
SECONDS: Final = 0.3
DRAWN: Final[tuple[Engine, ...]] = ("naive", "torch", "native")
LABELS: Final[dict[Engine, str]] = {
    "naive": "naive: the receptive field again",
    "torch": "cached state, torch",
    "native": "cached state, native kernel, {}",
}
Curve = list[tuple[int, float]]  # length in samples, microseconds a sample


def against_stream_length(checkpoint: Checkpoint) -> dict[Engine, Curve]:
    """Time of the next samples of a stream that is already so long."""
    checkpoint = replace(checkpoint, config=_with(checkpoint.config, hop=HOP))
    frames = steady_frames(1, 1)
    curves: dict[Engine, Curve] = {engine: [] for engine in DRAWN}
    for engine in DRAWN:
        sampler = _open(engine, checkpoint)
        for length in LENGTHS:
            sampler.reset(0, 1)
            if engine == "naive":
                window = min(length, checkpoint.config.network.receptive_field)
                sampler.restore(0, with_history(sampler.snapshot(0), window))
            else:
                sampler.advance([0], steady_frames(1, -(-length // HOP)))
            times = []
            for _ in range(REPEATS):
                began = time.perf_counter()
                sampler.advance([0], frames)
                times.append(time.perf_counter() - began)
            curves[engine].append((length, 1e6 * float(np.median(times)) / HOP))
    return curves


def against_receptive_field() -> dict[Engine, Curve]:
    """Time of a sample as two cycles of dilations 1, 2, 4 … grow, everything else as in `r32`."""
    curves: dict[Engine, Curve] = {engine: [] for engine in DRAWN}
    for exponent in EXPONENTS:
        checkpoint = registry.random_checkpoint(_with_dilations(exponent))
        for engine in DRAWN:
            sampler = _open(engine, checkpoint)
            stopwatch = Stopwatch(sampler, 1)
            time_in_turn([stopwatch], SECONDS)
            curves[engine].append((checkpoint.config.network.receptive_field, stopwatch.timing.median_us))
    return curves


def _open(engine: Engine, checkpoint: Checkpoint) -> Sampler:
    return open_sampler(checkpoint, engine, "cpu", 1, _precision(engine, checkpoint))[0]


def _precision(engine: Engine, checkpoint: Checkpoint) -> Precision:
    """int8 where there is a kernel for it, and a calibration."""
    return "int8" if engine == "native" and checkpoint.calibration else "float32"


def _with_dilations(exponent: int) -> ModelConfig:
    cycle = tuple(2**n for n in range(exponent + 1))
    return _with(registry.random_config("r32"), dilation_cycle=cycle, layers=2 * len(cycle), hop=HOP)


def _with(config: ModelConfig, **changes: object) -> ModelConfig:
    """The config with some keys of its network changed."""
    data = config.model_dump(mode="json")
    return parse_config({**data, "network": {**data["network"], **changes}})


def draw(model: str, path: Path) -> dict[str, dict[Engine, Curve]]:
    """Measure, draw into `path` (PNG or SVG by its suffix), and return what was drawn."""
    import matplotlib as mpl
    from matplotlib.figure import Figure

    hold_torch_to(1)
    checkpoint = registry.load_name_or_folder(model)
    measured = {
        "samples already in the stream": against_stream_length(checkpoint),
        "receptive field, samples": against_receptive_field(),
    }
    with mpl.rc_context({"font.size": 9, "axes.spines.top": False, "axes.spines.right": False}):
        figure = Figure(figsize=(9, 3.8), layout="constrained")
        left, right = figure.subplots(1, 2, sharey=True)
        for axes, (title, curves) in zip((left, right), measured.items(), strict=True):
            _plot(axes, title, curves, _precision("native", checkpoint))
        left.set_ylabel("microseconds a sample, one core")
        left.set_title(f"{checkpoint.config.name}: receptive field {checkpoint.config.network.receptive_field}")
        right.set_title("32 residual channels, two cycles of dilations 1, 2, 4 …")
        left.legend(frameon=False, loc="center left", bbox_to_anchor=(0.0, 0.5))
        figure.savefig(path, dpi=160)
    return measured


def _plot(axes: Axes, title: str, curves: dict[Engine, Curve], native: Precision) -> None:
    for engine, color in zip(DRAWN, ("#b04a3a", "#c79a2b", "#2f6f8f"), strict=True):
        lengths, micros = zip(*curves[engine], strict=True)
        axes.loglog(lengths, micros, marker="o", markersize=4, color=color, label=LABELS[engine].format(native))
    budget = 1e6 / 44100
    axes.axhline(budget, color="black", linewidth=1, linestyle="--")
    axes.text(1.0, budget * 1.15, "real time at 44.1 kHz: 22.676 µs", transform=axes.get_yaxis_transform(), ha="right")
    axes.set_xlabel(title)
    axes.grid(visible=True, which="major", alpha=0.25)
