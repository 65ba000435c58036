"""A real Chromium before the instrument, and what can be seen and heard of it there."""

from __future__ import annotations

import math
import os
import shutil
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, Playwright

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
UNASKED: Final = "--autoplay-policy=no-user-gesture-required"  # sound begins without a click
ASKED: Final = "--autoplay-policy=document-user-activation-required"
NOT_OURS: Final = ("--headless", "--mute-audio")  # what Playwright would add
PATIENCE_MS: Final = 20_000
TOLD_OF_CONTEXTS: Final = """
    const Plain = AudioContext;
    globalThis.AudioContext = class extends Plain {
        constructor(options) { super(options); console.info("a context is made"); }
    };
"""
FULL_SCALE: Final = 2**15


@contextmanager
def chromium(playwright: Playwright, *, autoplay: bool) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    flags = [*FLAGS, UNASKED if autoplay else ASKED]
    browser = playwright.chromium.launch(
        executable_path=CHROMIUM, args=flags, ignore_default_args=list(NOT_OURS), headless=False
    )
    with closing(browser):
        yield browser


@dataclass
class Instrument:
    """The page, and all that it complained of or asked another host for."""

    page: Page
    url: str
    faults: list[str] = field(default_factory=list)

    @classmethod
    @contextmanager
    def open(cls, browser: Browser, url: str, *, untouched: bool = False, **options: Any) -> Iterator[Instrument]:  # noqa: ANN401
        """The page once it is loaded; untouched: until it has asked for sound.

        Whatever Playwright evaluates counts as a touch, after which a browser lets sound begin.
        """
        with closing(browser.new_page(**options)) as page:
            page.set_default_timeout(PATIENCE_MS)
            seen = cls(page, url)
            seen._listen()
            if untouched:
                page.add_init_script(TOLD_OF_CONTEXTS)
                with page.expect_console_message(lambda said: said.text == "a context is made"):
                    page.goto(url)
            else:
                page.goto(url)
            page.evaluate("import('/web/app.js').then(app => { window.app = app; })")
            yield seen

    def _listen(self) -> None:
        """Keep what the page complains of."""
        page, faults = self.page, self.faults
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda request: None if request.url.startswith(self.url) else faults.append(request.url))

    @property
    def lamp(self) -> str:
        return self.page.inner_text("#lamp")

    @property
    def notice(self) -> str:
        return self.page.inner_text("#notice p") if self.page.is_visible("#notice") else ""

    def until(self, lamp: str) -> None:
        self.page.wait_for_function("name => document.querySelector('#lamp').innerText === name", arg=lamp)

    def until_told(self, words: str) -> str:
        self.page.wait_for_function("words => document.querySelector('#notice p').innerText.includes(words)", arg=words)
        return self.notice

    def counted(self) -> dict[str, Any]:
        """What the worklet last reported."""
        found: dict[str, Any] = self.page.evaluate("app.player.last ?? {}")
        return found

    def hear(self, samples: int) -> dict[str, Any]:
        """Wait until so many samples of the session have reached the worklet; its report."""
        self.page.wait_for_function(
            "count => app.player.last?.received >= count",
            arg=samples,
            timeout=1000 * samples / 44_100 + PATIENCE_MS,
        )
        return self.counted()

    def sound(self) -> NDArray[np.float64]:
        """The last 93 ms that were heard: [4096]."""
        script = """() => {
            const heard = new Float32Array(app.player.analyser.fftSize);
            app.player.analyser.getFloatTimeDomainData(heard);
            return [...heard];
        }"""
        return np.array(self.page.evaluate(script))


def pitch_of(sound: NDArray[np.float64], sample_rate: float = 44_100.0) -> int:
    """The MIDI note of the shortest period that a sound repeats itself after (McLeod and Wyvill 2005)."""
    lags = np.arange(20, 800)
    alike = np.array([_likeness(sound[:-lag], sound[lag:]) for lag in lags])
    peaks = np.flatnonzero((alike[1:-1] >= alike[:-2]) & (alike[1:-1] > alike[2:])) + 1
    clear = peaks[alike[peaks] > 0.95 * alike[peaks].max()]
    return round(69 + 12 * math.log2(sample_rate / int(lags[clear[0]]) / 440))


def _likeness(now: NDArray[np.float64], later: NDArray[np.float64]) -> float:
    """1 where both are the same, 0 where nothing connects them."""
    return float(2 * (now * later).sum() / ((now**2).sum() + (later**2).sum()))
