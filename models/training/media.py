"""What the page shows and plays of one note: sounds as FLAC, spectrograms as PNG, the spectrum as SVG."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
import soundfile  # type: ignore[import-untyped]
from numpy.typing import NDArray

from ostinato.models.training.evaluation import Case, baseline
from ostinato.models.training.measures import Audio, frame_samples, power_spectrum
from ostinato.models.training.spectrogram import DYNAMIC_RANGE_DB, spectrogram

WIDTH: Final = 720
HEIGHT: Final = 150
FLOOR_DB: Final = -100.0
MOST_HARMONICS: Final = 24
HIGHEST_HZ: Final = 16000.0

STYLE: Final = (
    ".r{stroke:#64748b}.m{stroke:#d9480f}.h{stroke:#94a3b855}text{fill:#64748b;font:10px system-ui,sans-serif}"
    "@media(prefers-color-scheme:dark){.r{stroke:#94a3b8}.m{stroke:#ff9d5c}text{fill:#94a3b8}}"
)


def write_media(case: Case, played: Audio, folder: Path, name: str) -> None:
    """Write the recording, what was played and the baseline to `folder`, named `name-recording.flac` and so on."""
    recording = case.recording
    sounds = {"recording": recording.audio, "model": played[: case.end], "baseline": baseline(case)}
    hertz, rate = recording.note.hertz, case.sample_rate
    levels = {which: spectrogram(_as_long(audio, recording.audio), hertz, rate) for which, audio in sounds.items()}
    top = float(levels["recording"].max())
    for which, audio in sounds.items():
        soundfile.write(folder / f"{name}-{which}.flac", np.clip(audio, -1, 1), rate, subtype="PCM_16")
        write_spectrogram(levels[which] - top, folder / f"{name}-{which}.png")
    svg = draw_spectrum(recording.audio[case.stretch], played[case.stretch], hertz, rate)
    (folder / f"{name}-spectrum.svg").write_text(svg, encoding="utf-8")


def write_spectrogram(levels: NDArray[np.float64], path: Path) -> None:
    """Write decibels below the top of the scale [rows, columns] as an image of as many pixels."""
    from matplotlib import colormaps
    from PIL import Image

    shade = np.clip((levels / DYNAMIC_RANGE_DB + 1) * 255, 0, 255).astype(np.uint8)
    image = Image.fromarray(shade[::-1])
    image.putpalette((colormaps["magma"](np.arange(256))[:, :3] * 255).astype(np.uint8).tobytes())
    image.save(path, optimize=True)


def draw_spectrum(recording: Audio, played: Audio, hertz: float, sample_rate: int) -> str:
    """The mean spectra of two signals as SVG, in dB below the recording's peak, its harmonics marked."""
    high = min(HIGHEST_HZ, MOST_HARMONICS * hertz + hertz / 2, sample_rate / 2)
    size = frame_samples(hertz, min(len(recording), len(played)), sample_rate)
    powers = [power_spectrum(audio, size) for audio in (recording, played)]
    top = 10 * np.log10(powers[0].max() + 1e-30)
    marks = (k * hertz / high * WIDTH for k in range(1, int(high / hertz) + 1))
    grid = "".join(f"M{x:.1f} 0V{HEIGHT}" for x in marks)
    lines = "".join(
        f'<path class="{name}" d="{_line(power, size, top, high, sample_rate)}"/>'
        for name, power in zip("rm", powers, strict=True)
    )
    ticks = "".join(
        f'<text x="{f / high * WIDTH:.0f}" y="{HEIGHT + 12}" text-anchor="middle">{f / 1000:g} kHz</text>'
        for f in range(1000, int(high), 1000 if high < 9000 else 2000)
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT + 16}"><style>{STYLE}</style>'
        f'<g fill="none" stroke-width="1.1" stroke-linejoin="round"><path class="h" d="{grid}"/>{lines}</g>'
        f"{ticks}</svg>"
    )


def _line(power: NDArray[np.float64], size: int, top: float, high: float, sample_rate: int) -> str:
    """A path through the greatest level at each pixel."""
    bins = power[: max(int(high * size / sample_rate), 2)]
    x = np.arange(len(bins)) / len(bins) * WIDTH
    level = np.clip(10 * np.log10(bins + 1e-30) - top, FLOOR_DB, 0)
    pixels, first = np.unique(x.astype(int), return_index=True)
    highest = np.maximum.reduceat(level, first)
    return "M" + "L".join(f"{p} {y:.1f}" for p, y in zip(pixels, highest / FLOOR_DB * HEIGHT, strict=True))


def _as_long(audio: Audio, other: Audio) -> Audio:
    """Cut or filled up with silence to the length of another, so that both have one scale of time."""
    return np.pad(audio[: len(other)], (0, max(len(other) - len(audio), 0)))
