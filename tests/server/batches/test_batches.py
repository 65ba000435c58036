"""Batches over HTTP: accepted, drawn, collected, cancelled."""

from __future__ import annotations

import base64
import io
import json
import time
import zipfile
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.batches.posting import FORMATS, all_decoded, decoded, done, get, item, post, posted, status
from tests.server.serving import Listener, Serving, eventually, serving
from tests.songs import as_bytes, canon

LONG = {"notes": [{"note": 60, "duration_s": 1800}], "format": "flac"}


def synthesized(server: Serving, **body: Any) -> httpx.Response:  # noqa: ANN401
    return httpx.post(f"{server.url}/v1/audio/synthesize", json=body, timeout=60)


def test_every_item_is_the_sound_that_it_is_alone(server: Serving) -> None:
    items = [item(n, seed=n, format=sound_format) for n, sound_format in enumerate(FORMATS)]
    items.append(item(6, seed=6, format="wav", sample_format="f32", sample_rate=48000, controls={"gain": -6.0}))
    batch = posted(server, items)
    told = done(server, batch)
    assert (told["state"], told["counts"]["done"], told["progress"]) == ("done", len(items), 1.0)
    for number, asked in enumerate(items):
        answer, alone = get(server, f"{batch}/items/{number}/audio"), synthesized(server, **asked)
        assert answer.headers["content-type"] == alone.headers["content-type"]
        assert answer.headers["ostinato-seed"] == str(number)
        assert int(answer.headers["content-length"]) == len(answer.content)
        if asked["format"] == "pcm":
            assert answer.content == alone.content
        else:
            assert decoded(answer.content) == decoded(alone.content)


def test_what_an_item_leaves_open_is_decided_once_and_told(server: Serving) -> None:
    body = {"items": [item(0), item(1, format="opus", seed=5)], "defaults": {"format": "flac", "sample_rate": 48000}}
    batch = httpx.post(f"{server.url}/v1/batches", json=body).json()["id"]
    done(server, batch)
    first, second = get(server, f"{batch}/items").json()["items"]
    assert (first["format"], first["sample_format"], first["sample_rate"], first["model"]) == (
        "flac",
        "s16",
        48000,
        "tiny",
    )
    assert (second["format"], second["sample_format"], second["seed"]) == ("opus", None, 5)
    again = synthesized(server, **{**body["items"][0], **body["defaults"], "seed": first["seed"]})  # type: ignore[index, dict-item]
    assert decoded(again.content) == decoded(get(server, f"{batch}/items/0/audio").content)


def test_midi_files_come_as_base64_or_as_a_form(server: Serving) -> None:
    songs = [as_bytes(canon(seconds)) for seconds in (2.0, 3.0)]
    encoded = posted(server, [{"midi": base64.b64encode(song).decode(), "seed": 5} for song in songs])
    answer = httpx.post(
        f"{server.url}/v1/batches",
        files=[("files", (f"{n}.mid", song, "audio/midi")) for n, song in enumerate(songs)],
        data={"defaults": json.dumps({"seed": 5, "format": "flac"})},
    )
    assert answer.status_code == 202
    form = answer.json()["id"]
    done(server, encoded)
    done(server, form)
    assert all_decoded(server, encoded, 2) == all_decoded(server, form, 2)
    assert get(server, f"{form}/items/0/audio").headers["content-type"] == "audio/flac"
    alone = httpx.post(
        f"{server.url}/v1/audio/synthesize",
        params={"seed": 5},
        content=songs[1],
        headers={"content-type": "audio/midi"},
        timeout=60,
    )
    assert decoded(alone.content) == decoded(get(server, f"{form}/items/1/audio").content)


def test_all_of_it_comes_as_one_zip(server: Serving) -> None:
    batch = posted(server, [item(n, format=FORMATS[n]) for n in range(3)])
    done(server, batch)
    answer = get(server, f"{batch}/audio.zip")
    assert answer.headers["content-type"] == "application/zip"
    with zipfile.ZipFile(io.BytesIO(answer.content)) as archive:
        assert archive.testzip() is None
        assert archive.namelist() == ["batch.json", "00000.wav", "00001.flac", "00002.ogg"]
        for number, name in enumerate(archive.namelist()[1:]):
            assert archive.read(name) == get(server, f"{batch}/items/{number}/audio").content
        told = json.loads(archive.read("batch.json"))
    assert told == get(server, f"{batch}/items").json()["items"]


def test_items_are_told_page_by_page(server: Serving) -> None:
    batch = posted(server, [item(n) for n in range(5)])
    first = get(server, f"{batch}/items", params={"limit": 3}).json()
    assert ([i["item"] for i in first["items"]], first["next"]) == ([0, 1, 2], 3)
    second = get(server, f"{batch}/items", params={"first": 3, "limit": 3}).json()
    assert ([i["item"] for i in second["items"]], second["next"]) == ([3, 4], None)
    refused = get(server, f"{batch}/items", params={"limit": 0})
    assert (refused.status_code, refused.json()["error"]["param"]) == (400, "limit")


def test_a_file_comes_as_it_is_or_not_at_all(server: Serving) -> None:
    batch = posted(server, [item(0, format="flac")])
    done(server, batch)
    path = f"{batch}/items/0/audio"
    for accept in ("audio/flac", "audio/*", "audio/mpeg, audio/flac;q=0.1"):
        assert get(server, path, headers={"accept": accept}).headers["content-type"] == "audio/flac"
    refused = get(server, path, headers={"accept": "audio/mpeg"})
    assert (refused.status_code, refused.json()["error"]["code"]) == (406, "not_acceptable")
    assert "audio/flac" in refused.json()["error"]["message"]


def test_what_is_not_done_says_when_to_ask_again_and_cancelling_ends_it() -> None:
    with serving(duration_s=3600) as server:
        batch = posted(server, [LONG, LONG, item(0)])
        for path in (f"{batch}/items/1/audio", f"{batch}/audio.zip"):
            answer = get(server, path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_done")
            assert int(answer.headers["retry-after"]) > 0
        assert eventually(lambda: status(server, batch)["progress"] > 0.0)
        assert eventually(lambda: status(server, batch)["counts"]["done"] == 1)
        told = httpx.delete(f"{server.url}/v1/batches/{batch}").json()
        assert (told["state"], told["counts"]["cancelled"]) == ("cancelled", 3)
        assert server.settled()
        assert httpx.delete(f"{server.url}/v1/batches/{batch}").json() == told
        assert get(server, f"{batch}/items/2/audio").json()["error"]["code"] == "not_kept"
        assert get(server, f"{batch}/audio.zip").json()["error"]["code"] == "not_kept"
        assert not list((server.settings.data / "batches").iterdir())


def test_a_batch_that_is_done_stays_so_when_its_files_are_removed(tmp_path: Path) -> None:
    with serving(data=tmp_path) as server:
        batch = posted(server, [item(0), item(1)])
        before = done(server, batch)
        told = httpx.delete(f"{server.url}/v1/batches/{batch}").json()
        assert (told["state"], told["counts"]["done"], told["counts"]["cancelled"]) == ("done", 2, 0)
        assert told == before
        for path in (f"{batch}/items/1/audio", f"{batch}/audio.zip"):
            answer = get(server, path)
            assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_kept")
        assert not list((tmp_path / "batches").iterdir())
    with serving(data=tmp_path) as server:
        assert status(server, batch) == told  # nothing is drawn again


def test_the_same_key_makes_one_batch() -> None:
    with serving() as server:
        headers = {"idempotency-key": "order 66"}
        first = posted(server, [item(0)], headers=headers)
        assert posted(server, [item(0)], headers=headers) == first
        done(server, first)
        assert posted(server, [item(0)], headers=headers) == first
        other = post(server, [item(1)], headers=headers)
        assert (other.status_code, other.json()["error"]["code"]) == (422, "key_reused")
        assert len(httpx.get(f"{server.url}/v1/batches").json()["batches"]) == 1
        wrong = post(server, [item(0)], headers={"idempotency-key": "x" * 256})
        assert (wrong.status_code, wrong.json()["error"]["param"]) == (400, "idempotency-key")


def test_a_batch_is_that_of_the_key_that_made_it_and_not_there_for_others() -> None:
    with serving(api_keys="alice:key-of-alice,bob:key-of-bob") as server:
        alice, bob = ({"authorization": f"Bearer key-of-{name}"} for name in ("alice", "bob"))
        batch = posted(server, [item(0)], headers=alice)
        done(server, batch, headers=alice)
        paths = [batch, f"{batch}/items", f"{batch}/items/0/audio", f"{batch}/audio.zip"]
        for path in paths:
            assert get(server, path, headers=alice).status_code == 200
            assert get(server, path, headers=bob).status_code == 404
            assert get(server, path).status_code == 401
        assert httpx.delete(f"{server.url}/v1/batches/{batch}", headers=bob).status_code == 404
        assert httpx.get(f"{server.url}/v1/batches", headers=bob).json()["batches"] == []
        assert status(server, batch, headers=alice)["state"] == "done"


def test_a_batch_is_forgotten_with_its_files_some_time_after_it_is_over() -> None:
    with serving(batch_expiry_s=0.5) as server:
        batch = posted(server, [item(0)])
        assert eventually(lambda: get(server, batch).status_code == 404)
        assert eventually(lambda: not list((server.settings.data / "batches").iterdir()))


def test_a_data_folder_is_one_servers_alone_and_the_other_serves_all_else(tmp_path: Path) -> None:
    with serving(data=tmp_path) as first, serving(data=tmp_path) as second:
        done(first, posted(first, [item(0)]))
        refused = post(second, [item(0)])
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_batches")
        assert int(refused.headers["retry-after"]) > 0
        assert synthesized(second, **item(0)).status_code == 200
    with serving(data=tmp_path) as third:
        assert len(httpx.get(f"{third.url}/v1/batches").json()["batches"]) == 1


def test_a_draining_server_accepts_no_batch_and_puts_back_what_it_draws(tmp_path: Path) -> None:
    with serving(data=tmp_path) as server:
        batch = posted(server, [LONG, item(0, seed=1)])
        assert eventually(lambda: status(server, batch)["counts"]["running"] >= 1)
        server.engine.drain(20.0)
        assert server.engine.drained.wait(5.0)
        refused = post(server, [item(0)])
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "draining")
        assert eventually(lambda: status(server, batch)["counts"]["running"] == 0)
        counts = status(server, batch)["counts"]
        assert (counts["failed"], counts["queued"] + counts["done"]) == (0, 2)
    with serving(data=tmp_path) as server:
        assert eventually(lambda: status(server, batch)["counts"]["done"] == 1)
        httpx.delete(f"{server.url}/v1/batches/{batch}")


def test_a_listener_gets_the_slots_of_a_batch_at_once_and_the_batch_goes_on_as_it_was() -> None:
    notes = {"notes": [{"note": 60, "duration_s": 6}, {"note": 64, "duration_s": 6}], "seed": 9, "format": "pcm"}
    with serving(slots=2, models=("r32",)) as server:
        alone = synthesized(server, **notes).content
        batch = posted(server, [notes])
        assert eventually(lambda: status(server, batch)["progress"] > 0.01)
        with Listener(server) as listener:
            listener.start(model="r32", voices=2, duration_s=1.0, mode="fast")
            listener.say({"type": "note.on", "event_id": "on", "note": 60})
            assert len(listener.hear_out().samples) == 44100
            assert status(server, batch)["state"] == "running"
        done(server, batch)
        assert get(server, f"{batch}/items/0/audio").content == alone


def test_batch_sessions_are_nobodys_share_and_tell_nothing_of_waiting() -> None:
    with serving(api_key="a-key-of-mine", sessions_per_key=1, batch_at_once=3) as server:
        mine = {"authorization": "Bearer a-key-of-mine"}
        batch = posted(server, [LONG] * 3, headers=mine)
        assert eventually(lambda: status(server, batch, headers=mine)["counts"]["running"] == 3)
        with Listener(server, additional_headers=mine) as listener:
            listener.start(duration_s=1.0).say({"type": "note.on", "event_id": "on", "note": 60})
            assert listener.hear_out().close_code == 1000
        told = status(server, batch, headers=mine)["counts"]
        assert (told["running"], told["failed"]) == (3, 0)
        assert eventually(lambda: server.engine.latency.engine.ttfa_ms.count > 0)
        assert server.engine.latency.engine.ttfa_ms.count == 1
        httpx.delete(f"{server.url}/v1/batches/{batch}", headers=mine)


def test_what_cannot_be_written_now_is_written_once_it_can(monkeypatch: pytest.MonkeyPatch) -> None:
    with serving() as server:
        monkeypatch.setattr("ostinato.server.batches.worker.REST_S", 0.1)
        files = server.settings.data / "batches"
        files.rename(files.with_name("elsewhere"))
        files.write_text("in the way")
        batch = posted(server, [item(n) for n in range(5)])
        time.sleep(0.5)
        counts = status(server, batch)["counts"]
        assert (counts["done"], counts["failed"]) == (0, 0)
        files.unlink()
        files.with_name("elsewhere").rename(files)
        assert done(server, batch)["counts"]["done"] == 5
