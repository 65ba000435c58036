"""Many listeners at once: what is counted, and by what hand it can be counted again."""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import pytest
from websockets.sync.server import ServerConnection

from ostinato.clients import load as loading
from ostinato.clients.load import Load
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_report import LoadReport
from ostinato.clients.stream import Timeouts
from ostinato.server.protocol import (
    AudioDone,
    FrameHeader,
)
from tests.clients.proxy import Proxy, proxied
from tests.clients.test_conversation import RATE
from tests.clients.test_stream import CREATED, free_port, stub
from tests.server.serving import eventually, serving

QUEUED = '{"type":"queue.update","position":2,"eta_s":1.5}'
IMPATIENT = Timeouts(silence_s=0.2)
DONE = AudioDone(samples=0, sha256=hashlib.sha256().hexdigest(), reason="ended")


def plan(url: str, streams: int = 3, seconds: float = 0.3, **more: object) -> LoadPlan:
    return LoadPlan(url=url, model="tiny", streams=streams, seconds=seconds, **more)  # type: ignore[arg-type]


def played(asked: LoadPlan) -> LoadReport:
    load = Load(asked)
    asyncio.run(load.play())
    return load.report()


def test_every_stream_plays_its_time_to_the_end_and_is_checked() -> None:
    with serving(slots=4) as running:
        report = played(plan(running.url, control_every_s=0.05))
        assert running.settled()
    assert (report.streams, report.joined + report.refused) == (3, 3)
    assert 1 <= report.joined == report.whole
    assert (report.lost, report.corrupt, report.unreachable, report.errors) == (0, 0, 0, 0)
    assert report.samples > report.joined * 0.3 * RATE
    assert report.ttfa_ms_p50 is not None
    assert report.controls > 0
    assert report.control_ms_p99 is not None
    assert report.control_ms_p50 is not None
    assert 0 < report.control_ms_p50 <= report.control_ms_p99
    assert report.rtf_worst is not None
    assert report.least_buffered_ms is not None
    assert report.client_lag_ms_p99 is not None


def test_who_is_refused_does_not_disturb_the_others() -> None:
    with serving(slots=2) as running:
        report = played(plan(running.url, streams=5))
        assert running.settled()
    assert 1 <= report.joined == report.whole <= 2
    assert report.joined + report.refused == 5
    assert sum(report.reasons.values()) == report.refused
    assert all(reason.startswith("refused: ") for reason in report.reasons)


def test_a_wrong_request_is_a_refusal_that_says_why(server: str) -> None:
    report = played(LoadPlan(url=server, model="nobody", streams=2, seconds=0.1))
    assert (report.joined, report.refused) == (0, 2)
    (reason,) = report.reasons
    assert "'nobody' is not served" in reason


@asynccontextmanager
async def playing(load: Load) -> AsyncIterator[int]:
    """A load at work, from the moment on when all that a server lets join play: how many those are."""
    task = asyncio.create_task(load.play())
    try:
        while (r := load.report()).joined + r.refused < r.streams or r.least_buffered_ms is None:
            await asyncio.sleep(0.01)
        yield r.joined
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


def test_listeners_that_are_starved_run_dry_once_each_and_while_it_lasts() -> None:
    async def starve(proxy: Proxy) -> None:
        load = Load(plan(proxy.url, seconds=60.0))
        async with playing(load) as joined:
            await asyncio.sleep(0.3)
            before = load.report().underruns
            proxy.hold()
            await asyncio.sleep(1.0)
            during = load.report()
            proxy.flow()
            while load.report().samples == during.samples:
                await asyncio.sleep(0.01)
            assert joined >= 1
            assert during.underruns >= before + joined
            assert not during.gapless
            assert load.report().underruns >= during.underruns

    with serving(slots=4) as running, proxied(running.port) as proxy:
        asyncio.run(starve(proxy))


def test_a_server_that_dies_in_the_middle_is_reported() -> None:
    async def cut(proxy: Proxy) -> LoadReport:
        load = Load(plan(proxy.url, seconds=60.0))
        async with playing(load) as joined:
            proxy.cut()
            while load.report().lost < joined:
                await asyncio.sleep(0.01)
            return load.report()

    with serving(slots=4) as running, proxied(running.port) as proxy:
        report = asyncio.run(cut(proxy))
        assert running.settled()
    assert report.lost == report.joined >= 1
    assert report.reasons["lost: the connection broke"] == report.lost


def test_who_is_cut_off_here_hangs_up_and_is_not_lost() -> None:
    async def interrupt(url: str) -> LoadReport:
        load = Load(plan(url, seconds=60.0))
        async with playing(load):
            pass
        return load.report()

    with serving(slots=4) as running:
        report = asyncio.run(interrupt(running.url))
        assert running.settled()
    assert (report.lost, report.whole) == (0, 0)
    assert report.joined >= 1
    assert report.samples > 0


def test_where_nobody_listens_every_stream_is_unreachable() -> None:
    report = played(plan(f"ws://127.0.0.1:{free_port()}", streams=2))
    assert (report.joined, report.unreachable, report.refused) == (0, 2, 0)
    assert not report.gapless


def test_a_key_opens_a_server_that_wants_one() -> None:
    with serving(api_key="open sesame", slots=2) as running:
        assert played(plan(running.url, streams=1)).refused == 1
        assert played(plan(running.url, streams=1, api_key="open sesame")).whole == 1


def saying(*frames: str | bytes, then_close: bool = True) -> Callable[[ServerConnection], None]:
    """A server that says this to whoever comes."""

    def handle(connection: ServerConnection) -> None:
        connection.recv()
        for frame in frames:
            connection.send(frame)
        if then_close:
            connection.close(1012, "drained")
        else:
            with suppress(Exception):
                while True:
                    connection.recv()

    return handle


SECOND = FrameHeader(1, 0).pack() + b"\0\0"  # where the first was to come


@pytest.mark.parametrize(
    ("frames", "fate", "why"),
    [
        ([CREATED, SECOND], "corrupt", "sequence: 1 came where 0 was to come"),
        ([CREATED, "{}"], "corrupt", "type: missing is not a message type"),
        ([CREATED], "lost", "closed by the server with 1012 drained"),
        ([CREATED, DONE.model_copy(update={"sha256": "0"}).to_json()], "corrupt", "sha256"),
        ([CREATED, DONE.model_copy(update={"reason": "drained"}).to_json()], "lost", "ended by the server: drained"),
        ([], "unreachable", "closed by the server with 1012 drained"),
        (["{}"], "unreachable", "type: missing is not a message type"),
        ([QUEUED], "refused", "queued at position 2"),
        ([QUEUED, CREATED, DONE.to_json()], "refused", "queued at position 2"),
    ],
)
def test_how_a_stream_came_to_its_end_is_told(frames: list[str | bytes], fate: str, why: str) -> None:
    with stub(saying(*frames)) as url:
        report = played(plan(url, streams=1))
    ((told, count),) = report.reasons.items()
    assert told.startswith(f"{fate}: ")
    assert why in told
    assert (count, getattr(report, fate)) == (1, 1)
    assert report.joined == (fate in ("lost", "corrupt"))


def test_a_place_in_the_queue_is_waited_for_where_that_is_asked() -> None:
    with stub(saying(QUEUED, CREATED, DONE.to_json())) as url:
        assert played(plan(url, streams=1, wait=True)).whole == 1
    with stub(saying(QUEUED, then_close=False)) as url:
        report = played(plan(url, streams=1, wait=True))
    assert (report.joined, report.refused) == (0, 1)
    assert "no place became free" in next(iter(report.reasons))


def test_a_frame_in_fragments_is_put_together() -> None:
    def handle(connection: ServerConnection) -> None:
        connection.recv()
        connection.send([CREATED[:9], CREATED[9:]])
        connection.send(DONE.to_json())

    with stub(handle) as url:
        assert played(plan(url, streams=1)).whole == 1


def test_silence_is_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOOK_S", 0.05)
    with stub(saying(CREATED, then_close=False)) as url:
        report = played(plan(url, streams=1, seconds=60.0, timeouts=IMPATIENT))
    assert report.reasons == {"lost: nothing was heard for 0.2 s": 1}


def test_who_waits_for_a_place_waits_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "LOOK_S", 0.05)
    with stub(saying(QUEUED, then_close=False)) as url:
        report = played(plan(url, streams=1, seconds=0.6, wait=True, timeouts=IMPATIENT))
    assert report.reasons == {"refused: no place became free until the end": 1}


def test_who_does_not_end_when_told_to_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(loading, "TAIL_S", 0.1)
    with stub(saying(CREATED, then_close=False)) as url:
        report = played(plan(url, streams=1))
    assert report.reasons == {"lost: it did not end within 0.1 s of session.end": 1}


@pytest.mark.parametrize(
    ("more", "told"),
    [
        ({"url": "localhost"}, "'localhost' does not begin with"),
        ({"lead_ms": 5.0}, "lead_ms"),
        ({"voices": 99}, "voices"),
        ({"frame_ms": 0.5}, "frame_ms"),
        ({"model": "../etc"}, "model"),
    ],
)
def test_what_can_not_be_asked_for_is_refused_by_name(more: dict[str, object], told: str) -> None:
    with pytest.raises(ValueError, match=told):
        LoadPlan(**{"url": "ws://a", "streams": 1, "seconds": 1.0, **more})  # type: ignore[arg-type]


def test_a_report_is_of_any_moment() -> None:
    told: list[LoadReport] = []
    with serving(slots=4) as running:
        load = Load(plan(running.url, streams=2, seconds=2.2))
        asyncio.run(load.play(told.append))
        assert eventually(lambda: not running.engine.latency.sessions)
    assert len(told) >= 2
    assert [r.samples for r in told] == sorted(r.samples for r in told)
    assert told[-1].samples <= load.report().samples
