"""One browser a module, that may sound unasked. Playwright holds the thread's event loop while it runs."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Playwright, sync_playwright

from ostinato.clients.web import FOLDER
from tests.clients.web.browser import chromium
from tests.server.serving import Serving, serving


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as running:
        yield running


@pytest.fixture(scope="module")
def browser(playwright: Playwright) -> Iterator[Browser]:
    with chromium(playwright, autoplay=True) as found:
        yield found


@pytest.fixture(scope="module")
def stage() -> Iterator[Serving]:
    """A server of the default instrument, with its page."""
    with serving(page=FOLDER, models=("default",), slots=32) as running:
        yield running
