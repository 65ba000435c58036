"""Whoever comes, with whatever they have: a narrow screen, a screen reader, a dark room, no liking for motion."""

from __future__ import annotations

import re
from io import BytesIO

import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from PIL import Image
from playwright.sync_api import Browser, expect

from ostinato.clients.web import FOLDER
from ostinato.server.protocol import SessionCreated
from tests.clients.web.instrument import Instrument, opened
from tests.server.serving import Listener, Serving, serving

PHONES = ((360, 740), (390, 844))  # px
FINGER = 40  # px
CONTROL = re.compile(r"^\s*- (?:button|slider|radio|combobox|textbox|img|region|group)\b(?! \")", re.MULTILINE)


@pytest.mark.parametrize("size", PHONES)
def test_it_fits_a_phone_and_the_piano_is_in_sight(browser: Browser, stage: Serving, size: tuple[int, int]) -> None:
    width, height = size
    viewport = {"width": width, "height": height}
    with opened(browser, stage.url, viewport=viewport, has_touch=True, is_mobile=True) as instrument:
        page = instrument.page
        instrument.until("playing live")
        assert page.evaluate("() => document.documentElement.scrollWidth") <= width
        assert (
            page.evaluate("() => Math.min(...[...document.querySelectorAll('.white')].map(k => k.clientWidth))")
            >= FINGER
        )
        piano = page.locator("#piano").bounding_box()
        assert piano is not None
        assert piano["y"] + 0.8 * piano["height"] < height
        instrument.key(64).tap(position={"x": 20, "y": 150})
        assert instrument.hear(4410)["discontinuities"] == 0


def test_everything_has_a_name_and_a_state_that_a_screen_reader_can_tell(browser: Browser, stage: Serving) -> None:
    with opened(browser, stage.url) as instrument:
        instrument.until("playing live")
        page = instrument.page
        told = page.locator("body").aria_snapshot()
        assert CONTROL.findall(told) == []
        for name in ("Temperature", "Bend", "Lead"):
            expect(page.get_by_role("slider", name=name)).to_have_attribute("aria-valuetext", re.compile(r"\d"))
        expect(page.get_by_role("radio", name="flute")).to_be_checked()
        expect(page.get_by_role("group", name="Piano, C 3 to C 6")).to_be_visible()
        expect(page.get_by_role("status").filter(has_text="playing live")).to_be_visible()
        expect(page.get_by_role("button", name="F sharp 4")).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_missing_that_weak_eyes_need(browser: Browser, stage: Serving, scheme: str) -> None:
    with opened(browser, stage.url, color_scheme=scheme) as instrument:
        instrument.until("playing live")
        found = Axe().run(instrument.page)
        assert found.violations_count == 0, found.generate_report()


def test_countdowns_are_seen_and_not_read_out_by_the_second(browser: Browser) -> None:
    with serving(page=FOLDER, slots=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with opened(browser, server.url) as instrument:
            instrument.until_told("Trying again in")
            expect(instrument.page.locator("#notice [role=status]")).not_to_contain_text("Trying again")


@pytest.mark.parametrize(("motion", "moving"), [("no-preference", True), ("reduce", False)])
def test_the_lamp_breathes_only_where_motion_is_liked(browser: Browser, motion: str, moving: bool) -> None:
    with serving(page=FOLDER, slots=4) as server, Listener(server) as other:
        other.start(voices=4).hear_until(SessionCreated)
        with opened(browser, server.url, reduced_motion=motion) as instrument:
            instrument.until("full")
            assert (instrument.page.evaluate("() => document.getAnimations().length") > 0) == moving


def test_it_is_dark_by_night_and_light_by_day_and_turns_while_it_is_open(browser: Browser, stage: Serving) -> None:
    with opened(browser, stage.url, color_scheme="dark") as instrument:
        instrument.until("playing live")
        dark = lightness(instrument)
        instrument.page.emulate_media(color_scheme="light")
        light = lightness(instrument)
        assert max(dark) < 60
        assert min(light) > 200


def lightness(instrument: Instrument) -> list[float]:
    """Of the page's edge, and of the spectrogram while nothing was heard yet, 0 to 255."""
    page = instrument.page
    page.wait_for_timeout(150)  # some pictures of the spectrogram
    box = page.locator("#spectrogram").bounding_box()
    assert box is not None
    seen = np.asarray(Image.open(BytesIO(page.screenshot())).convert("L"))  # [down, across]
    x, y = round(box["x"] + box["width"] / 2), round(box["y"] + 20)
    return [float(seen[3, 3]), float(seen[y, x])]
