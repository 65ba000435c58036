"""A report, a comparison of temperatures, and a calibration, as text for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from ostinato.models.calibration import KEEPS_QUALITY
from ostinato.models.training.quantizing import Quantized

Row = tuple[str, ...]

BAR_HEADS: Final = ("bar", "limit", "within", "worst", "of")
MEAN_HEADS: Final = (
    "means (baseline's)", "notes", "in tune", "noise short, dB", "level, dB", "log-mel, dB", "released, dBFS", "bits",
    "past zeroed",
)  # fmt: skip
TEMPERATURE_HEADS: Final = (
    "temperature", "instrument", "notes", "noise short, dB", "off, dB", "level, dB", "level off, dB", "log-mel, dB",
)  # fmt: skip
QUANTIZED_HEADS: Final = "held-out notes, bits a sample", "notes", "float32", "int8", "extra"
OF_TEMPERATURE: Final = ("hnr_short_db", "hnr_off_db", "level_difference_db", "level_error_db", "log_mel_db")


def report_text(report: Mapping[str, Any]) -> str:
    """The bars, then the means of each instrument and split with the baseline's in brackets."""
    bars = [
        (b["name"], f"{b['limit']:g} {b['unit']}", f"{b['passed']}/{b['of']}", f"{b['worst']:.2f}", b["worst_note"])
        for b in report["bars"]
    ]
    means = [
        mean_row(f"{name}, {split}", figures)
        for name, instrument in report["instruments"].items()
        for split, figures in instrument["splits"].items()
    ]
    return "\n".join([*columns(BAR_HEADS, bars), "", *columns(MEAN_HEADS, means)])


def quantized_text(quantized: Quantized) -> str:
    """Bits a sample of each instrument's held-out notes in float32 and int8, their mean, and what follows."""
    calibration = quantized.calibration
    assert calibration.bits_float32 is not None
    assert calibration.bits_int8 is not None
    rows = [
        (
            c.instrument,
            str(c.notes),
            f"{c.bits_float32:.4f}",
            f"{c.bits_int8:.4f}",
            f"{c.bits_int8 - c.bits_float32:+.4f}",
        )
        for c in quantized.costs
    ]
    notes = str(sum(c.notes for c in quantized.costs))
    bits = calibration.bits_float32, calibration.bits_int8, calibration.extra_bits
    rows.append(("all", notes, f"{bits[0]:.4f}", f"{bits[1]:.4f}", f"{bits[2]:+.4f}"))
    verdict = "auto takes int8" if calibration.keeps_quality else "auto stays with float32"
    return "\n".join([*columns(QUANTIZED_HEADS, rows), "", f"{verdict}: at most {KEEPS_QUALITY} bits are allowed"])


def mean_row(name: str, figures: Mapping[str, Any]) -> Row:
    """One line of means."""
    beside = [
        f"{figures[which]['mean']:.1f} ({figures['baseline'][which]['mean']:.1f})"
        for which in ("hnr_short_db", "level_error_db", "log_mel_db")
    ]
    bits = [
        f"{figures[which]:.2f}" if which in figures else "-"
        for which in ("bits_per_sample", "bits_per_sample_past_zeroed")
    ]
    released = f"{figures['after_release_dbfs']['mean']:.0f}"
    return (name, str(figures["notes"]), f"{figures['in_tune']:.0%}", *beside, released, *bits)


def temperatures_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """A line for each temperature and instrument."""
    lines = [
        (f"{r['temperature']:g}", r["instrument"], str(r["notes"]), *(f"{r[name]:.2f}" for name in OF_TEMPERATURE))
        for r in rows
    ]
    return "\n".join(columns(TEMPERATURE_HEADS, lines))


def columns(heads: Row, rows: Sequence[Row]) -> list[str]:
    """Text in columns, as wide as their widest cell: figures to the right, the rest to the left."""
    lines = [heads, *rows]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    words = [any(cell[:1].isalpha() for cell in column) for column in zip(*rows, strict=True)] or [True] * len(heads)
    return [
        "  ".join(
            cell.ljust(width) if left else cell.rjust(width)
            for cell, width, left in zip(line, widths, words, strict=True)
        ).rstrip()
        for line in lines
    ]
