"""What Prometheus is told: base units, a histogram's counts since the start, out of one reading of the monitor.

Nothing is global: each scrape makes these families anew, of what the engine read at most a second before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from typing import Final

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector

from ostinato.server.histograms import Measured
from ostinato.server.pool import WarmUp
from ostinato.server.reading import Reading

MODEL: Final = ("model",)
STEP_BOUNDS_S: Final = tuple(m * 1e-6 for m in (0.5, 1, 2, 3, 5, 7.5, 10, 15, 20, 22.676, 30, 50, 100, 1000))
BOUNDS_S: Final = (
    *(m * 1e-3 for m in (0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 40, 60, 80, 100, 150, 200, 300, 500)),
    *(1.0, 2.0, 5.0, 10.0),
)
# of each model: its attribute in a reading, the metric, what it tells, and the buckets' bounds
HISTOGRAMS: Final = (
    (
        "step",
        "ostinato_step_duration_seconds",
        "A sample of every stream of a batch, by block.",
        STEP_BOUNDS_S,
    ),
    ("block", "ostinato_block_duration_seconds", "A block, from the choice to the hand-over.", BOUNDS_S),
    ("wait", "ostinato_wait_seconds", "A block waits for the event loop.", BOUNDS_S),
    ("send", "ostinato_send_seconds", "The socket takes a block.", BOUNDS_S),
    ("lead", "ostinato_lead_seconds", "Audio that a live listener has and has not played, after a delivery.", BOUNDS_S),
    ("ttfa", "ostinato_ttfa_seconds", "From when there was something to hear to the first audio sent.", BOUNDS_S),
    (
        "control",
        "ostinato_control_to_sound_seconds",
        "From the receipt of an event for now to the estimated moment at which it is heard.",
        BOUNDS_S,
    ),
)


class MonitorCollector(Collector):
    """A reading as families of metrics; `turned_away` are the sockets refused before the engine heard of them."""

    def __init__(self, reading: Reading, warm_ups: tuple[WarmUp, ...], turned_away: Mapping[str, int]) -> None:
        self._reading, self._warm_ups, self._turned_away = reading, warm_ups, turned_away

    def collect(self) -> Iterator[Metric]:
        """Every family."""
        yield from self._histograms()
        yield from self._models()
        yield from self._sessions()
        yield from self._engine()

    def _histograms(self) -> Iterator[Metric]:
        for quantity, name, told, bounds in HISTOGRAMS:
            family = HistogramMetricFamily(name, told, labels=MODEL)
            for model, reading in self._reading.models.items():
                _add(family, (model,), getattr(reading, quantity), bounds)
            yield family
        family = HistogramMetricFamily(
            "ostinato_wakeup_delay_seconds",
            "How late the engine's thread woke: after the time it had set (timer), or after it was woken (signal).",
            labels=("kind",),
        )
        _add(family, ("timer",), self._reading.wakeup, BOUNDS_S)
        _add(family, ("signal",), self._reading.signal, BOUNDS_S)
        yield family

    def _models(self) -> Iterator[Metric]:
        rtf = GaugeMetricFamily(
            "ostinato_rtf_ratio",
            "Real-time factor, median over blocks of the last minute: seconds of work per second of audio.",
            labels=MODEL,
        )
        work = CounterMetricFamily("ostinato_step_work_seconds", "Work in steps.", labels=MODEL)
        audio = CounterMetricFamily("ostinato_step_audio_seconds", "Audio time that steps advanced.", labels=MODEL)
        for model, reading in self._reading.models.items():
            step_s = reading.step.recent.quantile(0.5)
            if step_s is not None:
                rtf.add_metric((model,), step_s * reading.sample_rate)
            work.add_metric((model,), reading.work_s)
            audio.add_metric((model,), reading.audio_s)
        live = GaugeMetricFamily("ostinato_live_voices", "Voices that can be played in real time.", labels=MODEL)
        what = ("model", "engine", "isa", "precision", "device")
        info = GaugeMetricFamily("ostinato_model_info", "What draws a model.", labels=what)
        for warm_up in self._warm_ups:
            build = warm_up.build
            live.add_metric((warm_up.model,), warm_up.live_voices)
            info.add_metric((warm_up.model, build.engine, build.isa, build.precision, build.device), 1)
        yield from (rtf, work, audio, live, info)

    def _sessions(self) -> Iterator[Metric]:
        streams = GaugeMetricFamily("ostinato_streams_active", "Voices that sound.", labels=MODEL)
        sessions = GaugeMetricFamily("ostinato_sessions_active", "Sessions that are open.", labels=("model", "mode"))
        sounding = Counter(dict.fromkeys(self._reading.models, 0))
        open_ones = Counter({(model, mode): 0 for model in self._reading.models for mode in ("live", "fast")})
        for session in self._reading.sessions:
            sounding[session.model] += session.voices
            open_ones[session.model, session.mode] += 1
        for model, count in sounding.items():
            streams.add_metric((model,), count)
        for labels, count in open_ones.items():
            sessions.add_metric(labels, count)
        rejected = CounterMetricFamily(
            "ostinato_streams_rejected", "Sessions that were not admitted, by the error's code.", labels=("reason",)
        )
        for reason, count in (Counter(self._reading.refused) + Counter(self._turned_away)).items():
            rejected.add_metric((reason,), count)
        underruns = CounterMetricFamily(
            "ostinato_underruns", "Times that a live listener ran dry, by cause.", labels=("cause",)
        )
        for cause, count in self._reading.causes.items():
            underruns.add_metric((cause,), count)
        waiting = GaugeMetricFamily("ostinato_queue_length", "Listeners that wait for room.", self._reading.waiting)
        kept = GaugeMetricFamily(
            "ostinato_sessions_kept", "Sessions whose listeners are gone and may come back.", self._reading.kept
        )
        yield from (streams, sessions, waiting, kept, rejected, underruns)

    def _engine(self) -> Iterator[Metric]:
        times = self._reading.times[-1]
        build = GaugeMetricFamily("ostinato_build_info", "The server's version.", labels=("version",))
        build.add_metric((version("ostinato"),), 1)
        yield build
        yield CounterMetricFamily("ostinato_engine_awake_seconds", "The engine's thread, not asleep.", times.awake_s)
        yield CounterMetricFamily("ostinato_engine_step_seconds", "The same, in steps.", times.worked_s)
        yield CounterMetricFamily("ostinato_engine_cpu_seconds", "Processor time of the engine's thread.", times.cpu_s)
        yield CounterMetricFamily("ostinato_monitor_cpu_seconds", "The same, in measuring.", times.monitor_s)


def _add(family: HistogramMetricFamily, labels: tuple[str, ...], measured: Measured, bounds: tuple[float, ...]) -> None:
    total = measured.total
    buckets = [(str(bound), float(count)) for bound, count in zip(bounds, total.at_most(bounds), strict=True)]
    family.add_metric(labels, [*buckets, ("+Inf", float(total.count))], total.total_s)
