"""What of batches is refused, and how it is told: items, bounds, disks, pages of other sites."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.server.batches.posting import done, get, item, post, posted
from tests.server.serving import Serving, serving
from tests.songs import as_bytes, canon

NOTE = {"note": 60, "duration_s": 1}
LONG = {"notes": [{"note": 60, "duration_s": 1800}], "format": "flac"}


@pytest.mark.parametrize(
    ("wrong", "status", "code", "param"),
    [
        ({"notes": [NOTE, NOTE, NOTE, {**NOTE, "note": 200}]}, 400, "invalid_value", "notes[3].note"),
        ({"notes": [{"note": 60, "duration_s": 1, "instrument": "drum"}]}, 400, "invalid_value", "notes[0].instrument"),
        ({"notes": [{"note": 60, "duration_s": 3600}]}, 400, "invalid_value", "duration_s"),
        ({"midi": base64.b64encode(b"MThd, but no more").decode()}, 400, "invalid_value", "midi"),
        (item(0, model="nonesuch"), 404, "unknown_model", "model"),
        (item(0, format="opus", sample_rate=44100), 400, "unsupported_format", "sample_rate"),
        (item(0, controls={"gain": 99}), 400, "invalid_value", "controls.gain"),
        (item(0, colour="red"), 400, "unknown_field", "colour"),
    ],
)  # fmt: skip
def test_one_wrong_item_is_named_and_nothing_is_accepted(
    server: Serving, wrong: dict[str, Any], status: int, code: str, param: str
) -> None:
    before = httpx.get(f"{server.url}/v1/batches").json()
    answer = post(server, [*(item(n) for n in range(17)), wrong])
    error = answer.json()["error"]
    assert (answer.status_code, error["code"], error["param"]) == (status, code, f"items[17].{param}")
    assert error["message"].startswith(f"items[17].{param}: ")
    after = httpx.get(f"{server.url}/v1/batches").json()
    assert [b["id"] for b in after["batches"]] == [b["id"] for b in before["batches"]]


def test_more_voices_than_a_session_may_have_are_refused_before_they_are_accepted() -> None:
    chord = {"notes": [{"note": 60 + n, "duration_s": 1} for n in range(3)]}
    bounds: list[dict[str, Any]] = [{"slots": 2}, {"voices_per_session": 2}]
    for bound in bounds:
        with serving(**bound) as server:
            answer = post(server, [chord])
            assert (answer.status_code, answer.json()["error"]["param"]) == (413, "items[0].voices")


@pytest.mark.parametrize(
    ("path", "status", "code"),
    [
        ("0" * 32, 404, "not_found"),
        ("0" * 32 + "/items", 404, "not_found"),
        ("0" * 32 + "/items/0/audio", 404, "not_found"),
        ("0" * 32 + "/audio.zip", 404, "not_found"),
        ("../../etc/passwd", 404, "not_found"),
    ],
)
def test_what_is_not_there_is_not_found(server: Serving, path: str, status: int, code: str) -> None:
    answer = get(server, path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_an_item_beyond_the_last_is_not_found(server: Serving) -> None:
    batch = posted(server, [item(0)])
    assert get(server, f"{batch}/items/1/audio").status_code == 404
    assert get(server, f"{batch}/items/one/audio").status_code == 404


def test_a_key_has_so_many_batches_at_once() -> None:
    with serving(batches_per_key=1) as server:
        first = posted(server, [LONG])
        refused = post(server, [item(0)])
        assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_batches")
        assert int(refused.headers["retry-after"]) > 0
        httpx.delete(f"{server.url}/v1/batches/{first}")
        done(server, posted(server, [item(0)]))


def test_bodies_and_items_have_bounds() -> None:
    with serving(batch_items=2, batch_bytes=4096) as server:
        assert post(server, [item(0)] * 3).json()["error"]["code"] == "over_limit"
        big = post(server, [item(0, controls={}), {"notes": item(0)["notes"] * 200}])
        assert (big.status_code, big.json()["error"]["code"]) == (413, "body_too_big")
        plain = httpx.post(f"{server.url}/v1/batches", content=b"{}", headers={"content-type": "text/plain"})
        assert (plain.status_code, plain.json()["error"]["code"]) == (415, "unsupported_type")
        form = {"files": ("a.mid", as_bytes(canon(1.0)))}
        unknown = httpx.post(f"{server.url}/v1/batches", files=form, data={"colour": "red"})
        assert (unknown.status_code, unknown.json()["error"]["param"]) == (400, "colour")


def test_a_disk_without_room_is_told_before_anything_is_accepted() -> None:
    with serving(least_free_bytes=2**60) as server:
        answer = post(server, [item(0)])
        error = answer.json()["error"]
        assert (answer.status_code, error["code"], error["param"]) == (507, "no_space", "items")
        assert str(2**60) in error["message"]
        assert httpx.get(f"{server.url}/v1/batches").json()["batches"] == []


def test_a_folder_that_cannot_be_made_is_told_to_callers_but_where_it_is_to_the_log_alone(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("here")
    with serving(data=tmp_path / "file" / "data") as server:
        refused = post(server, [item(0)])
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "no_batches")
        assert int(refused.headers["retry-after"]) > 0
        assert "file" not in refused.text
        assert "file/data" in capfd.readouterr().err


def test_a_page_of_another_site_makes_no_batch_though_browsers_let_it_post_forms(server: Serving) -> None:
    for origin in ("https://elsewhere.example", "null"):
        answer = httpx.post(
            f"{server.url}/v1/batches", files={"files": ("a.mid", as_bytes(canon(1.0)))}, headers={"origin": origin}
        )
        assert (answer.status_code, answer.json()["error"]["code"]) == (403, "wrong_origin")
