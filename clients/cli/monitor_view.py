"""What `ostinato monitor` draws: a server's latency report, as tables and bars."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from ostinato.server.latency_report import EngineReport, LatencyReport, MissReport, RecentReport, SessionReport
from ostinato.server.measurements import Spread

LEVELS: Final = "▁▂▃▄▅▆▇█"
TIME_LINE_S: Final = 50
BINS: Final = 24  # of a histogram
SESSIONS: Final = 20  # shown
MISSES: Final = 5

Clocks: TypeAlias = Mapping[str, tuple[int, int]]
"""Of each model its hop, samples, and its rate, Hz."""


class MonitorView:
    """Draws one look after another; what is told of the last seconds grows into a time line.

    Args:
        url: where the server is.
    """

    def __init__(self, url: str) -> None:
        self._url = url
        self._rtf: dict[str, dict[int, float]] = defaultdict(dict)  # by model and second

    def draw(self, look: Mapping[str, Any], clocks: Clocks) -> RenderableType:
        """One look: `latency` and `recent`, as the server told them; of models without a clock nothing is drawn."""
        latency = LatencyReport.model_validate(look["latency"])
        recent = RecentReport.model_validate(look["recent"])
        self._take(recent, clocks)
        return Group(
            self._head(latency.engine),
            *(
                self._model(model, clocks[model][0], latency, recent)
                for model in latency.engine.models
                if model in clocks
            ),
            _deliveries(latency.engine, recent),
            _sessions(latency.sessions),
            _misses(latency.engine, recent.misses, recent.now),
        )

    def _take(self, recent: RecentReport, clocks: Clocks) -> None:
        """Keep the real-time factor of every second that is whole: all its work over all its audio."""
        work: dict[tuple[str, int], float] = defaultdict(float)
        audio: dict[tuple[str, int], float] = defaultdict(float)
        for block in (block for block in recent.blocks if block.model in clocks):
            hop, rate = clocks[block.model]
            work[block.model, int(block.at)] += block.step_ms / 1000.0
            audio[block.model, int(block.at)] += block.hops * hop / rate
        first = int(recent.blocks[0].at) if recent.blocks else 0  # which may have begun before what was looked at
        for (model, second), seconds in audio.items():
            if first < second < int(recent.now) or second not in self._rtf[model]:
                self._rtf[model][second] = work[model, second] / seconds
        for line in self._rtf.values():
            for second in [s for s in line if s <= recent.now - TIME_LINE_S]:
                del line[second]

    def _head(self, engine: EngineReport) -> Text:
        parts = [f"{engine.streams} voices", f"{engine.waiting} waiting", f"{engine.kept} kept"]
        parts += [f"busy {engine.busy:.0%}", f"awake {engine.awake:.0%}", f"underruns {engine.underruns}"]
        text = Text(self._url, style="bold").append("   " + "   ".join(parts), style="not bold")
        refused = ", ".join(f"{count} {code}" for code, count in engine.refused.items())
        return text.append(f"   refused {refused}" if refused else "", style="yellow")

    def _model(self, model: str, hop: int, latency: LatencyReport, recent: RecentReport) -> RenderableType:
        """One model: its steps, its real-time factor over the last seconds, and how long its steps took."""
        figures, budget = latency.engine.models[model], latency.budget_us[model]
        steps = [1000.0 * b.step_ms / (b.hops * hop) for b in recent.blocks if b.model == model and b.step_ms]
        line = self._rtf[model]
        now = int(recent.now)
        table = Table.grid(padding=(0, 2))
        table.add_row(Text(model, style="bold"), "p50", "p99", "most")
        table.add_row("RTF", *_spread(figures.rtf, ".3f", 1.0))
        table.add_row(f"step µs of {budget:.3f}", *_spread(figures.step_us, ".2f", budget))
        table.add_row("TTFA ms", *_spread(figures.ttfa_ms, ".1f"))
        table.add_row("control to sound ms", *_spread(figures.control_ms, ".1f"))
        bars = Table.grid(padding=(0, 2))
        bars.add_row(f"RTF to 1, {TIME_LINE_S} s", _time_line([line.get(now - s) for s in range(TIME_LINE_S, 0, -1)]))
        bars.add_row(f"steps, {recent_s(recent)}", histogram(steps, "µs"))
        return Group(Text(), table, bars)


def _deliveries(engine: EngineReport, recent: RecentReport) -> RenderableType:
    """How listeners stand, and what a block waits for."""
    table = Table.grid(padding=(0, 2))
    lead = engine.lead_ms
    table.add_row(Text("deliveries", style="bold"), "p50", "p99", "most")
    table.add_row("drawn ms", *_spread(engine.block_ms, ".2f"))
    table.add_row("waits ms", *_spread(engine.wait_ms, ".2f"))
    table.add_row("sent ms", *_spread(engine.send_ms, ".2f"))
    table.add_row("wake-up ms", *_spread(engine.wakeup_ms, ".2f"))
    least, half, most = (_shown(value, ".0f") for value in (lead.least, lead.p50, lead.most))
    early = [-block.late_ms for block in recent.blocks if block.late_ms is not None]
    bars = Table.grid(padding=(0, 2))
    bars.add_row(f"in time by, {recent_s(recent)}", histogram(early, "ms"))
    return Group(Text(), table, Text(f"lead ms: least {least}, half {half}, most {most}"), bars)


def _sessions(sessions: Sequence[SessionReport]) -> RenderableType:
    if not sessions:
        return Text("\nno sessions")
    table = Table(box=None, padding=(0, 2, 0, 0), header_style="bold")
    for name in ("session", "model", "mode", "drawn s", "voices", "lead ms", "RTF", "TTFA ms", "missed"):
        table.add_column(name, justify="left" if name in ("session", "model", "mode") else "right", no_wrap=True)
    for s in sorted(sessions, key=lambda s: s.lead_ms)[:SESSIONS]:
        table.add_row(
            s.session_id[:8],
            s.model,
            s.mode if s.running else f"{s.mode}, stands",
            f"{s.clock_s:.1f}",
            str(s.voices),
            f"{s.lead_ms:.0f}",
            _shown(s.steps.rtf, ".3f"),
            _shown(s.ttfa_ms, ".1f"),
            Text(str(sum(s.misses.values())), style="red" if any(s.misses.values()) else ""),
        )
    more = len(sessions) - SESSIONS
    return Group(Text(), table, Text(f"and {more} more" if more > 0 else ""))


def _misses(engine: EngineReport, misses: Sequence[MissReport], now: float) -> RenderableType:
    """Deadlines that were missed, by cause since the start, and the last of them."""
    total = sum(engine.misses.values())
    text = Text("missed " if total else "no deadline missed", style="red" if total else "green")
    text.append(", ".join(f"{count} by {cause}" for cause, count in engine.misses.items() if count))
    for miss in misses[-MISSES:]:
        late = "" if miss.late_ms is None else f", {miss.late_ms:.1f} ms late"
        text.append(f"\n  {now - miss.at:.0f} s ago  {miss.session_id[:8]}  {miss.cause}{late}")
    return text


def histogram(values: Iterable[float], unit: str) -> Text:
    """How often what comes, between the least and the greatest, as bars; on a logarithm where it spans decades."""
    ordered = sorted(values)
    if not ordered:
        return Text("-", style="dim")
    low, high = ordered[0], ordered[-1]
    wide = low > 0.0 and high > 20.0 * low
    scale = math.log if wide else float
    width = (scale(high) - scale(low)) / BINS or 1.0
    counts = [0] * BINS
    for value in ordered:
        counts[min(int((scale(value) - scale(low)) / width), BINS - 1)] += 1
    bars = "".join(" " if not n else LEVELS[math.ceil(n / max(counts) * len(LEVELS)) - 1] for n in counts)
    return Text(f"{low:.3g} {bars} {high:.3g} {unit}")


def _time_line(values: Sequence[float | None]) -> Text:
    """Real-time factors, full at 1; what is beyond it is red."""
    text = Text()
    for value in values:
        if value is None:
            text.append(" ")
        else:
            level = min(max(math.ceil(value * len(LEVELS)), 1), len(LEVELS))
            text.append(LEVELS[level - 1], style="red" if value > 1.0 else "green")
    return text


def recent_s(recent: RecentReport) -> str:
    """The stretch that the blocks are of."""
    return f"{recent.now - recent.blocks[0].at:.0f} s" if recent.blocks else "none"


def _spread(spread: Spread, form: str, limit: float = math.inf) -> list[Text]:
    """The three figures, red where beyond a limit."""
    return [
        Text(_shown(value, form), style="red" if value is not None and value > limit else "", justify="right")
        for value in (spread.p50, spread.p99, spread.most)
    ]


def _shown(value: float | None, form: str) -> str:
    return "-" if value is None else format(value, form)
