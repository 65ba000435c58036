"""What is pressed is what is heard."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import Browser, expect

from tests.clients.web.instrument import opened, settled_pitch
from tests.server.serving import Serving

TEN_SECONDS = 441_000
CENTS_20 = 0.2  # semitones


def test_ten_seconds_of_four_voices_reach_the_worklet_without_a_gap(browser: Browser, stage: Serving) -> None:
    with opened(browser, stage.url) as instrument:
        for letter in "adgk":
            instrument.page.keyboard.down(letter)
        counted = instrument.hear(TEN_SECONDS)
        assert counted["discontinuities"] == 0
        instrument.page.wait_for_function("() => document.querySelector('[data-figure=streams]').innerText === '4'")
        assert float(instrument.figure("rtf")) > 0
        assert instrument.figure("p50").endswith("µs")
        assert instrument.figure("budget") == "22.676 µs"
        assert instrument.figure("ttfa").endswith("ms")


@pytest.mark.parametrize(("letter", "note"), [("a", 60), ("j", 71), ("p", 75)])
def test_the_pitch_heard_is_the_pitch_pressed(browser: Browser, stage: Serving, letter: str, note: int) -> None:
    with opened(browser, stage.url) as instrument:
        instrument.page.keyboard.down(letter)
        assert settled_pitch(instrument) == pytest.approx(note, abs=CENTS_20)


def test_a_note_let_go_falls_silent(browser: Browser, stage: Serving) -> None:
    with opened(browser, stage.url) as instrument:
        instrument.tap()
        instrument.page.keyboard.down("a")
        instrument.hear(22_050)
        instrument.page.keyboard.up("a")
        instrument.hear(instrument.received + 44_100)
        handed = instrument.handed()
        assert max(abs(handed[10].pcm)) > 100
        assert not np.concatenate([frame.pcm for frame in handed])[-4410:].any()


def test_instrument_octave_and_bend_are_heard(browser: Browser, stage: Serving) -> None:
    with opened(browser, stage.url) as instrument:
        page = instrument.page
        instrument.until("playing live")
        page.get_by_role("radio", name="cello").check(force=True)
        page.keyboard.press("z")
        expect(page.locator("#octave")).to_have_text("C 3")
        page.keyboard.down("d")
        assert settled_pitch(instrument) == pytest.approx(52, abs=CENTS_20)
        page.locator("[name=bend]").evaluate("bend => { bend.value = 200; bend.dispatchEvent(new Event('input')); }")
        expect(page.locator("[name=bend]")).to_have_attribute("aria-valuetext", "200 cents")
        assert settled_pitch(instrument) == pytest.approx(54, abs=CENTS_20)
        page.locator("[name=bend]").dispatch_event("pointerup")
        assert settled_pitch(instrument) == pytest.approx(52, abs=CENTS_20)
