"""Where a browser lets no page sound before it is touched."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, expect

from tests.clients.web.chromium import chromium
from tests.clients.web.instrument import opened, settled_pitch
from tests.server.serving import Serving

CENTS_20 = 0.2  # semitones


@pytest.fixture(scope="module")
def strict() -> Iterator[Browser]:
    with chromium(unasked=False) as found:
        yield found


def test_it_asks_for_a_click_and_opens_no_session_before(strict: Browser, stage: Serving) -> None:
    with opened(strict, stage.url, untouched=True) as instrument:
        assert "browsers start it only when you ask" in instrument.until_told("Sound is off")
        assert instrument.lamp == "off"
        assert instrument.counted() == {}
        assert not stage.engine.latency.sessions
        instrument.page.click("text=Start the sound")
        instrument.until("playing live")
        instrument.until_quiet()
        instrument.page.keyboard.down("a")
        assert instrument.hear(22_050)["discontinuities"] == 0


def test_the_first_key_starts_the_sound_and_is_heard(strict: Browser, stage: Serving) -> None:
    with opened(strict, stage.url, untouched=True) as instrument:
        instrument.until_told("Sound is off")
        instrument.key(64).click(delay=1500, position={"x": 10, "y": 150})
        instrument.until("playing live")
        assert instrument.hear(22_050)["discontinuities"] == 0
        instrument.until_quiet()


def test_what_was_steered_before_the_session_began_holds_in_it(strict: Browser, stage: Serving) -> None:
    with opened(strict, stage.url, untouched=True) as instrument:
        instrument.until_told("Sound is off")
        bend = instrument.page.locator("[name=bend]")
        bend.evaluate("bend => { bend.value = -100; bend.dispatchEvent(new Event('input')); }")
        expect(bend).to_have_attribute("aria-valuetext", "-100 cents")
        instrument.page.keyboard.down("h")
        assert settled_pitch(instrument) == pytest.approx(68, abs=CENTS_20)
