"""The page reads frames as the server writes them."""

from __future__ import annotations

import base64
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from playwright.sync_api import Browser, Error, Page

from ostinato.clients.web import FOLDER
from ostinato.server.protocol import FrameHeader
from tests.clients.web.instrument import FULL_SCALE, opened
from tests.server.serving import serving

PARSE = """text => import('/web/frame.js').then(({ parseFrame }) => {
    const { sequence, first, samples } = parseFrame(Uint8Array.from(atob(text), (c) => c.charCodeAt(0)).buffer);
    return { sequence, first, samples: [...samples] };
})"""


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with serving(page=FOLDER) as server, opened(browser, server.url) as instrument:
        yield instrument.page


def parse(page: Page, frame: bytes) -> dict[str, object]:
    found: dict[str, object] = page.evaluate(PARSE, base64.b64encode(frame).decode())
    return found


@settings(max_examples=25)
@given(
    sequence=st.integers(0, 2**32 - 1),
    first=st.integers(0, 2**53 - 1),  # a thousand years more than a session has
    pcm=st.lists(st.integers(-32_768, 32_767), max_size=50),
)
def test_numbers_and_samples_come_through(page: Page, sequence: int, first: int, pcm: list[int]) -> None:
    frame = FrameHeader(sequence, first).pack() + b"".join(v.to_bytes(2, "little", signed=True) for v in pcm)
    found = parse(page, frame)
    assert (found["sequence"], found["first"]) == (sequence, first)
    assert found["samples"] == pytest.approx([value / FULL_SCALE for value in pcm], rel=1e-6)


@pytest.mark.parametrize(
    ("frame", "why"),
    [
        (b"\x01\x00", "a frame of 2 bytes holds no header"),
        (b"\x02" + bytes(15), "version: 2 is not 1"),
        (b"\x01" + bytes(16), "a frame of 17 bytes splits a sample"),
    ],
)
def test_what_is_no_frame_is_refused_by_what_is_wrong_with_it(page: Page, frame: bytes, why: str) -> None:
    with pytest.raises(Error, match=why):
        parse(page, frame)
