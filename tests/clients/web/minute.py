"""Play the page for a minute at four voices in a real Chromium, print what was heard, and take its pictures.

python -m tests.clients.web.minute [--seconds 60] [--pictures FOLDER]
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, sync_playwright

from tests.clients.web.browser import Instrument, chromium
from tests.server.processes import process

CHORDS = ("adgk", "sfhl", "adhk", "sfjl")  # four voices each
CHORD_S = 2.0
SIZE = {"width": 1180, "height": 1010}


def play(instrument: Instrument, seconds: float) -> dict[str, Any]:
    """Chords, one after another, over a cello and a flute; what the worklet and the panel then say."""
    page = instrument.page
    instrument.until("playing live")
    page.keyboard.down("a")
    instrument.hear(44_100)
    page.keyboard.up("a")
    first = instrument.counted()["underruns"]
    ends, turn = time.monotonic() + seconds, 0
    while time.monotonic() < ends:
        for letter in CHORDS[turn % 4]:
            page.keyboard.down(letter)
        page.wait_for_timeout(1000 * min(CHORD_S, max(0.1, ends - time.monotonic())))
        if time.monotonic() < ends:
            for letter in CHORDS[turn % 4]:
                page.keyboard.up(letter)
        turn += 1
    counted = instrument.counted()
    figures = ("rtf", "p50", "p99", "ttfa", "lead", "underruns", "streams")
    told = {name: page.inner_text(f"[data-figure={name}]") for name in figures}
    after = {"underruns_of_first_second": first, "underruns_after_it": counted["underruns"] - first}
    return {"seconds": seconds, **after, "faults": instrument.faults, "worklet": counted, "panel": told}


def main() -> None:
    """Run it."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--pictures", type=Path)
    chosen = options.parse_args()
    with (
        process(OSTINATO_MODELS="default") as server,
        sync_playwright() as playwright,
        chromium(playwright, autoplay=True) as browser,
    ):
        for scheme in ("light", "dark"):
            print(json.dumps(_shown(browser, server.url, scheme, chosen), indent=1), flush=True)


def _shown(browser: Browser, url: str, scheme: str, chosen: argparse.Namespace) -> dict[str, Any]:
    with Instrument.open(browser, url, color_scheme=scheme, viewport=SIZE) as instrument:
        found = play(instrument, chosen.seconds)
        if chosen.pictures:
            instrument.page.screenshot(path=chosen.pictures / f"instrument-{scheme}.png")
        return {"scheme": scheme, **found}


if __name__ == "__main__":
    main()
