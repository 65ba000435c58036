"""Plays the page in Chromium for a minute at four voices, on a server of its own, and prints what was counted.

Fails where the sound ran dry after the first second, or a frame did not follow the one before.

    python -m tests.clients.web.minute [--seconds 60] [--pictures FOLDER]

With --pictures it also takes the pictures of the README: light, dark and a phone's, while it sounds.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page

from tests.clients.web.chromium import chromium
from tests.clients.web.instrument import opened
from tests.server.processes import process

CHORDS: Final = ("adgk", "sfhl", "adhk", "sgjl")  # of four keys each
CHORD_MS: Final = 1500
FIRST_SECOND: Final = 44_100  # samples
DESKTOP: Final = {"width": 1280, "height": 1060}
PHONE: Final = {"viewport": {"width": 390, "height": 844}, "is_mobile": True, "has_touch": True}
PICTURES: Final[dict[str, dict[str, Any]]] = {
    "light": {"viewport": DESKTOP, "color_scheme": "light"},
    "dark": {"viewport": DESKTOP, "color_scheme": "dark"},
    "phone": {**PHONE, "color_scheme": "light", "device_scale_factor": 2},
}
PICTURE_S: Final = 20.0
FAULTS: Final = ("underruns_after_the_first_second", "discontinuities")  # that a listener may have heard

# every report of the worklet, and every real-time factor that the panel was told
COUNT: Final = """() => {
    window.told = { rtf: [], batch: [], p50: [], p99: [], frames: 0 };
    app.connection.addEventListener('audio', () => told.frames++);
    app.connection.addEventListener('message', ({ detail }) => {
        if (detail.type !== 'stats' || detail.rtf === null || detail.rtf === undefined) return;
        told.rtf.push(detail.rtf);
        told.batch.push(detail.batch);
        told.p50.push(detail.step_us_p50);
        told.p99.push(detail.step_us_p99);
    });
}"""


def main() -> None:
    """Play, count, print."""
    options = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--pictures", type=Path)
    asked = options.parse_args()
    counted = play(asked.seconds, asked.pictures)
    print(json.dumps(counted, indent=2))
    faults = [f"{counted[name]} {name}" for name in FAULTS if counted[name]]
    if faults:
        sys.exit(f"minute: {', '.join(faults)}")


def play(seconds: float, pictures: Path | None) -> dict[str, Any]:
    """The minute, and the pictures where a folder is named for them; what was counted."""
    with process(OSTINATO_MODELS="default") as server, chromium() as browser:
        counted = minute(browser, server.url, seconds)
        if pictures is not None:
            for name, context in PICTURES.items():
                picture(browser, server.url, pictures / f"{name}.png", context)
    return counted


def minute(browser: Browser, url: str, seconds: float) -> dict[str, Any]:
    """What was counted while four voices sounded for so many seconds."""
    with opened(browser, url, viewport=DESKTOP) as instrument:
        instrument.until("playing live")
        instrument.page.evaluate(COUNT)
        perform(instrument.page, 1.0)
        begun = instrument.hear(FIRST_SECOND)
        perform(instrument.page, seconds - 1.0)
        counted, told = instrument.counted(), instrument.page.evaluate("() => told")
        return {
            "seconds": seconds,
            "samples": counted["received"],
            "frames": told["frames"],
            "discontinuities": counted["discontinuities"],
            "trimmed": counted["trimmed"],
            "underruns": counted["underruns"],
            "underruns_after_the_first_second": counted["underruns"] - begun["underruns"],
            "in_hand_ms": counted["in_hand_ms"],
            "streams": max(told["batch"]),
            "rtf_shown": {"least": min(told["rtf"]), "most": max(told["rtf"]), "last": instrument.figure("rtf")},
            "step_us": {"p50_most": max(told["p50"]), "p99_most": max(told["p99"])},
        }


def perform(page: Page, seconds: float) -> None:
    """Chords of four keys, one into the next."""
    held = ""
    for number in range(max(1, round(1000 * seconds / CHORD_MS))):
        chord = CHORDS[number % len(CHORDS)]
        for letter in held:
            page.keyboard.up(letter)
        for letter in chord:
            page.keyboard.down(letter)
        page.wait_for_timeout(min(CHORD_MS, 1000 * seconds))
        held = chord


def picture(browser: Browser, url: str, path: Path, context: dict[str, Any]) -> None:
    """The page after some music, four keys held."""
    with opened(browser, url, **context) as instrument:
        instrument.until("playing live")
        perform(instrument.page, PICTURE_S)
        path.parent.mkdir(parents=True, exist_ok=True)
        instrument.page.screenshot(path=path)


if __name__ == "__main__":
    main()
