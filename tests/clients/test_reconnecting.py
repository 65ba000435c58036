"""A client whose connection is lost comes back by itself, and hears what it would have heard."""

from __future__ import annotations

import asyncio
import hashlib
import socket
import threading
import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ostinato.clients import (
    AudioFormat,
    LostError,
    SessionStart,
    SilentError,
    Stream,
    StreamError,
    Timeouts,
    connect,
    connect_async,
)
from ostinato.clients.connection import bound_sending
from ostinato.server.protocol import (
    ControlApplied,
    ControlUpdate,
    Encoding,
    Event,
    NoteOff,
    NoteOn,
    QueueUpdate,
    ServerDraining,
    ServerMessage,
    SessionCreated,
)
from tests.clients.proxy import BUFFER, Proxy, proxied
from tests.server.processes import process
from tests.server.serving import Listener, Serving, eventually, serving

RATE = 44_100
PATIENT = Timeouts(open_s=5.0, silence_s=5.0, close_s=1.0, reconnect_s=20.0)
QUICK = Timeouts(open_s=1.0, silence_s=0.6, close_s=0.5, reconnect_s=0.5)
START = SessionStart(model="tiny", voices=3, seed=7, lead_ms=100.0, duration_s=1.2)
MELODY: tuple[Event, ...] = (
    NoteOn(event_id="a", note=60, voice_id="a", at_sample=0),
    NoteOn(event_id="b", note=67, voice_id="b", at_sample=5000),
    ControlUpdate(event_id="c", params={"bend": 80.0, "gain": -6.0}, ramp_ms=200, at_sample=7000),
    NoteOff(event_id="d", voice_id="a", at_sample=12_000),
    NoteOn(event_id="e", note=72, at_sample=13_000),
    NoteOn(event_id="f", note=75, at_sample=30_000),  # steals
)


@pytest.fixture(scope="module")
def running() -> Iterator[Serving]:
    with serving() as server:
        yield server


@pytest.fixture
def proxy(running: Serving) -> Iterator[Proxy]:
    with proxied(running.port) as wire:
        yield wire


@pytest.fixture(scope="module")
def uninterrupted(running: Serving) -> str:
    with connect(running.url, START.model_copy(update={"mode": "fast"})) as stream:
        stream.perform(MELODY)
        return hashlib.sha256(b"".join(block.pcm for block in stream)).hexdigest()


def heard_out(stream: Stream, proxy: Proxy, breaks: list[int]) -> str:
    """The hash of all that comes, where the wire breaks once so many samples have."""
    whole, left = hashlib.sha256(), list(breaks)
    for block in stream:
        whole.update(block.pcm)
        if left and stream.report.samples >= left[0]:
            left.pop(0)
            proxy.break_()
    return whole.hexdigest()


@pytest.mark.parametrize("mode", ["live", "fast"])
@pytest.mark.parametrize("breaks", [[1], [12_000], [3000, 20_000, 40_000]])
def test_the_joined_audio_is_that_of_an_uninterrupted_run(
    proxy: Proxy, uninterrupted: str, mode: str, breaks: list[int]
) -> None:
    lost: list[StreamError] = []
    start = START.model_copy(update={"mode": mode})
    with connect(proxy.url, start, on_loss=lost.append, timeouts=PATIENT) as stream:
        stream.perform(MELODY)
        assert heard_out(stream, proxy, breaks) == uninterrupted
    assert stream.done is not None
    assert stream.done.sha256 == uninterrupted
    assert stream.report.reconnects >= 1
    assert [str(why) for why in lost] == ["the connection broke"] * len(lost)
    assert stream.report.errors == stream.report.warnings == []


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(0, 52_000), max_size=6), st.sampled_from(["pcm_s16le", "pcm_f32le"]))
def test_wherever_the_wire_breaks_nothing_is_lost_and_nothing_comes_twice(
    running: Serving, breaks: list[int], encoding: Encoding
) -> None:
    start = START.model_copy(update={"mode": "fast", "format": AudioFormat(encoding=encoding)})
    with connect(running.url, start) as stream:
        stream.perform(MELODY)
        whole = hashlib.sha256(b"".join(block.pcm for block in stream)).hexdigest()
    with proxied(running.port) as proxy, connect(proxy.url, start, timeouts=PATIENT) as stream:
        stream.perform(MELODY)
        assert heard_out(stream, proxy, sorted(breaks)) == whole
        assert stream.report.errors == stream.report.warnings == []


def test_the_async_client_comes_back_too(proxy: Proxy, uninterrupted: str) -> None:
    async def play() -> tuple[str, int]:
        whole, broken = hashlib.sha256(), False
        async with await connect_async(proxy.url, START, timeouts=PATIENT) as stream:
            await stream.perform(MELODY)
            async for block in stream:
                whole.update(block.pcm)
                if not broken and stream.report.samples > 9000:
                    broken = True
                    proxy.break_()
            return whole.hexdigest(), stream.report.reconnects

    assert asyncio.run(play()) == (uninterrupted, 1)


def test_a_connection_that_is_half_open_is_given_up_and_taken_over(proxy: Proxy, uninterrupted: str) -> None:
    whole, frozen = hashlib.sha256(), False
    lost: list[StreamError] = []
    timeouts = Timeouts(open_s=5.0, silence_s=0.6, close_s=1.0)
    with connect(proxy.url, START, on_loss=lost.append, timeouts=timeouts) as stream:
        stream.perform(MELODY)
        for block in stream:
            whole.update(block.pcm)
            if not frozen and stream.report.samples > 12_000:
                frozen = True
                proxy.freeze()
    assert whole.hexdigest() == uninterrupted
    assert [str(why) for why in lost] == ["nothing was heard for 0.6 s"]


def test_a_server_that_takes_nothing_more_is_given_up_by_who_speaks(proxy: Proxy) -> None:
    timeouts = Timeouts(silence_s=0.6, reconnect_s=0.0)
    with connect(proxy.url, SessionStart(model="tiny", seed=1), timeouts=timeouts) as stream:
        stream._socket.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
        proxy.clog()
        overdue = threading.Timer(20.0, proxy.break_)  # who waits for ever is told something else
        overdue.start()
        with pytest.raises(SilentError, match=r"0\.6 s"):
            speak_while(overdue.is_alive, stream)
        overdue.cancel()


def test_a_socket_that_was_closed_before_it_could_be_bounded_is_left_to_be_read() -> None:
    closed = socket.socket()
    closed.close()
    bound_sending(closed, 1.0)


def speak_while(condition: Callable[[], bool], stream: Stream) -> None:
    while condition():
        stream.control({"gain": -6.0})


def test_what_several_tasks_say_is_heard_in_the_order_in_which_they_said_it(proxy: Proxy) -> None:
    applied: list[str] = []

    def hear(message: ServerMessage) -> None:
        if isinstance(message, ControlApplied):
            applied.append(message.event_id)

    async def play() -> list[str]:
        start = SessionStart(model="tiny", seed=1)
        async with await connect_async(proxy.url, start, heard=hear, timeouts=PATIENT) as stream:
            stream._socket.transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER)
            proxy.clog()
            said = [stream._conversation.control({"gain": -6.0}) for _ in range(4000)]
            said.append(stream._conversation.note_on(60, voice_id="a"))
            first = asyncio.create_task(stream._flush())
            await asyncio.sleep(0.2)
            assert not first.done(), "the sockets took everything"
            second = asyncio.create_task(stream.note_off(voice_id="a"))
            await asyncio.sleep(0.2)
            proxy.unclog()
            await first
            said.append(await second)
            await stream.end()
            async for _ in stream:
                pass
            return said

    assert asyncio.run(play()) == applied


def test_a_session_that_is_silent_but_alive_is_not_taken_for_lost(proxy: Proxy) -> None:
    lost: list[StreamError] = []
    timeouts = Timeouts(silence_s=0.3)
    with connect(proxy.url, SessionStart(model="tiny", seed=1), on_loss=lost.append, timeouts=timeouts) as stream:
        threading.Timer(1.5, stream.end).start()
        assert list(stream) == []
    assert lost == []


def test_notes_played_by_hand_while_the_connection_is_gone_are_heard_after_it(proxy: Proxy) -> None:
    start = SessionStart(model="tiny", seed=3, voices=2, lead_ms=50.0)
    with connect(proxy.url, start, timeouts=PATIENT) as stream:
        stream.note_on(60)
        blocks = iter(stream)
        while stream.report.samples < 4000:
            next(blocks)
        proxy.break_()
        for note in (64, 67):  # the first may go the way of the broken connection
            stream.note_on(note)
            time.sleep(0.05)
        while stream.report.reconnects == 0:
            next(blocks)
        stream.note_off(60)
        stream.end()
        list(blocks)
    assert stream.report.reconnects == 1
    assert stream.report.errors == []
    assert stream._conversation._unanswered == {}


def test_a_server_that_was_started_anew_is_told_of_in_a_sentence(proxy: Proxy) -> None:
    with serving() as other, connect(proxy.url, START, timeouts=PATIENT) as stream:
        stream.perform(MELODY)
        proxy.to(other.port)
        with pytest.raises(LostError, match=r"broke, and the session is not carried on: resume\.token"):
            heard_out(stream, proxy, [3000])


def test_a_server_that_died_is_not_looked_for_without_end() -> None:
    with process() as server, connect(server.url, START, timeouts=QUICK) as stream:
        stream.perform(MELODY)
        next(iter(stream))
        server.process.kill()
        with pytest.raises(LostError, match=r"no way back was found within 0\.5 s: .*ostinato serve"):
            list(stream)


def test_where_no_way_back_is_wanted_the_loss_is_told_at_once(proxy: Proxy) -> None:
    with connect(proxy.url, START, timeouts=Timeouts(reconnect_s=0.0)) as stream:
        stream.perform(MELODY)
        with pytest.raises(LostError, match=r"the connection broke$"):
            heard_out(stream, proxy, [3000])


def test_who_waits_in_line_and_loses_the_connection_waits_again() -> None:
    with serving(slots=3, queue=4) as server, proxied(server.port) as proxy, Listener(server) as full:
        full.start(voices=3).hear_until(SessionCreated)
        places: list[int] = []

        def hear(message: ServerMessage) -> None:
            if isinstance(message, QueueUpdate):
                places.append(message.position)
                if len(places) == 1:
                    proxy.break_()
                else:
                    full.socket.close()

        with connect(proxy.url, START, heard=hear, timeouts=PATIENT) as stream:
            assert places == [1, 1]
            assert stream.created.model == "tiny"


def test_a_server_that_drains_says_so_and_plays_to_the_end(uninterrupted: str) -> None:
    with process(OSTINATO_DRAIN_S="20") as server:
        told: list[ServerDraining] = []

        def hear(message: ServerMessage) -> None:
            if isinstance(message, ServerDraining):
                told.append(message)

        with connect(server.url, START, heard=hear, timeouts=PATIENT) as stream:
            stream.perform(MELODY)
            whole = hashlib.sha256()
            for block in stream:
                if block.first_sample == 0:
                    server.process.terminate()
                whole.update(block.pcm)
        assert len(told) == 1
        assert whole.hexdigest() == uninterrupted


def test_hanging_up_from_another_thread_ends_the_search_for_a_way_back(proxy: Proxy) -> None:
    with connect(proxy.url, START, timeouts=PATIENT) as stream:
        stream.perform(MELODY)
        next(iter(stream))
        proxy.cut()
        threading.Timer(0.3, stream.close).start()
        with pytest.raises(LostError, match="hung up"):
            list(stream)


def test_hanging_up_while_a_way_back_is_opened_ends_the_session_too(proxy: Proxy, running: Serving) -> None:
    with connect(proxy.url, START, timeouts=PATIENT) as stream:
        stream.perform(MELODY)
        blocks = iter(stream)
        next(blocks)
        proxy.hold()  # the server's answer to whoever comes back
        proxy.break_()
        hanging_up = threading.Thread(target=hang_up_once_dialled, args=(proxy, stream.close))
        hanging_up.start()
        with pytest.raises(LostError, match="hung up"):
            list(blocks)
        hanging_up.join()
    assert eventually(lambda: not running.engine._sessions)


def test_so_does_hanging_up_the_async_client(proxy: Proxy, running: Serving) -> None:
    async def play() -> None:
        stream = await connect_async(proxy.url, START, timeouts=PATIENT)
        await stream.perform(MELODY)
        blocks, loop = aiter(stream), asyncio.get_running_loop()
        await anext(blocks)
        proxy.hold()
        proxy.break_()
        hang_up = lambda: asyncio.run_coroutine_threadsafe(stream.close(), loop).result()  # noqa: E731
        hanging_up = asyncio.create_task(asyncio.to_thread(hang_up_once_dialled, proxy, hang_up))
        with pytest.raises(LostError, match="hung up"):
            async for _ in blocks:
                pass
        await hanging_up

    asyncio.run(play())
    assert eventually(lambda: not running.engine._sessions)


def hang_up_once_dialled(proxy: Proxy, hang_up: Callable[[], None]) -> None:
    """Hang up between the call of whoever comes back and its answer."""
    assert eventually(lambda: proxy.dialled == 2)
    hang_up()
    proxy.flow()


def test_its_session_ends_at_once_where_a_client_hangs_up() -> None:
    with serving() as server:
        with connect(server.url, START) as stream:
            stream.perform(MELODY)
            next(iter(stream))
        assert eventually(lambda: not server.engine._sessions and not len(server.engine._attendance._kept))
