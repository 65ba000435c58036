"""The ring before the sound card, rendered offline in a real browser: what comes out of what was handed over."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from ostinato.clients.web import FOLDER
from tests.server.serving import serving

RATE = 44_100
STEEPEST = 1 / 256 + 0.01  # of a fade from full scale, and of the sounds below
RENDER = """async ({ messages, length }) => {
    const context = new OfflineAudioContext(1, length, 44100);
    await context.audioWorklet.addModule('/web/worklet.js');
    const node = new AudioWorkletNode(context, 'ostinato-ring', { numberOfInputs: 0, outputChannelCount: [1] });
    let last = null;
    node.port.onmessage = ({ data }) => { last = data; };
    for (const { at, ...message } of messages) {
        const say = () => node.port.postMessage(
            message.samples ? { ...message, samples: new Float32Array(message.samples) } : message);
        if (at) context.suspend(at / 44100).then(async () => {
            say();
            await new Promise(done => setTimeout(done, 50));
            context.resume();
        });
        else say();
    }
    node.connect(context.destination);
    await new Promise(done => setTimeout(done, 50));
    const heard = (await context.startRendering()).getChannelData(0);
    await new Promise(done => setTimeout(done, 50));
    return { heard: [...heard], last };
}"""


@dataclass(frozen=True)
class Rendered:
    heard: NDArray[np.float64]
    last: dict[str, Any]  # report

    @property
    def steepest(self) -> float:
        return float(np.abs(np.diff(self.heard)).max())


@pytest.fixture(scope="module")
def page(browser: Browser) -> Iterator[Page]:
    with serving(page=FOLDER) as server:
        page = browser.new_page()
        page.goto(f"{server.url}/web/icon.svg")
        yield page
        page.close()


def begin(**changes: int) -> dict[str, Any]:
    return {"type": "begin", "inHand": 1024, "most": 8192, "aim": 8192, "ceiling": 16_384, **changes}


def audio(first: int, samples: NDArray[np.float64], sequence: int = 0, at: int = 0) -> dict[str, Any]:
    return {"type": "audio", "sequence": sequence, "first": first, "samples": samples.tolist(), "at": at}


def tone(count: int, first: int = 0) -> NDArray[np.float64]:
    turns = 55 / RATE * np.arange(first, first + count, dtype=np.float64)
    return np.asarray(0.5 * np.sin(2 * np.pi * turns))


def render(page: Page, length: int, *messages: dict[str, Any]) -> Rendered:
    found = page.evaluate(RENDER, {"messages": messages, "length": length})
    return Rendered(np.array(found["heard"]), found["last"])


def test_what_is_handed_over_is_heard_sample_by_sample(page: Page) -> None:
    given = tone(8192)
    found = render(page, 4096, begin(), audio(0, given))
    assert np.allclose(found.heard[256:], given[256:4096], atol=1e-6)
    assert found.last["discontinuities"] == found.last["underruns"] == 0
    assert found.last["played"] == 4096


def test_it_waits_until_enough_is_in_hand(page: Page) -> None:
    assert not render(page, 4096, begin(), audio(0, np.ones(1000))).heard.any()


def test_running_dry_and_coming_back_fade_and_lose_no_sample(page: Page) -> None:
    given = np.full(12_000, 0.9)
    late = audio(4000, given[4000:], sequence=1, at=8192)
    found = render(page, 20_480, begin(), audio(0, given[:4000]), late, {"type": "complete", "at": 8320})
    assert found.last["underruns"] == 1
    assert found.last["discontinuities"] == 0
    assert found.last["inHand"] == 1536
    assert found.last["played"] == 12_000
    assert found.steepest < STEEPEST


def test_the_end_of_a_stream_is_heard_to_its_last_sample_and_is_no_underrun(page: Page) -> None:
    found = render(page, 8192, begin(), audio(0, np.full(5000, 0.9)), {"type": "complete"})
    assert found.last["underruns"] == 0
    assert found.last["played"] == 5000
    assert found.steepest < STEEPEST


def test_what_is_in_hand_above_the_ceiling_is_trimmed_without_a_click(page: Page) -> None:
    late = audio(4096, tone(30_000, 4096), sequence=1, at=2048)
    found = render(page, 8192, begin(), audio(0, tone(4096)), late)
    assert found.last["trimmed"] > 0
    assert found.last["buffered"] <= 8192
    assert found.steepest < STEEPEST


def test_samples_that_do_not_follow_are_counted_and_faded_over(page: Page) -> None:
    gap = audio(6000, np.full(6000, -0.9), sequence=2, at=2048)
    found = render(page, 8192, begin(), audio(0, np.full(4096, 0.9)), gap)
    assert found.last["discontinuities"] == 1
    assert found.steepest < 2 * STEEPEST


def test_samples_that_are_sent_again_are_heard_once(page: Page) -> None:
    given = tone(9000)
    again = audio(2000, given[2000:], sequence=0)
    found = render(page, 8192, begin(), audio(0, given[:4000]), {"type": "link"}, again)
    assert np.allclose(found.heard[256:], given[256:8192], atol=1e-6)


def test_a_new_session_begins_at_once_and_the_old_one_fades(page: Page) -> None:
    anew = [{**begin(), "at": 2048}, audio(0, np.full(6000, -0.9), at=2176)]
    found = render(page, 8192, begin(), audio(0, np.full(6000, 0.9)), *anew)
    assert found.heard[6000] == pytest.approx(-0.9, abs=1e-6)
    assert found.steepest < 2 * STEEPEST
