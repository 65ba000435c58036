"""Who waits for room, in which order they are let in, and what they are told."""

from __future__ import annotations

import threading
from contextlib import ExitStack
from typing import Any

import httpx
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.mailbox import Opening
from ostinato.server.protocol import Error, NoteOn, QueueUpdate, Resume, SessionCreated, SessionEnd, SessionStart
from ostinato.server.waiting import WaitingLine
from tests.server.serving import Listener, Serving, eventually, serving, whole


def full(server: Serving, open_: ExitStack, **fields: Any) -> Listener:  # noqa: ANN401
    """Somebody who takes every slot."""
    listener = open_.enter_context(Listener(server))
    listener.start(voices=server.engine._config.sampler.slots, mode="fast", **fields).hear_until(SessionCreated)
    return listener


def waiting(server: Serving, count: int) -> bool:
    return eventually(lambda: server.engine._attendance.waiting == count)


def test_who_waits_is_told_the_position_and_let_in_in_turn() -> None:
    with serving(queue=4) as server, ExitStack() as open_:
        first = full(server, open_)
        later = [open_.enter_context(Listener(server)).start(voices=32, mode="fast") for _ in range(2)]
        for position, listener in enumerate(later, start=1):
            assert waiting(server, 2)
            assert listener.hear_until(QueueUpdate).position == position
        first.say(SessionEnd())
        first.hear_out()
        later[0].hear_until(SessionCreated)
        while later[1].hear_until(QueueUpdate).position != 1:
            pass
        later[0].say(SessionEnd())
        later[0].hear_out()
        later[1].hear_until(SessionCreated)
        assert later[1].heard.all(QueueUpdate)[-1].eta_s is None or later[1].heard.all(QueueUpdate)[-1].eta_s


def test_what_is_said_while_waiting_is_played_afterwards() -> None:
    with serving(queue=1) as server, ExitStack() as open_:
        first = full(server, open_)
        with Listener(server).start(mode="fast") as second:
            second.say(NoteOn(event_id="on", note=60), SessionEnd())
            second.hear_until(QueueUpdate)
            first.say(SessionEnd())
            first.hear_out()
            assert whole(second.hear_out()).samples > 0


def test_who_goes_away_waits_no_more() -> None:
    with serving(queue=4) as server, ExitStack() as open_:
        full(server, open_)
        with Listener(server).start(mode="fast") as second:
            second.hear_until(QueueUpdate)
            assert waiting(server, 1)
        assert waiting(server, 0)


def test_beyond_the_line_and_beyond_patience_the_answer_is_no() -> None:
    with serving(queue=1, queue_s=0.3) as server, ExitStack() as open_:
        full(server, open_)
        with Listener(server).start(mode="fast") as second, Listener(server) as third:
            second.hear_until(QueueUpdate)
            assert third.start(mode="fast").hear_out().close_code == 1013
            heard = second.hear_out()
            assert heard.close_code == 1013
            assert heard.one(Error).retry_after_s


def test_one_who_wants_something_else_need_not_wait() -> None:
    with serving(queue=4, models=("tiny", "r16"), slots=4) as server, ExitStack() as open_:
        full(server, open_)
        with Listener(server).start(mode="fast") as second, Listener(server) as third:
            second.hear_until(QueueUpdate)
            third.start(model="r16", mode="fast").hear_until(SessionCreated)


def test_a_request_waits_for_its_sound_too() -> None:
    body = {"notes": [{"note": 60, "duration_s": 0.1}], "format": "pcm"}
    answers: list[httpx.Response] = []
    with serving(queue=4) as server, ExitStack() as open_:
        first = full(server, open_)
        address = f"{server.url}/v1/audio/synthesize"
        asking = threading.Thread(target=lambda: answers.append(httpx.post(address, json=body)))
        asking.start()
        assert waiting(server, 1)
        first.say(SessionEnd())
        first.hear_out()
        asking.join()
        assert answers[0].status_code == 200
        first = full(server, open_)
        try:
            httpx.post(address, json=body, timeout=0.1)
        except httpx.ReadTimeout:
            assert waiting(server, 0)


class Silent:
    """A mailbox that nobody reads."""

    def __init__(self) -> None:
        self.hung_up = False
        self.told: list[QueueUpdate] = []

    def put(self, update: QueueUpdate) -> None:
        self.told.append(update)


def opening(number: int, *, back: bool, mode: str) -> Opening:
    resume = Resume(token="t", next_sample=0) if back else None
    start = SessionStart(model="m", mode=mode, resume=resume)  # type: ignore[arg-type]
    return Opening(str(number), start, Silent(), 0.0)  # type: ignore[arg-type]


@given(
    st.lists(st.tuples(st.booleans(), st.sampled_from(["live", "fast"])), max_size=12),
    st.lists(st.integers(0, 3), max_size=12),
)
def test_who_comes_back_goes_first_and_nobody_overtakes_one_who_wants_the_same(
    arrivals: list[tuple[bool, str]], rooms: list[int]
) -> None:
    line = WaitingLine(100, 60.0)
    for number, (back, mode) in enumerate(arrivals):
        line.join(opening(number, back=back, mode=mode), 0.0)
    let_in: list[Opening] = []
    for room in rooms:
        free = {"live": room, "fast": room // 2}

        def try_one(who: Opening, free: dict[str, int] = free) -> bool:
            if not free[who.start.mode]:
                return False
            free[who.start.mode] -= 1
            let_in.append(who)
            return True

        line.let_in(try_one)
        line.tell(0.0)
        for position, place in enumerate(line, start=1):
            assert place.opening.mailbox.told[-1].position == position  # type: ignore[attr-defined]
    for mode in ("live", "fast"):
        inside = [(o.start.resume is None, int(o.session_id)) for o in let_in if o.start.mode == mode]
        assert inside == sorted(inside)
    assert len(let_in) + len(line) == len(arrivals)


def test_the_estimate_follows_how_often_sessions_leave() -> None:
    line = WaitingLine(10, 60.0)
    assert line.eta_s(3) is None
    for at in (0.0, 2.0, 4.0, 6.0):
        line.departed(at)
    assert line.eta_s(3) == 6.0
