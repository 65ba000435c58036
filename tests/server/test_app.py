import subprocess
import sys
import threading
import weakref
from dataclasses import asdict

import httpx
import pytest
from websockets.sync.client import connect

from ostinato.models import registry
from ostinato.server.engine import Engine, EngineConfig
from ostinato.server.pool import Pool
from ostinato.server.protocol import Error, NoteOn, SessionCreated, Stats
from tests.server.serving import Listener, Serving, eventually, serving, whole

KEY = "a key that nobody guesses"


def test_models_are_listed_with_their_controls(server: Serving) -> None:
    (model,) = httpx.get(f"{server.url}/v1/models").json()["models"]
    config = registry.load("tiny").config
    assert (model["id"], model["sample_rate"], model["hop"]) == ("tiny", 44100, 64)
    assert model["macs_per_sample"] == config.network.macs_per_sample
    gain = next(control for control in model["controls"] if control["name"] == "gain")
    assert (gain["unit"], gain["low"], gain["high"], gain["default"]) == ("dB", -60, 12, 0)
    assert model["instruments"] == [instrument.model_dump(mode="json") for instrument in config.instruments]
    assert httpx.get(f"{server.url}/v1/models/tiny").json() == model


@pytest.mark.parametrize(("name", "strategy"), [("nade", "nade"), ("blocks", "blocks"), ("student", "flow")])
def test_every_strategy_is_listed_and_played_as_any_other(name: str, strategy: str) -> None:
    with serving(models=(name,)) as server:
        (model,) = httpx.get(f"{server.url}/v1/models").json()["models"]
        assert (model["id"], model["strategy"], model["engine"]["engine"]) == (name, strategy, "native")
        assert model["live_voices"] >= 1
        with Listener(server) as listener:
            started = listener.start(model=name, mode="live", duration_s=0.2)
            heard = started.say(NoteOn(event_id="on", note=60)).hear_out()
        whole(heard)
        assert abs(heard.samples).max() > 0


def test_an_unknown_model_or_path_is_answered_in_the_one_shape_of_errors(server: Serving) -> None:
    unknown = httpx.get(f"{server.url}/v1/models/nonesuch")
    assert (unknown.status_code, unknown.json()["error"]["code"]) == (404, "unknown_model")
    nowhere = httpx.get(f"{server.url}/nowhere")
    assert (nowhere.status_code, nowhere.json()["error"]["code"]) == (404, "not_found")
    wrong = httpx.delete(f"{server.url}/v1/models")
    assert (wrong.status_code, set(wrong.json()["error"])) == (405, {"type", "code", "message", "param"})


def test_a_warm_server_is_ready(server: Serving) -> None:
    assert httpx.get(f"{server.url}/healthz").json() == {"status": "alive"}
    told = httpx.get(f"{server.url}/readyz").json()
    assert (told["status"], told["live"], told["too_slow"]) == ("ready", ["tiny"], {})
    assert told["check_s"] > 0


def test_a_server_slower_than_real_time_is_ready_for_what_is_not_live() -> None:
    with serving(engine="naive", slots=1) as server:
        answer = httpx.get(f"{server.url}/readyz")
        assert answer.status_code == 200
        assert answer.json()["live"] == []
        assert answer.json()["too_slow"]["tiny"] > 1
        with Listener(server) as listener:
            assert listener.start(mode="live").refused().error.code == "too_slow"
        with Listener(server) as listener:
            whole(listener.start(mode="fast", duration_s=0.01).say(NoteOn(event_id="on", note=60)).hear_out())


def test_until_its_models_are_loaded_a_server_is_alive_but_not_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    loading = threading.Event()
    measure = Pool.measure

    def wait_and_measure(pool: Pool, seconds: float) -> None:
        assert loading.wait(20)
        measure(pool, seconds)

    monkeypatch.setattr(Pool, "measure", wait_and_measure)
    with serving(wait=False) as server:
        try:
            answer = httpx.get(f"{server.url}/readyz")
            assert httpx.get(f"{server.url}/healthz").status_code == 200
            assert (answer.status_code, answer.json()["status"]) == (503, "not ready")
            assert answer.json()["reason"] == "models are being loaded"
            assert answer.headers["retry-after"]
        finally:
            loading.set()
        assert server.engine.ready.wait(20)
        assert httpx.get(f"{server.url}/readyz").status_code == 200


def test_models_tell_what_draws_them(server: Serving) -> None:
    (model,) = httpx.get(f"{server.url}/v1/models").json()["models"]
    (warm_up,) = server.engine.warm_ups
    assert model["engine"] == asdict(warm_up.build)
    assert model["engine"]["engine"] == "native"


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_precision_and_threads_are_those_asked_for(precision: str) -> None:
    with serving(models=("tiny", "r32"), precision=precision, threads=3, slots=4) as server:
        for name in ("tiny", "r32"):
            build = httpx.get(f"{server.url}/v1/models/{name}").json()["engine"]
            assert (build["precision"], build["threads"]) == (precision, 3)


def test_latency_is_reported_for_the_engine_and_each_session(server: Serving) -> None:
    with Listener(server) as listener:
        listener.start(mode="live").say(NoteOn(event_id="on", note=60))
        session_id = listener.hear_until(SessionCreated).session_id
        while not listener.heard.all(Stats) or listener.heard.all(Stats)[-1].rtf is None:
            listener.hear_one()
        report = httpx.get(f"{server.url}/v1/latency").json()
    assert report["budget_us"] == {"tiny": 22.676}
    engine = report["engine"]
    model = engine["models"]["tiny"]
    spreads = [model[q] for q in ("step_us", "us_per_sample", "rtf")]
    for spread in [*spreads, *(engine[q] for q in ("block_ms", "wait_ms", "send_ms", "ttfa_ms"))]:
        assert 0 <= spread["p50"] <= spread["p99"]
        assert spread["count"] > 0
    assert (engine["streams"], model["batch"]) == (1, 1)
    assert 0 <= engine["lead_ms"]["least"] <= engine["lead_ms"]["most"] <= 200
    session = next(s for s in report["sessions"] if s["session_id"] == session_id)
    assert (session["model"], session["mode"], session["voices"]) == ("tiny", "live", 1)
    assert session["steps"]["batch"] == 1
    assert 0 < session["steps"]["step_us_p50"] <= session["steps"]["step_us_p99"]
    assert session["ttfa_ms"] > 0


def test_a_key_is_asked_for_where_there_is_one() -> None:
    bearer = {"Authorization": f"Bearer {KEY}"}
    with serving(api_key=KEY) as server:
        for path in ("/v1/models", "/v1/models/tiny", "/v1/latency"):
            refused = httpx.get(server.url + path)
            assert (refused.status_code, refused.json()["error"]["code"]) == (401, "not_authorised")
            assert refused.headers["www-authenticate"] == "Bearer"
            assert httpx.get(server.url + path, headers={"Authorization": "Bearer wrong"}).status_code == 401
            assert httpx.get(server.url + path, headers=bearer).status_code == 200
        assert httpx.post(f"{server.url}/v1/audio/synthesize", json={}).status_code == 401
        assert httpx.get(f"{server.url}/readyz").status_code == 200
        with Listener(server) as stranger:
            heard = stranger.hear_out()
            assert heard.one(Error).error.type == "not_authorised"
            assert heard.close_code == 1008
        with Listener(server, additional_headers=bearer) as friend:
            friend.start().hear_until(SessionCreated)


def test_a_socket_without_the_subprotocol_is_served_too(server: Serving) -> None:
    with connect(server.stream_url) as socket:
        assert socket.subprotocol is None
        socket.send('{"type": "session.start", "model": "tiny"}')
        assert "session.created" in str(socket.recv(timeout=10))


@pytest.mark.parametrize("engine", ["auto", "native"])
def test_a_native_server_never_imports_torch(engine: str) -> None:
    code = f"""
import sys
from tests.server.serving import Listener, serving
from ostinato.server.protocol import ControlApplied, NoteOn
with serving(engine={engine!r}) as server, Listener(server) as listener:
    listener.start().say(NoteOn(event_id="on", note=60)).hear_until(ControlApplied)
assert "torch" not in sys.modules, "torch was imported"
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_weights_are_let_go_once_they_are_packed() -> None:
    checkpoint = registry.load("tiny")
    held, engine = weakref.ref(checkpoint), Engine({"tiny": checkpoint}, EngineConfig())
    del checkpoint
    engine.start()
    try:
        assert engine.ready.wait(20)
        assert eventually(lambda: held() is None)
    finally:
        engine.stop()
