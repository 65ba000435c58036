"""The ring before the sound card: the worklet's own file, fed and played by the quantum instead of by the clock."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page

from ostinato.clients.web import FOLDER
from tests.clients.web.instrument import opened
from tests.server.serving import serving

FADE = 256
QUANTUM = 128
START, MOST = 3528, 6174  # 80 and 140 ms
WIDE = 2**19  # a ceiling that nothing reaches

HOST = """() => {
    window.AudioWorkletProcessor = class { port = { postMessage: (report) => reports.push(report) }; };
    window.registerProcessor = (name, ring) => { window.Ring = ring; };
    return import('/web/worklet.js').then(() => {});
}"""

# the same steps for a ring that is fed ones, whose output is its gain, and for one that is fed 1, 2, 3 ...
PLAY = """([begin, steps]) => {
    const play = (sample) => {
        window.reports = [];
        const ring = new Ring();
        const out = [];
        const say = (data) => ring.port.onmessage({ data });
        say({ type: 'begin', session: 1, ...begin });
        for (const [what, ...rest] of steps) {
            if (what === 'play') {
                for (let i = 0; i < rest[0]; i++) {
                    const quantum = new Float32Array(128);
                    ring.process([], [[quantum]]);
                    out.push(...quantum);
                }
            } else if (what === 'audio') {
                const [sequence, first, length] = rest;
                const samples = Float32Array.from({ length }, (_, i) => sample(first + i));
                say({ type: 'audio', sequence, first, samples });
            } else say({ type: what, ...rest[0] });
        }
        return [packed(Float32Array.from(out)), reports.at(-1)];
    };
    const packed = (samples) => {
        const bytes = new Uint8Array(samples.buffer);
        let text = '';
        for (let i = 0; i < bytes.length; i += 4096) text += String.fromCharCode(...bytes.subarray(i, i + 4096));
        return btoa(text);
    };
    const [gains] = play(() => 1);
    const [numbered, report] = play((at) => at + 1);
    return { gains, numbered, report };
}"""

Step = list[Any]


@pytest.fixture(scope="module")
def host(browser: Browser) -> Iterator[Page]:
    with serving(page=FOLDER) as server, opened(browser, server.url) as instrument:
        instrument.page.evaluate(HOST)
        yield instrument.page


class Played:
    """What came out of a ring."""

    def __init__(self, host: Page, steps: list[Step], ceiling: int = WIDE, aim: int = WIDE) -> None:
        begin = {"inHand": START, "most": MOST, "aim": aim, "ceiling": ceiling}
        found = host.evaluate(PLAY, [begin, steps])
        self.gains, self.numbered = unpacked(found["gains"]), unpacked(found["numbered"])
        self.report: dict[str, Any] = found["report"]

    @property
    def heard(self) -> list[int]:
        """Which samples of the stream were played, in order."""
        sounding = self.gains > 0
        return [round(number) for number in self.numbered[sounding] / self.gains[sounding] - 1]

    @property
    def steepest(self) -> float:
        """The largest step from one sample to the next, of a stream that is a constant 1."""
        return float(np.abs(np.diff(self.gains, prepend=0.0)).max())


def unpacked(text: str) -> NDArray[np.float64]:
    return np.frombuffer(base64.b64decode(text), "<f4").astype(np.float64)


def frames(*lengths: int) -> list[Step]:
    """Frames in a row."""
    firsts = np.cumsum([0, *lengths]).tolist()
    return [["audio", n, firsts[n], length] for n, length in enumerate(lengths)]


@st.composite
def arrivals(draw: st.DrawFn) -> list[Step]:
    """Frames as a network brings them: in bursts, between which any number of quanta is played."""
    steps: list[Step] = []
    for frame in frames(*draw(st.lists(st.integers(1, 2000), min_size=1, max_size=30))):
        steps += [frame, ["play", draw(st.sampled_from((0, 0, 3, 7, 20, 40)))]]
    return steps


@settings(max_examples=30)
@given(steps=arrivals())
def test_however_it_arrives_every_sample_is_played_once_and_in_order(host: Page, steps: list[Step]) -> None:
    total = sum(step[3] for step in steps if step[0] == "audio")
    played = Played(host, [*steps, ["complete"], ["play", total // QUANTUM + 20]])
    assert played.heard == list(range(total))[: len(played.heard)]
    assert total - len(played.heard) <= QUANTUM + FADE  # the end is faded out
    assert played.report["discontinuities"] == 0


@settings(max_examples=30)
@given(steps=arrivals())
def test_it_fades_and_never_clicks(host: Page, steps: list[Step]) -> None:
    assert Played(host, [*steps, ["play", 100]]).steepest <= 1 / FADE + 1e-6


def test_it_begins_with_80_ms_in_hand(host: Page) -> None:
    waits = Played(host, [["audio", 0, 0, START - 1], ["play", 20]])
    assert (waits.heard, waits.report["playing"]) == ([], False)
    begins = Played(host, [["audio", 0, 0, START], ["play", 20]])
    assert begins.heard == list(range(20 * QUANTUM))


def test_running_dry_is_counted_and_more_is_gathered_before_it_goes_on(host: Page) -> None:
    steps: list[Step] = []
    for number in range(4):
        steps += [["audio", number, number * 2 * MOST, 2 * MOST], ["play", 120]]
    report = Played(host, steps).report
    assert report["underruns"] == 4
    assert report["inHand"] == MOST  # 80, 120, and then the most


def test_running_dry_while_it_rests_or_at_the_end_is_no_underrun(host: Page) -> None:
    for pause in (["rest", {"resting": True}], ["complete"]):
        report = Played(host, [["audio", 0, 0, 2 * START], pause, ["play", 120]]).report
        assert (report["underruns"], report["inHand"], report["playing"]) == (0, START, False)


@given(more=st.integers(1, 20_000))
@settings(max_examples=15)
def test_what_came_too_much_is_trimmed_by_a_crossfade(host: Page, more: int) -> None:
    aim, ceiling = 8000, 12_000
    steps: list[Step] = [["audio", 0, 0, START], ["play", 10], ["audio", 1, START, ceiling + more], ["play", 22]]
    played = Played(host, steps, ceiling, aim)
    jump = START + ceiling + more - 10 * QUANTUM - aim
    assert played.report["trimmed"] == jump
    assert played.report["buffered"] == aim - 22 * QUANTUM
    assert played.steepest <= 1 / FADE + 1e-6
    across = np.diff(played.numbered[10 * QUANTUM : 10 * QUANTUM + FADE + 2])
    assert across.max() <= jump / FADE + 2


@pytest.mark.parametrize(
    ("sequence", "first"),
    [(2, START), (1, START + 64), (1, START - 64), (0, START)],
    ids=["frame", "gap", "overlap", "again"],
)
def test_what_does_not_follow_is_counted(host: Page, sequence: int, first: int) -> None:
    played = Played(host, [["audio", 0, 0, START], ["audio", sequence, first, START], ["play", 30]])
    assert played.report["discontinuities"] == 1


def test_what_is_known_already_is_not_played_twice(host: Page) -> None:
    steps: list[Step] = [
        ["audio", 0, 0, START],
        ["link"],
        ["audio", 0, START, 640],
        ["audio", 1, START, 6400],
        ["play", 70],
    ]
    played = Played(host, steps)
    assert played.heard == list(range(70 * QUANTUM))


def test_another_link_counts_its_frames_from_0(host: Page) -> None:
    steps: list[Step] = [["audio", 0, 0, START], ["link"], ["audio", 0, START, START], ["play", 30]]
    assert Played(host, steps).report["discontinuities"] == 0


def test_a_new_session_begins_while_the_former_fades(host: Page) -> None:
    begin = {"session": 2, "inHand": START, "most": MOST, "aim": WIDE, "ceiling": WIDE}
    steps: list[Step] = [["audio", 0, 0, 2 * START], ["play", 20], ["begin", begin], ["play", 20]]
    played = Played(host, steps)
    assert played.steepest <= 1 / FADE + 1e-6
    assert played.gains[20 * QUANTUM + FADE :].max() == 0
    assert (played.report["session"], played.report["received"]) == (2, 0)
