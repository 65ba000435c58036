"""What many listeners had of a server, in figures: for programs, and as a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from ostinato.clients.conversation import in_hand_s
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_stream import Fate, LoadStream, Measures
from ostinato.clients.loop_lag import LoopLag

PERCENTS: Final = (50.0, 95.0, 99.0)
REASONS: Final = 10  # told of those that streams ended for
LATE_SHARE: Final = 0.5  # of what a playhead has in hand: a client later than that, and often, may be heard


@dataclass(frozen=True, slots=True)
class LoadReport:
    """Figures of all the streams of a run; None where nothing was measured. Underruns are of their virtual playheads.

    `joined` streams were admitted; of those, `lost` broke off, `corrupt` got other bytes than were sent, and `whole`
    ended with the hash of all that was sent. `refused` ones were turned away or queued, `unreachable` ones found no
    server that answers. TTFA runs from the first note.on to the first audio; control latency from sending a
    control.update until the playhead plays the sample that it is applied from.
    """

    streams: int
    joined: int
    refused: int
    underruns: int
    ttfa_ms_p50: float | None
    ttfa_ms_p95: float | None
    ttfa_ms_p99: float | None
    control_ms_p50: float | None
    control_ms_p95: float | None
    control_ms_p99: float | None
    whole: int
    lost: int
    corrupt: int
    unreachable: int
    least_buffered_ms: float | None  # of any stream, while it played
    rtf_median: float | None  # of the seconds that the server told of
    rtf_worst: float | None
    controls: int  # heard
    samples: int  # that arrived
    errors: int  # that the server told and went on
    client_lag_ms_p99: float | None  # of this client's event loop
    client_lag_ms_max: float | None
    client_stalls: int  # times that it stood for as long as a playhead has in hand when it starts
    model: str
    seconds: float  # asked for
    voices: int
    lead_ms: float
    frame_ms: float
    reasons: dict[str, int]  # why streams were refused, lost, corrupt or unreachable, and how many; the commonest

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {name: round(v, 3) if isinstance(v, float) else v for name, v in asdict(self).items()}

    @property
    def gapless(self) -> bool:
        """Whether whoever was not refused was heard without a gap."""
        return not (self.underruns or self.lost or self.corrupt or self.unreachable)

    @property
    def client_late(self) -> bool:
        """Whether this client may have been the cause of what it counted.

        It may where it was often late, or stood so often that each stall made every stream run dry.
        """
        often = (self.client_lag_ms_p99 or 0.0) > 1000.0 * in_hand_s(self.lead_ms) * LATE_SHARE
        return often or 0 < self.underruns <= self.client_stalls * self.joined

    @property
    def warnings(self) -> list[str]:
        """What to doubt."""
        if not self.client_late:
            return []
        late = f"{_shown(self.client_lag_ms_p99)} ms p99, {_shown(self.client_lag_ms_max)} ms at most"
        return [f"this client was late itself ({late}, {self.client_stalls} stalls): its underruns may be its own"]


def report_of(plan: LoadPlan, streams: Sequence[LoadStream], measures: Measures, lag: LoopLag) -> LoadReport:
    """What was measured so far."""
    fates = Counter[Fate](stream.fate for stream in streams)
    ttfa, control = measures.ttfa_ms.percentiles(*PERCENTS), measures.control_ms.percentiles(*PERCENTS)
    return LoadReport(
        streams=plan.streams,
        joined=sum(stream.joined for stream in streams),
        refused=fates["refused"],
        underruns=sum(stream.underruns for stream in streams),
        **dict(zip(("ttfa_ms_p50", "ttfa_ms_p95", "ttfa_ms_p99"), ttfa, strict=True)),
        **dict(zip(("control_ms_p50", "control_ms_p95", "control_ms_p99"), control, strict=True)),
        whole=fates["whole"],
        lost=fates["lost"],
        corrupt=fates["corrupt"],
        unreachable=fates["unreachable"],
        least_buffered_ms=_least(stream.least_buffered_ms for stream in streams),
        rtf_median=measures.rtf.percentiles(50.0)[0],
        rtf_worst=measures.rtf.greatest,
        controls=measures.control_ms.count,
        samples=sum(stream.samples for stream in streams),
        errors=sum(len(stream.errors) for stream in streams),
        client_lag_ms_p99=lag.ms.percentiles(99.0)[0],
        client_lag_ms_max=lag.ms.greatest,
        client_stalls=lag.stalls,
        model=plan.model,
        seconds=plan.seconds,
        voices=plan.voices,
        lead_ms=plan.lead_ms,
        frame_ms=plan.frame_ms,
        reasons=_reasons(streams),
    )


def table(report: LoadReport) -> str:
    """For people."""
    counts = ("streams", "joined", "refused", "lost", "corrupt", "unreachable", "underruns")
    lines = [
        "  ".join(f"{name} {getattr(report, name)}" for name in counts),
        f"{'ms':<12}{'p50':>9}{'p95':>9}{'p99':>9}",
    ]
    for label, name in (("TTFA", "ttfa"), ("control", "control")):
        figures = (getattr(report, f"{name}_ms_p{percent:g}") for percent in PERCENTS)
        lines.append(f"{label:<12}" + "".join(f"{_shown(figure):>9}" for figure in figures))
    lines.append(f"least buffered {_shown(report.least_buffered_ms)} ms")
    lines.append(f"RTF {_shown(report.rtf_median, '.3f')} (worst {_shown(report.rtf_worst, '.3f')})")
    lines.append(f"client lag {_shown(report.client_lag_ms_p99)} ms p99, {_shown(report.client_lag_ms_max)} ms at most")
    lines += [f"{count} x {reason}" for reason, count in report.reasons.items()]
    return "\n".join(lines)


def line(report: LoadReport) -> str:
    """The same in a line, as it is shown while a load runs, and of each step of a ramp."""
    return "  ".join(
        [
            f"streams {report.joined} of {report.streams}",
            f"refused {report.refused}",
            f"lost {report.lost + report.corrupt}",
            f"underruns {report.underruns}",
            f"TTFA p99 {_shown(report.ttfa_ms_p99)} ms",
            f"control p99 {_shown(report.control_ms_p99)} ms",
            f"RTF {_shown(report.rtf_median, '.3f')}",
            f"client lag p99 {_shown(report.client_lag_ms_p99)} ms",
        ]
    )


def _reasons(streams: Iterable[LoadStream]) -> dict[str, int]:
    told = Counter(f"{stream.fate}: {stream.why}" for stream in streams if stream.why)
    told.update(f"error: {error}" for stream in streams for error in stream.errors)
    return dict(told.most_common(REASONS))


def _least(values: Iterable[float | None]) -> float | None:
    return min((value for value in values if value is not None), default=None)


def _shown(value: float | None, form: str = ".1f") -> str:
    return "-" if value is None else format(value, form)
