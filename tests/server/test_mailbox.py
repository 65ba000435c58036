"""What leaves a paced connection and when, by a clock that the test tells."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.departures import Departures
from ostinato.server.mailbox import OUTBOX, Audio, Close, Mailbox, Outgoing
from ostinato.server.protocol import AudioDone, CloseCode, ControlApplied, Pong, ProtocolError, Stats

DONE = AudioDone(samples=0, sha256="", reason="ended")
STATS = Stats(lead_ms=0.0, underruns=0, voices=0, batch=0, budget_us=22.676)
CLOSE = Close(CloseCode.GOING_AWAY)


def audio(at: float) -> Audio:
    return Audio(b"", 0, at)


def paced(play: Callable[[Mailbox], None]) -> None:
    """Have a paced mailbox; nothing ticks but by `depart`."""

    async def on_a_loop() -> None:
        mailbox = Mailbox(lambda: None)
        mailbox.keep_to(Departures())
        play(mailbox)

    asyncio.run(on_a_loop())


def left(mailbox: Mailbox, now: float) -> list[Outgoing]:
    """What leaves at a point."""
    mailbox.depart(now)
    return [mailbox._leaving.popleft() for _ in range(len(mailbox._leaving))]


items = st.lists(st.one_of(st.integers(0, 40), st.sampled_from(["place", "none"])), max_size=40)


@given(items, st.integers(1, 7))
def test_the_stream_keeps_its_order_and_its_times_and_an_answer_waits_for_one_block_at_most(
    put: list[int | str], points: int
) -> None:
    def play(mailbox: Mailbox) -> None:
        due, everything, heard = 0, list[Outgoing](), list[tuple[int, Outgoing]]()
        for i, kind in enumerate(put):
            if isinstance(kind, int):
                due += kind  # dues never go back
                everything.append(audio(due))
            else:
                everything.append(ControlApplied(event_id=str(i), sample=i) if kind == "place" else Pong(id=str(i)))
        waiting = deque(everything)
        for now in range(max(due, len(put)) + 2):
            for _ in range(min(points, len(waiting))):
                mailbox.put(waiting.popleft())
            before = len(heard)
            heard += [(now, item) for item in left(mailbox, now)]
            if any(isinstance(item, Audio) for _, item in heard[before:]):
                assert all(isinstance(item, Pong) is False for item in mailbox._held)
        assert [i for _, i in heard if not isinstance(i, Pong)] == [i for i in everything if not isinstance(i, Pong)]
        assert sorted(i.id or "" for _, i in heard if isinstance(i, Pong)) == sorted(
            i.id or "" for i in everything if isinstance(i, Pong)
        )
        assert all(item.ready_at <= now for now, item in heard if isinstance(item, Audio))

    paced(play)


def test_an_answer_leaves_with_the_next_block_that_is_due_whatever_is_held_after_it() -> None:
    def play(mailbox: Mailbox) -> None:
        mailbox.put(*(audio(at) for at in (1.0, 2.0, 3.0)), Pong(id="a"))
        assert left(mailbox, 0.5) == []
        assert left(mailbox, 1.0) == [Pong(id="a"), audio(1.0)]
        mailbox.put(STATS, DONE, Close(CloseCode.DONE))
        assert left(mailbox, 1.5) == []
        assert left(mailbox, 9.0) == [STATS, audio(2.0), audio(3.0), DONE, Close(CloseCode.DONE)]
        mailbox.put(Pong(id="b"))
        assert left(mailbox, 9.0) == [Pong(id="b")]

    paced(play)


@pytest.mark.parametrize("held", [OUTBOX - 1, 4 * OUTBOX])
def test_audio_that_is_not_due_does_not_keep_the_listener_from_being_heard(held: int) -> None:
    def play(mailbox: Mailbox) -> None:
        mailbox.put(*[audio(1.0)] * held)
        left(mailbox, 0.0)
        full = [mailbox.full]
        mailbox.put(*[ControlApplied(event_id="e", sample=0)] * OUTBOX)
        left(mailbox, 0.0)
        full.append(mailbox.full)  # answers are bounded
        assert len(left(mailbox, 1.0)) == held + OUTBOX
        full.append(mailbox.full)
        mailbox.put(*[audio(1.0)] * OUTBOX)
        mailbox.depart(1.0)
        full.append(mailbox.full)  # and so is what the socket does not take
        assert full == [False, True, False, True]

    paced(play)


def test_nothing_is_held_back_from_a_listener_that_is_told_of_the_end() -> None:
    def play(mailbox: Mailbox) -> None:
        mailbox.put(audio(5.0), Pong(), audio(6.0))
        assert left(mailbox, 0.0) == []
        mailbox.refuse(ProtocolError("internal", "it broke", close=CloseCode.INTERNAL))
        *before, error, close = left(mailbox, 0.0)
        assert before == [Pong(), audio(5.0), audio(6.0)]
        assert (type(error).__name__, close) == ("Error", Close(CloseCode.INTERNAL, "internal"))
        mailbox.put(audio(7.0))
        assert left(mailbox, 0.0) == [audio(7.0)]

    paced(play)


def test_nothing_but_the_close_follows_a_cut_in_the_middle_of_a_departure() -> None:
    def play(mailbox: Mailbox) -> None:
        class CutMeanwhile(deque[Outgoing]):
            def popleft(self) -> Outgoing:
                item = super().popleft()
                if isinstance(item, Audio):
                    mailbox.cut_short(CLOSE)  # as the engine does on its own thread
                return item

        mailbox._outbox = CutMeanwhile()
        mailbox.put(audio(0.0), audio(0.0), audio(9.0), Pong())
        assert left(mailbox, 1.0) == [CLOSE]

    paced(play)
