"""Whatever becomes of the link: nothing is lost, and whoever plays is told."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager

import numpy as np
from playwright.sync_api import Browser, expect

from ostinato.clients.web import FOLDER
from ostinato.server.protocol import SessionCreated
from tests.clients.proxy import Proxy, proxied
from tests.clients.web.instrument import LOST, Handed, Instrument, opened
from tests.server.serving import Listener, Serving, eventually, serving

KEY = "a key that nobody guesses"


@contextmanager
def behind(browser: Browser, server: Serving) -> Iterator[tuple[Instrument, Proxy]]:
    """The page over a wire that can be cut."""
    with proxied(server.port) as proxy, opened(browser, proxy.url.replace("ws:", "http:"), LOST) as instrument:
        yield instrument, proxy


def whole(handed: list[Handed]) -> np.ndarray[tuple[int], np.dtype[np.int16]]:
    """Every sample once and in order, whichever socket it came by."""
    firsts = [0, *(frame.end for frame in handed)]
    assert [frame.first for frame in handed] == firsts[:-1]
    return np.concatenate([frame.pcm for frame in handed])


def test_a_cut_link_is_carried_on_to_the_byte(browser: Browser) -> None:
    with serving(page=FOLDER) as server, behind(browser, server) as (instrument, proxy):
        instrument.tap()
        instrument.until("playing live")
        instrument.page.keyboard.down("a")
        for _ in range(2):
            before = instrument.hear(instrument.received + 22_050)["received"]
            proxy.break_()
            after = instrument.hear(before + 22_050)
        assert after["discontinuities"] == 0
        server.engine.drain(0.1)
        done = instrument.done()
        handed = instrument.handed()
        sockets = sum(frame.sequence == 0 for frame in handed)
        assert sockets == 3
        pcm = whole(handed)
        assert (len(pcm), hashlib.sha256(pcm.tobytes()).hexdigest()) == (done["samples"], done["sha256"])
        proxy.cut()


def test_a_note_let_go_while_the_link_is_lost_does_not_hang(browser: Browser, stage: Serving) -> None:
    with behind(browser, stage) as (instrument, proxy):
        instrument.tap()
        instrument.page.keyboard.down("a")
        instrument.hear(22_050)
        port = stage.port
        proxy.to(1)  # where nobody listens
        proxy.break_()
        instrument.until("link lost")
        instrument.page.keyboard.up("a")
        proxy.to(port)
        instrument.until("playing live")
        instrument.hear(instrument.received + 44_100)
        assert not instrument.handed()[-1].pcm.any()


def test_a_half_open_link_is_found_out_and_carried_on(browser: Browser, stage: Serving) -> None:
    with behind(browser, stage) as (instrument, proxy):
        instrument.page.keyboard.down("a")
        before = instrument.hear(22_050)["received"]
        proxy.freeze()
        after = instrument.hear(before + 22_050)
        assert after["discontinuities"] == 0


def test_a_server_that_began_anew_is_played_anew_and_what_is_held_sounds_again(browser: Browser) -> None:
    with serving(page=FOLDER) as first, behind(browser, first) as (instrument, proxy):
        instrument.page.keyboard.down("a")
        instrument.hear(44_100)
        with serving(page=FOLDER) as second:
            proxy.to(second.port)
            proxy.break_()
            assert eventually(lambda: second.engine.latency.sessions)
            instrument.until("playing live")
            instrument.hear(22_050)
            assert abs(instrument.sound()).max() > 0
            expect(instrument.key(60)).to_have_attribute("aria-pressed", "true")
            proxy.cut()


def test_it_says_that_the_link_is_lost_and_what_it_does_about_it(browser: Browser) -> None:
    with serving(page=FOLDER) as server, behind(browser, server) as (instrument, proxy):
        instrument.until("playing live")
        proxy.cut()
        assert "coming back to where the music stopped" in instrument.until_told("The link is lost")
        assert instrument.lamp == "link lost"


def test_a_full_server_is_told_as_full_and_tried_again(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with opened(browser, server.url) as instrument:
            assert "Trying again in" in instrument.until_told("The server is full")
            assert instrument.lamp == "full"
            other.socket.close()
            assert server.settled()
            instrument.page.click("text=Try now")
            instrument.until("playing live")
            instrument.until_quiet()


def test_who_waits_is_told_the_place_in_the_line(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4, queue=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with opened(browser, server.url) as instrument:
            instrument.until_told("You are number 1 in line")
            assert instrument.lamp == "in line"
            other.socket.close()
            instrument.until("playing live")


def test_what_is_steered_in_the_line_holds_once_there_is_room(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4, queue=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with opened(browser, server.url) as instrument:
            instrument.until_told("You are number 1 in line")
            bend = instrument.page.locator("[name=bend]")
            bend.evaluate("bend => { bend.value = -100; bend.dispatchEvent(new Event('input')); }")
            assert instrument.notes() == []
            other.socket.close()
            instrument.until("playing live")
            instrument.page.keyboard.down("a")
            assert instrument.notes() == [("on", 60)]
            asked, *told = [m for m in instrument.said if m["type"] in ("session.start", "control.update", "note.on")]
            assert asked["controls"]["bend"] == 0
            assert told[0]["params"]["bend"] == -100  # before the note


def test_a_server_that_stops_tells_when_and_then_that_it_is_gone(browser: Browser) -> None:
    with serving(page=FOLDER) as server, opened(browser, server.url) as instrument:
        instrument.until("playing live")
        server.engine.drain(1.5)
        assert "the music goes on until then" in instrument.until_told("The server will stop in 2 s")
        instrument.until_told("The server is about to stop")
        assert instrument.lamp == "full"


def test_a_key_is_asked_for_and_kept_nowhere(browser: Browser) -> None:
    unauthorised = "status of 401"  # which Chromium puts on the console
    with (
        serving(page=FOLDER, api_key=KEY) as server,
        opened(browser, server.url, unauthorised) as instrument,
    ):
        page = instrument.page
        expect(page.locator("#lock-why")).to_contain_text("a key is needed")
        page.get_by_label("Key", exact=True).fill("a wrong key, long enough")
        page.keyboard.press("Enter")
        expect(page.locator("#lock-why")).to_contain_text("the key is not right")
        page.get_by_label("Key", exact=True).fill(KEY)
        page.click("text=Unlock")
        instrument.until("playing live")
        expect(page.locator("#lock")).to_be_hidden()
        kept = page.evaluate("() => [localStorage.length, sessionStorage.length, document.cookie, location.href]")
        assert kept == [0, 0, "", f"{server.url}/"]
        assert page.locator("#key").input_value() == ""
