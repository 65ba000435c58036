"""A real Chromium, the one that is installed, started as CI and people start it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM: Final = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("chromium-browser")
FLAGS: Final = ("--headless=new", "--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking")
UNASKED: Final = "--autoplay-policy=no-user-gesture-required"  # sound begins without a click
TOUCHED: Final = "--autoplay-policy=document-user-activation-required"
NOT_OURS: Final = ("--headless", "--mute-audio")  # what Playwright would add; a muted page may be throttled


@contextmanager
def chromium(*, unasked: bool = True) -> Iterator[Browser]:
    """A browser; unasked: where pages may sound before anybody has touched them."""
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed (Debian: apt-get install chromium), or named by CHROMIUM")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=[*FLAGS, UNASKED if unasked else TOUCHED],
            ignore_default_args=list(NOT_OURS),
            headless=False,  # by the flag of the new headless mode instead
        )
        try:
            yield browser
        finally:
            browser.close()
