"""A real Chromium before the instrument, and what can be seen and heard of it there."""

from __future__ import annotations

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
NOT_OURS: Final = ("--headless", "--mute-audio")  # what Playwright would add
PATIENCE_MS: Final = 20_000
FULL_SCALE: Final = 2**15


@contextmanager
def chromium(playwright: Playwright, *, autoplay: bool) -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium)")
    flags = [*FLAGS, *([UNASKED] if autoplay else [])]
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
    def open(cls, browser: Browser, url: str, **options: Any) -> Iterator[Instrument]:  # noqa: ANN401
        with closing(browser.new_page(**options)) as page:
            page.set_default_timeout(PATIENCE_MS)
            seen = cls(page, url)
            seen._look()
            yield seen

    def _look(self) -> None:
        """Load the page, and keep what it complains of."""
        page, faults = self.page, self.faults
        page.on("pageerror", lambda error: faults.append(f"error: {error}"))
        page.on("console", lambda said: faults.append(said.text) if said.type in ("error", "warning") else None)
        page.on("request", lambda request: None if request.url.startswith(self.url) else faults.append(request.url))
        page.goto(self.url)
        page.evaluate("import('/web/app.js').then(app => { window.app = app; })")

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
    """The MIDI note whose harmonics hold most of what is heard, each weighed by its number."""
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 8 * len(sound)))
    step = sample_rate / (8 * len(sound))
    notes = range(40, 97)
    strength = [_comb(spectrum, step, 440 * 2 ** ((note - 69) / 12)) for note in notes]
    return notes[int(np.argmax(strength))]


def _comb(spectrum: NDArray[np.float64], step: float, hertz: float) -> float:
    """Of the first harmonics, those between taken off: an octave below holds all harmonics too."""
    at = [round(k * hertz / step) for k in range(1, 7)]
    between = [round((k - 0.5) * hertz / step) for k in range(1, 7)]
    return float(sum(spectrum[a] / k - spectrum[b] / k for k, (a, b) in enumerate(zip(at, between, strict=True), 1)))
