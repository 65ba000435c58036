"""The instrument, played in a real browser."""

from __future__ import annotations

import pytest
from playwright.sync_api import Browser, Playwright, expect

from ostinato.clients.web import FOLDER
from ostinato.server.protocol import SessionCreated
from tests.clients.proxy import proxied
from tests.clients.web.browser import Instrument, chromium, pitch_of
from tests.server.serving import Listener, Serving, serving

TEN_SECONDS = 441_000
KEY = "a key that nobody guesses"


def test_ten_seconds_of_four_voices_arrive_whole_and_in_order(browser: Browser, stage: Serving) -> None:
    with Instrument.open(browser, stage.url) as instrument:
        for letter in "adgk":
            instrument.page.keyboard.down(letter)
        counted = instrument.hear(TEN_SECONDS)
        assert counted["discontinuities"] == 0
        assert counted["trimmed"] == 0
        assert instrument.page.inner_text("[data-figure=streams]") == "4"
        assert float(instrument.page.inner_text("[data-figure=rtf]")) > 0
        assert instrument.faults == []


@pytest.mark.parametrize(("letter", "note"), [("a", 60), ("h", 69), ("k", 72)])
def test_the_pitch_heard_is_the_pitch_pressed(browser: Browser, stage: Serving, letter: str, note: int) -> None:
    with Instrument.open(browser, stage.url) as instrument:
        instrument.page.keyboard.down(letter)
        instrument.hear(22_050)
        instrument.page.wait_for_timeout(400)
        assert pitch_of(instrument.sound()) == note
        instrument.page.keyboard.up(letter)


def test_a_key_let_go_falls_silent(browser: Browser, stage: Serving) -> None:
    with Instrument.open(browser, stage.url) as instrument:
        instrument.page.keyboard.press("a", delay=700)
        instrument.page.wait_for_timeout(1500)
        assert abs(instrument.sound()).max() == 0
        assert instrument.page.get_attribute('[data-note="60"]', "aria-pressed") == "false"


def test_a_cut_link_is_taken_up_without_a_gap_in_samples(browser: Browser, stage: Serving) -> None:
    with proxied(stage.port) as proxy, Instrument.open(browser, proxy.url.replace("ws", "http")) as instrument:
        instrument.page.keyboard.down("a")
        before = instrument.hear(44_100)["received"]
        proxy.break_()
        after = instrument.hear(before + 88_200)
        assert after["discontinuities"] == 0
        instrument.until("playing live")
        assert pitch_of(instrument.sound()) == 60
        assert all("WebSocket" in fault for fault in instrument.faults), instrument.faults


def test_it_says_that_the_link_is_lost_while_it_is(browser: Browser) -> None:
    with (
        serving(page=FOLDER) as server,
        proxied(server.port) as proxy,
        Instrument.open(browser, proxy.url.replace("ws", "http")) as instrument,
    ):
        instrument.until("playing live")
        proxy.cut()
        assert "coming back to where the music stopped" in instrument.until_told("The link is lost")
        assert instrument.lamp == "link lost"


def test_where_a_browser_keeps_sound_off_it_asks_for_a_click(playwright: Playwright, stage: Serving) -> None:
    with (
        chromium(playwright, autoplay=False) as strict,
        Instrument.open(strict, stage.url, untouched=True) as instrument,
    ):
        assert "browsers start it only when you ask" in instrument.until_told("Sound is off")
        assert instrument.counted() == {}
        instrument.page.click("text=Start the sound")
        instrument.until("playing live")
        instrument.page.keyboard.down("a")
        assert instrument.hear(4410)["discontinuities"] == 0
        assert instrument.notice == ""


def test_a_full_server_is_told_as_full_and_tried_again(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with Instrument.open(browser, server.url) as instrument:
            assert "Trying again in" in instrument.until_told("The server is full")
            assert instrument.lamp == "full"
            other.socket.close()
            instrument.page.click("text=Try now")
            instrument.until("playing live")


def test_who_waits_is_told_the_place_in_the_line(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4, queue=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with Instrument.open(browser, server.url) as instrument:
            instrument.until_told("You are number 1 in line")
            other.socket.close()
            instrument.until("playing live")


def test_a_server_that_stops_tells_when(browser: Browser) -> None:
    with serving(page=FOLDER) as server, Instrument.open(browser, server.url) as instrument:
        instrument.until("playing live")
        server.engine.drain(30.0)
        instrument.until_told("The server will stop in")


def test_a_key_is_asked_for_and_kept_nowhere(browser: Browser) -> None:
    with serving(page=FOLDER, api_key=KEY) as server, Instrument.open(browser, server.url) as instrument:
        page = instrument.page
        expect(page.locator("#lock")).to_be_visible()
        page.fill("#key", "a wrong key, long enough")
        page.click("text=Unlock")
        expect(page.locator("#lock-why")).to_contain_text("the key is not right")
        page.fill("#key", KEY)
        page.click("text=Unlock")
        instrument.until("playing live")
        expect(page.locator("#lock")).to_be_hidden()
        kept = page.evaluate("[localStorage.length, sessionStorage.length, document.cookie, location.href]")
        assert kept == [0, 0, "", f"{server.url}/"]


def test_an_instrument_and_a_temperature_are_steered_while_it_plays(browser: Browser, stage: Serving) -> None:
    with Instrument.open(browser, stage.url) as instrument:
        page = instrument.page
        instrument.until("playing live")
        page.click("text=cello")
        page.locator("[name=temperature]").fill("0.3")
        expect(page.locator("[name=temperature]")).to_have_attribute("aria-valuetext", "0.30")
        page.keyboard.press("z")
        assert page.inner_text("#octave") == "C 3"
        page.keyboard.down("a")
        instrument.hear(44_100)
        page.wait_for_timeout(300)
        assert pitch_of(instrument.sound()) == 48
        assert instrument.faults == []
