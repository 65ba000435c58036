"""The address of one server for all tests that need nothing special of it."""

from collections.abc import Iterator

import pytest

from tests.server.serving import serving


@pytest.fixture(scope="session")
def server() -> Iterator[str]:
    with serving() as running:
        yield running.url
