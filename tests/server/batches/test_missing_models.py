"""Items of models that a server serves no longer are waited for, which is told, and given up after a time."""

from __future__ import annotations

import time
from pathlib import Path

from tests.server.batches.posting import done, get, item, posted, status
from tests.server.serving import eventually, serving


def test_what_a_batch_waits_for_is_told_and_drawn_once_it_is_served_again(tmp_path: Path) -> None:
    long = {"notes": [{"note": 60, "duration_s": 240}], "model": "tiny"}
    with serving(data=tmp_path, models=("r32", "tiny"), batch_at_once=1) as server:
        batch = posted(server, [long, item(0, model="tiny"), item(1, model="r32")])
        assert status(server, batch)["missing_models"] == []
    with serving(data=tmp_path, models=("r32",)) as server:
        assert eventually(lambda: status(server, batch)["counts"]["done"] == 1)
        told = status(server, batch)
        assert (told["missing_models"], told["eta_s"], told["ended_at"]) == (["tiny"], None, None)
        assert told["counts"]["queued"] == 2
    with serving(data=tmp_path, models=("tiny",)) as server:
        assert status(server, batch)["missing_models"] == []
        assert done(server, batch)["counts"]["done"] == 3


def test_after_the_expiry_it_is_failed_and_the_batch_is_over(tmp_path: Path) -> None:
    with serving(data=tmp_path, models=("r32", "tiny")) as server:
        server.service.batches._worker._rests_until = float("inf")
        batch = posted(server, [item(0, model="tiny"), item(1, model="r32")])
    time.sleep(1.0)
    with serving(data=tmp_path, models=("r32",), batch_expiry_s=1.0) as server:
        assert eventually(lambda: status(server, batch)["counts"]["failed"] == 1)
        told = status(server, batch)
        (failure,) = told["failures"]
        assert (failure["item"], failure["error"]["code"]) == (0, "unknown_model")
        failed = get(server, f"{batch}/items").json()["items"][0]
        assert (failed["model"], failed["error"]["param"]) == ("tiny", "model")
