"""What a scrape of a real server holds, by Prometheus' own parser."""

import httpx
import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families

from ostinato.server.protocol import ControlApplied, NoteOn, Stats
from ostinato.server.settings import SettingsError, read_settings
from tests.server.serving import Listener, Serving, eventually, serving

KEY = "a key that is long enough"
TYPES = {
    "ostinato_step_duration_seconds": "histogram",
    "ostinato_block_duration_seconds": "histogram",
    "ostinato_wait_seconds": "histogram",
    "ostinato_send_seconds": "histogram",
    "ostinato_lead_seconds": "histogram",
    "ostinato_ttfa_seconds": "histogram",
    "ostinato_control_to_sound_seconds": "histogram",
    "ostinato_wakeup_delay_seconds": "histogram",
    "ostinato_rtf_ratio": "gauge",
    "ostinato_step_work_seconds": "counter",
    "ostinato_step_audio_seconds": "counter",
    "ostinato_live_voices": "gauge",
    "ostinato_model_info": "gauge",
    "ostinato_streams_active": "gauge",
    "ostinato_sessions_active": "gauge",
    "ostinato_queue_length": "gauge",
    "ostinato_sessions_kept": "gauge",
    "ostinato_streams_rejected": "counter",
    "ostinato_underruns": "counter",
    "ostinato_build_info": "gauge",
    "ostinato_engine_awake_seconds": "counter",
    "ostinato_engine_step_seconds": "counter",
    "ostinato_engine_cpu_seconds": "counter",
    "ostinato_monitor_cpu_seconds": "counter",
}


def scrape(server: Serving) -> dict[str, Metric]:
    answer = httpx.get(f"{server.url}/metrics")
    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/plain; version=")
    return {family.name: family for family in text_string_to_metric_families(answer.text)}


def value(families: dict[str, Metric], name: str, **labels: str) -> float:
    samples = [s for family in families.values() for s in family.samples if s.name == name and s.labels == labels]
    (sample,) = samples
    return sample.value


def test_every_metric_has_its_type_and_a_word_of_help(server: Serving) -> None:
    families = scrape(server)
    assert {name: family.type for name, family in families.items()} == TYPES
    assert all(family.documentation for family in families.values())


def test_figures_come_in_base_units_while_somebody_listens() -> None:
    with serving() as server, Listener(server) as listener:
        listener.start(mode="live").say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
        while not listener.heard.all(Stats) or listener.heard.all(Stats)[-1].rtf is None:
            listener.hear_one()
        assert eventually(lambda: server.engine.latency.engine.ttfa_ms.count == 1)
        families = scrape(server)
        model = {"model": "tiny"}
        step_s = value(families, "ostinato_step_duration_seconds_sum", **model) / value(
            families, "ostinato_step_duration_seconds_count", **model
        )
        assert 1e-8 < step_s < 1e-3
        assert value(families, "ostinato_rtf_ratio", **model) > 0
        assert 0 < value(families, "ostinato_ttfa_seconds_sum", **model) < 20
        assert value(families, "ostinato_ttfa_seconds_count", **model) == 1
        work, audio = (value(families, f"ostinato_step_{what}_seconds_total", **model) for what in ("work", "audio"))
        assert work > 0
        assert 0 < audio < 60
        assert value(families, "ostinato_streams_active", **model) == 1
        assert value(families, "ostinato_sessions_active", mode="live", **model) == 1
        assert value(families, "ostinato_sessions_active", mode="fast", **model) == 0
    with serving() as fresh:
        assert value(scrape(fresh), "ostinato_ttfa_seconds_count", **model) == 0  # nothing is global


def test_buckets_only_rise_and_the_last_holds_all(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="fast", duration_s=0.5).say(NoteOn(event_id="on", note=60)).hear_out()
    assert eventually(lambda: server.engine.latency.engine.block_ms.count > 0)
    for family in scrape(server).values():
        series: dict[tuple[str, ...], list[tuple[float, float]]] = {}
        for sample in family.samples:
            if sample.name.endswith("_bucket"):
                labels = {name: label for name, label in sample.labels.items() if name != "le"}
                series.setdefault(tuple(labels.values()), []).append((float(sample.labels["le"]), sample.value))
        for buckets in series.values():
            assert [bound for bound, _ in buckets] == sorted({bound for bound, _ in buckets})
            assert [count for _, count in buckets] == sorted(count for _, count in buckets)
            assert buckets[-1][0] == float("inf")
        if family.type == "histogram":
            assert sorted(b[-1][1] for b in series.values()) == sorted(
                s.value for s in family.samples if s.name.endswith("_count")
            )


def test_whoever_was_not_let_in_is_counted_by_reason() -> None:
    with serving(start_s=0.2) as server:
        with Listener(server) as listener:
            listener.start(voices=60).refused()
        for _ in range(2):
            with Listener(server) as listener:
                listener.start(model="nonesuch").refused()
        with Listener(server) as listener:
            listener.hear_out()  # it never asks for a session
        reasons = ("over_limit", "unknown_model", "idle")

        def told() -> list[float]:
            samples = scrape(server)["ostinato_streams_rejected"].samples
            by_reason = {s.labels["reason"]: s.value for s in samples if s.name.endswith("_total")}
            return [by_reason.get(reason, 0) for reason in reasons]

        assert eventually(lambda: told() == [1, 2, 1])


def test_openmetrics_is_spoken_where_it_is_asked_for(server: Serving) -> None:
    accept = {"Accept": "application/openmetrics-text; version=1.0.0"}
    answer = httpx.get(f"{server.url}/metrics", headers=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text")
    families = parse_openmetrics(answer.text)  # type: ignore[no-untyped-call]
    assert {family.name for family in families} == set(TYPES)


def test_metrics_are_told_to_who_has_the_key() -> None:
    with serving(api_key=KEY) as server:
        for path in ("/metrics", "/v1/latency/recent"):
            assert httpx.get(server.url + path).status_code == 401
            assert httpx.get(server.url + path, headers={"Authorization": f"Bearer {KEY}"}).status_code == 200


def test_the_monitor_is_told_to_those_alone_who_are_named_for_it() -> None:
    with serving(api_keys="alice:key-of-alice,bob:key-of-bob", monitors="alice") as server:
        for path in ("/metrics", "/v1/latency", "/v1/latency/recent"):
            seen = [
                httpx.get(server.url + path, headers={"Authorization": f"Bearer key-of-{n}"}) for n in ("alice", "bob")
            ]
            assert [answer.status_code for answer in seen] == [200, 403]
            assert seen[1].json()["error"]["code"] == "not_allowed"
        bob = {"Authorization": "Bearer key-of-bob"}
        assert httpx.get(f"{server.url}/v1/models", headers=bob).status_code == 200


def test_who_is_named_for_the_monitor_has_a_key() -> None:
    with pytest.raises(SettingsError, match="monitors: 'carol' has no key"):
        read_settings(api_keys="alice:key-of-alice", monitors="alice,carol")
