"""Files that are gone, and a database that can't be read or written: told clearly, and mended where that can be."""

from __future__ import annotations

import io
import sqlite3
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest

from ostinato.server.batches.store import Store
from tests.server.batches.posting import all_decoded, done, get, item, post, posted, status
from tests.server.serving import Serving, serving

LONG = {"notes": [{"note": 60, "duration_s": 1800}], "format": "flac"}


def files(server: Serving, batch: str) -> list[Path]:
    return sorted((server.settings.data / "batches" / batch).iterdir())


@contextmanager
def pragma(server: Serving, text: str, undo: str) -> Iterator[None]:
    """A setting of the server's database, for a while."""
    keeping = server.service.batches._keeping

    def set_to(value: str) -> None:
        keeping._thread.submit(lambda: keeping._opened._db.execute(f"PRAGMA {value}").fetchall()).result()

    set_to(text)
    try:
        yield
    finally:
        set_to(undo)


def test_a_file_that_is_gone_is_told_and_not_cut(server: Serving) -> None:
    batch = posted(server, [item(n) for n in range(3)])
    done(server, batch)
    files(server, batch)[1].unlink()
    for path in (f"{batch}/items/1/audio", f"{batch}/audio.zip"):
        answer = get(server, path)
        assert (answer.status_code, answer.json()["error"]["code"]) == (409, "not_kept")
    assert get(server, f"{batch}/items/2/audio").status_code == 200


def test_a_file_that_is_open_is_sent_whole_though_its_batch_is_cancelled(server: Serving) -> None:
    batch = posted(server, [{"notes": [{"note": 60, "duration_s": 60}], "seed": 1}])
    size = done(server, batch) and get(server, f"{batch}/items").json()["items"][0]["bytes"]
    with httpx.stream("GET", f"{server.url}/v1/batches/{batch}/items/0/audio", timeout=60) as answer:
        assert httpx.delete(f"{server.url}/v1/batches/{batch}").status_code == 200
        assert sum(map(len, answer.iter_bytes())) == size


def test_what_is_done_but_has_no_file_is_drawn_again_at_the_next_start(tmp_path: Path) -> None:
    with serving(data=tmp_path) as server:
        batch = posted(server, [item(n) for n in range(4)])
        done(server, batch)
        before = all_decoded(server, batch, 4)
        files(server, batch)[2].unlink()
    with serving(data=tmp_path) as server:
        assert done(server, batch)["counts"]["done"] == 4
        assert all_decoded(server, batch, 4) == before


@pytest.mark.parametrize("number", [2**31, 2**63, 2**64, 10**400])
def test_an_item_of_any_number_is_not_found(server: Serving, number: int) -> None:
    batch = posted(server, [item(0)])
    answer = get(server, f"{batch}/items/{number}/audio")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "not_found")


def test_a_database_that_cannot_be_written_is_told_and_the_server_stops_all_the_same(tmp_path: Path) -> None:
    with serving(data=tmp_path, duration_s=3600) as server:
        batch = posted(server, [LONG, item(0)])
        with pragma(server, "query_only = 1", "query_only = 0"):
            for answer in (httpx.delete(f"{server.url}/v1/batches/{batch}"), post(server, [item(0)])):
                assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_batches")
                assert int(answer.headers["retry-after"]) > 0
                assert str(tmp_path) not in answer.text
            assert status(server, batch)["items"] == 2
        with pragma(server, "query_only = 1", "query_only = 1"):
            pass
    assert not server.engine.alive
    with serving(data=tmp_path) as server:  # the folder was let go
        assert status(server, batch)["items"] == 2


def test_a_full_disk_is_told_and_the_batch_not_kept() -> None:
    with serving() as server:
        server.service.batches._worker._rests_until = float("inf")
        kept = posted(server, [item(0)])
        with pragma(server, "max_page_count = 1", "max_page_count = 1000000"):  # no less than there are now
            answer = post(server, [item(n) for n in range(1500)])
            assert (answer.status_code, answer.json()["error"]["code"]) == (507, "no_space")
        listed = httpx.get(f"{server.url}/v1/batches").json()["batches"]
        assert [batch["id"] for batch in listed] == [kept]


@pytest.mark.parametrize("ask", ["", "/items", "/items/0/audio", "/audio.zip"])
def test_a_database_that_cannot_be_read_is_told(monkeypatch: pytest.MonkeyPatch, ask: str) -> None:
    def broken(*_: object) -> Any:  # noqa: ANN401
        raise sqlite3.OperationalError("disk I/O error at /somewhere")

    with serving() as server:
        batch = posted(server, [item(0)])
        done(server, batch)
        monkeypatch.setattr(Store, "_batches", broken)
        for path in (batch + ask, ""):
            answer = httpx.get(f"{server.url}/v1/batches/{path}".rstrip("/"))
            assert (answer.status_code, answer.json()["error"]["code"]) == (503, "no_batches")
            assert "somewhere" not in answer.text
        monkeypatch.undo()


def test_a_batch_that_is_forgotten_while_it_is_told_of_is_told_whole_or_not_found(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Between any two questions to the database the batch may go."""
    with serving() as server:
        batch = posted(server, [item(0)])
        done(server, batch)
        keeping = server.service.batches._keeping
        ask: Callable[..., Any] = keeping.ask

        async def forgetting(*question: Any, **named: Any) -> Any:  # noqa: ANN401
            answer = await ask(*question, **named)
            await ask(Store.forget, float("inf"))
            return answer

        monkeypatch.setattr(keeping, "ask", forgetting)
        told = get(server, batch)
        assert (told.status_code, told.json().get("state")) == (200, "done")
        assert get(server, batch).status_code == 404


def test_the_manifest_of_many_items_is_whole(server: Serving) -> None:
    batch = posted(server, [item(n, seed=2**64 - 1 - n) for n in range(150)])
    done(server, batch)
    with zipfile.ZipFile(io.BytesIO(get(server, f"{batch}/audio.zip").content)) as archive:
        told = httpx.Response(200, content=archive.read("batch.json")).json()
    assert told == get(server, f"{batch}/items", params={"limit": 1000}).json()["items"]
