"""A report as Markdown tables, for the card that lies beside a model's weights."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

HEADING: Final = "mean / median / worst"

FIGURES: Final = (
    ("pitch error, cents", "pitch_error_cents", 2),
    ("the recording's", "recording_pitch_error_cents", 1),
    ("harmonic-to-noise ratio, dB", "hnr_db", 1),
    ("the recording's, dB", "recording_hnr_db", 1),
    ("short of the recording, dB", "hnr_short_db", 1),
    ("level error, dB", "level_error_db", 1),
    ("log-mel distance, dB", "log_mel_db", 1),
    ("from 300 ms after release, dBFS", "after_release_dbfs", 1),
    ("the same against the note, dB", "after_release_db", 1),
    ("click at the onset, dB", "onset_click_db", 1),
    ("click at the release, dB", "release_click_db", 1),
    ("click where the voice ends, dB", "end_click_db", 1),
    ("clicks at the borders of hops, dB", "border_click_db", 2),
)
"""Rows of an instrument's table: what they are called, their name in the report, and decimals."""

OF_BASELINE: Final = ("hnr_short_db", "level_error_db", "log_mel_db")


def write_card(report: Mapping[str, Any], path: Path) -> None:
    """Write a report's tables, ready to be taken into a card."""
    path.write_text("\n".join(card(report)) + "\n", encoding="utf-8")


def card(report: Mapping[str, Any]) -> Iterator[str]:
    """The lines of a report's tables."""
    yield (
        f"Free-running, each note drawn from nothing but its controls and what the model drew before, temperature "
        f"{report['temperature']:g}, {report['engine']} sampler in {report['precision']}, seed {report['seed']}, as "
        f"`ostinato evaluate` measured it on {len(report['notes'])} notes."
    )
    yield ""
    yield from bars_table(report["bars"])
    yield ""
    yield from overview(report)
    for name, instrument in report["instruments"].items():
        yield ""
        yield from instrument_table(name, instrument)
    if report["held"]:
        yield ""
        yield from held_table(report["held"])


def bars_table(bars: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """Which bars are reached, by how many notes."""
    yield "| bar | limit | notes within | worst | of |"
    yield "|---|---|---|---|---|"
    for bar in bars:
        aim = f" ({bar['reached_aim']} within {bar['aim']:g})" if "aim" in bar else ""
        yield (
            f"| {bar['name']} | {bar['limit']:g} {bar['unit']} | {bar['passed']} of {bar['of']}{aim} "
            f"| {bar['worst']:.2f} | {bar['worst_note']} |"
        )


def overview(report: Mapping[str, Any]) -> Iterator[str]:
    """The means of each instrument and split, and its baseline's, a row each."""
    yield (
        "| means | notes | in tune | noise short, dB (baseline) | level error, dB | log-mel, dB (baseline) "
        "| after release, dBFS | bits per sample (past zeroed) |"
    )
    yield "|---|---|---|---|---|---|---|---|"
    for name, instrument in report["instruments"].items():
        for split, figures in instrument["splits"].items():
            base = figures["baseline"]
            yield (
                f"| {name}, {split} | {figures['notes']} | {figures['in_tune']:.0%} "
                f"| {mean(figures, 'hnr_short_db')} ({mean(base, 'hnr_short_db')}) "
                f"| {mean(figures, 'level_error_db')} "
                f"| {mean(figures, 'log_mel_db')} ({mean(base, 'log_mel_db')}) "
                f"| {mean(figures, 'after_release_dbfs')} | {bits(figures)} |"
            )


def instrument_table(name: str, instrument: Mapping[str, Any]) -> Iterator[str]:
    """Every figure of an instrument: a column for each split, and rows for the baseline."""
    splits = instrument["splits"]
    yield f"**{name}**{', measured as it decays' if instrument['decays'] else ''}"
    yield ""
    yield row(HEADING, splits)
    yield "|---" * (len(splits) + 1) + "|"
    yield row("notes", (str(f["notes"]) for f in splits.values()))
    yield row("within 10 cents", (f"{f['in_tune']:.0%}" for f in splits.values()))
    for title, figure, decimals in FIGURES:
        yield row(title, (three(f[figure], decimals) for f in splits.values()))
        if figure in OF_BASELINE:
            yield row("— the baseline's", (three(f["baseline"][figure], decimals) for f in splits.values()))
    yield row("level difference, dB (mean)", (f"{f['level_difference_db']:.1f}" for f in splits.values()))
    yield row("bits per sample (past zeroed)", (bits(f) for f in splits.values()))
    if instrument["bends"]["notes"]:
        bends = instrument["bends"]
        yield ""
        yield (
            f"Bent by +200 and -200 cents, {bends['notes']} notes: off by {three(bends['pitch_error_cents'], 2)} cents."
        )


def held_table(held: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """How steady the notes are that were held for half a minute."""
    yield "| held for 30 s | loudest less softest second, dB | last less first, dB | pitch, cents |"
    yield "|---|---|---|---|"
    for note in held:
        yield (
            f"| {note['name']} | {note['level_range_db']:.2f} | {note['drift_db']:+.2f} | {note['pitch_cents']:+.2f} |"
        )


def row(title: str, cells: Iterator[str] | Mapping[str, Any]) -> str:
    """One line of a table."""
    return f"| {title} | {' | '.join(cells)} |"


def three(spread: Mapping[str, float], decimals: int) -> str:
    """Mean, median and worst in one cell."""
    return " / ".join(f"{spread[which]:.{decimals}f}" for which in ("mean", "median", "worst"))


def mean(figures: Mapping[str, Any], name: str) -> str:
    """The mean of one figure."""
    return f"{figures[name]['mean']:.1f}"


def bits(figures: Mapping[str, Any]) -> str:
    """The likelihood, as trained and without the past."""
    if "bits_per_sample" not in figures:
        return "not measured"
    return f"{figures['bits_per_sample']:.2f} ({figures['bits_per_sample_past_zeroed']:.2f})"
