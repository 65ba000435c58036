"""Whoever comes, with whatever they have: keyboard alone, a narrow screen, a screen reader, dark and light."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe  # type: ignore[import-untyped]
from playwright.sync_api import Browser, expect

from ostinato.clients.web import FOLDER
from tests.clients.web.browser import Instrument
from tests.server.serving import Serving, serving

PHONE = {"width": 375, "height": 740}


def test_it_is_played_by_tab_arrows_and_space_alone(browser: Browser, stage: Serving) -> None:
    with Instrument.open(browser, stage.url) as instrument:
        page = instrument.page
        instrument.until("playing live")
        for _ in range(30):
            page.keyboard.press("Tab")
            if page.evaluate("document.activeElement.dataset.note"):
                break
        assert page.evaluate("document.activeElement.getAttribute('aria-label')") == "C 4"
        page.keyboard.press("ArrowRight")
        page.keyboard.press("ArrowRight")
        page.keyboard.down(" ")
        expect(page.get_by_role("button", name="D 4", exact=True)).to_have_attribute("aria-pressed", "true")
        instrument.hear(22_050)
        assert abs(instrument.sound()).max() > 0.001
        page.keyboard.up(" ")
        expect(page.get_by_role("button", name="D 4", exact=True)).to_have_attribute("aria-pressed", "false")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_that_a_screen_reader_or_weak_eyes_need_is_missing(
    browser: Browser, stage: Serving, scheme: str
) -> None:
    with Instrument.open(browser, stage.url, color_scheme=scheme) as instrument:
        instrument.until("playing live")
        found = Axe().run(instrument.page)
        assert found.violations_count == 0, found.generate_report()


def test_it_fits_a_narrow_screen(browser: Browser, stage: Serving) -> None:
    with Instrument.open(browser, stage.url, viewport=PHONE, has_touch=True) as instrument:
        page = instrument.page
        instrument.until("playing live")
        assert page.evaluate("document.documentElement.scrollWidth") <= PHONE["width"]
        narrowest = page.evaluate("Math.min(...[...document.querySelectorAll('.white')].map(k => k.clientWidth))")
        assert narrowest >= 40
        page.locator("#piano").scroll_into_view_if_needed()
        page.touchscreen.tap(*_middle(page.locator('[data-note="64"]').bounding_box()))
        assert instrument.hear(4410)["discontinuities"] == 0


def _middle(box: object) -> tuple[float, float]:
    assert isinstance(box, dict)
    return box["x"] + box["width"] / 2, box["y"] + 0.9 * box["height"]


def test_no_page_of_elsewhere_is_asked_for_or_may_be(browser: Browser) -> None:
    with serving(page=FOLDER) as server, Instrument.open(browser, server.url) as instrument:
        instrument.until("playing live")
        blocked = instrument.page.evaluate(
            """() => new Promise(tell => {
                    addEventListener('securitypolicyviolation', event => tell(event.effectiveDirective));
                    const script = document.createElement('script');
                    script.textContent = 'window.ran = true';
                    document.body.append(script);
                })"""
        )
        assert blocked == "script-src-elem"
        assert not instrument.page.evaluate("'ran' in window")
