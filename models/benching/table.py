"""A run in words: for a terminal, and as a Markdown table."""

from __future__ import annotations

from typing import Final

from ostinato.models.benching.bars import Verdict
from ostinato.models.benching.report import Report
from ostinato.models.benching.rows import Row

NAMES: Final = ("model", "engine", "precision", "isa")
FIGURES: Final = ("streams", "µs a step", "µs a stream-sample", "RTF", "against torch", "of roofline")

SHOWN_MODELS: Final = ("default", "r16", "r32", "r64")
SHOWN_STREAMS: Final = (1, 16)


def headings() -> str:
    """The first line of a terminal's table."""
    return _aligned(NAMES, FIGURES)


def line(row: Row) -> str:
    """A row under `headings`; blank where there is no figure."""
    names = row.model, row.engine, row.precision, row.isa
    return _aligned(names, (str(row.slots), f"{row.step_us:,.2f}", *_figures(row)))


def limits_line(report: Report) -> str:
    """The machine and its limits."""
    machine, limits = report.machine, report.limits
    said = f"{machine.cpu}, {machine.cores} cores"
    if limits is None:
        return said
    reads = ", ".join(f"{rate:g} from {where}" for where, rate in limits.read_gb_per_s.items())
    products = ", ".join(f"{rate:g} in {precision}" for precision, rate in limits.multiply_adds_g_per_s.items())
    return f"{said}; one core with {limits.isa} reads, GB/s: {reads}; multiplies and adds, G/s: {products}"


def verdict_line(verdict: Verdict) -> str:
    """A bar, and what the run made of it."""
    what = f"{verdict.model}, {_counted(verdict.streams, 'stream')}"
    if verdict.figure == "us_per_sample":
        bar = f"at most {verdict.bound:g} µs a stream-sample"
    else:
        bar = f"at least {verdict.bound:g} of the roofline"
    if verdict.measured is None:
        return f"{what}: {bar}: not measured"
    ratio = "" if verdict.speedup_vs_torch is None else f" ({verdict.speedup_vs_torch:,.0f} times torch)"
    return f"{what}: {bar}: {verdict.measured:g}{ratio}, {'met' if verdict.met else 'MISSED'}"


def markdown(report: Report) -> str:
    """What a newcomer wants to know: the native kernel over the models, one stream and many, on which machine."""
    heads = "model", "precision", "streams", "µs a stream-sample", "RTF", "against torch", "of roofline"
    rows = [
        (f"`{row.model}`", row.precision, str(row.slots), *_figures(row))
        for row in report.rows
        if row.engine == "native" and row.model in SHOWN_MODELS and row.slots in SHOWN_STREAMS
    ]
    rule = ("---",) * 2 + ("---:",) * (len(heads) - 2)
    table = "\n".join(f"| {' | '.join(cells)} |" for cells in (heads, rule, *rows))
    return "\n\n".join(filter(None, (_caption(report), table, _footnote(report))))


def _caption(report: Report) -> str:
    rows = [row for row in report.rows if row.engine == "native"]
    isas = ", ".join(dict.fromkeys(row.isa for row in rows))
    threads = max((row.threads for row in rows), default=1)
    said = f"{report.machine.cpu}, {report.machine.cores} cores; {isas} on {_counted(threads, 'thread')}"
    if report.busy:
        said += f"; **the machine was busy: others took {report.share_of_others:.0%} of its CPU time**"
    return f"`make bench` on {said}:"


def _footnote(report: Report) -> str:
    """What 100% of the roofline is."""
    if report.limits is None:
        return ""
    reading, products = report.limits.read_gb_per_s["L2"], report.limits.multiply_adds_g_per_s
    rates = " and ".join(f"{rate:,.0f} G/s in {precision}" for precision, rate in products.items())
    return (
        f"Roofline: a step that only read its weights from the L2 cache ({reading:,.0f} GB/s) or, where that "
        f"takes longer, multiply ({rates}), at the speeds that the same run found on one core."
    )


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}" if count == 1 else f"{count} {thing}s"


def _figures(row: Row) -> tuple[str, ...]:
    speedup, fraction = row.speedup_vs_torch, row.fraction_of_roofline
    digits = 0 if speedup and speedup >= 10 else 2
    return (
        f"{row.us_per_sample:,.2f}",
        f"{row.rtf:,.3f}",
        "" if speedup is None else f"{speedup:,.{digits}f}x",
        "" if fraction is None else f"{fraction:.0%}",
    )


def _aligned(names: tuple[str, ...], figures: tuple[str, ...]) -> str:
    """Cells in columns: names to the left, figures to the right."""
    left = (f"{name:<9}" for name in names)
    right = (f"{figure:>{max(8, len(head))}}" for figure, head in zip(figures, FIGURES, strict=True))
    return "  ".join((*left, *right))
