"""One browser and one server of the default instrument for the tests of a file.

No longer: Playwright keeps an event loop in its thread, which other tests need for their own.
"""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from ostinato.clients.web import FOLDER
from tests.clients.web.chromium import chromium
from tests.server.serving import Serving, serving


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


@pytest.fixture(scope="module")
def stage() -> Iterator[Serving]:
    with serving(page=FOLDER, models=("default",)) as running:
        yield running
