"""Batches that are accepted at the same time."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from ostinato.server.batches.queue import BatchQueue
from tests.server.batches.posting import item, posted
from tests.server.serving import serving


def test_a_batch_that_takes_long_to_plan_holds_no_other_up(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, begun, let_go = BatchQueue._plan, threading.Event(), threading.Event()

    def slow(self: BatchQueue, asked: Any) -> Any:  # noqa: ANN401
        if len(asked.texts) == 2:
            begun.set()
            let_go.wait(20.0)
        return plan(self, asked)

    monkeypatch.setattr(BatchQueue, "_plan", slow)
    with serving() as server, ThreadPoolExecutor(1) as pool:
        first = pool.submit(posted, server, [item(0), item(1)])
        try:
            assert begun.wait(20.0)
            second = posted(server, [item(0)])
        finally:
            let_go.set()
        assert first.result() != second


def test_the_same_request_sent_twice_at_once_with_a_key_makes_one_batch(monkeypatch: pytest.MonkeyPatch) -> None:
    plan, both = BatchQueue._plan, threading.Barrier(2)

    def met(self: BatchQueue, asked: Any) -> Any:  # noqa: ANN401
        both.wait(20.0)
        return plan(self, asked)

    monkeypatch.setattr(BatchQueue, "_plan", met)
    with serving() as server, ThreadPoolExecutor(2) as pool:
        headers = {"idempotency-key": "once"}
        ids = list(pool.map(lambda _: posted(server, [item(0)], headers=headers), range(2)))
        assert ids[0] == ids[1]
        assert len(httpx.get(f"{server.url}/v1/batches").json()["batches"]) == 1
