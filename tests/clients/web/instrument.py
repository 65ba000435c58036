"""The page in a browser: played, listened to, and held to keep silent about anything else."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, WebSocket

PATIENCE_MS: Final = 20_000
SETTLE_MS: Final = 50  # in which what was said reaches whoever listens to the browser
RATE: Final = 44_100  # Hz
FULL_SCALE: Final = 32_767
LOST: Final = "WebSocket connection to"  # what Chromium says of a link that breaks
GAP: Final = 64  # samples of exact silence: no instrument that sounds has so many

# before any script of the page: what a policy forbids is reported, and nobody has to ask for it
WATCH: Final = (
    "window.violations = []; addEventListener('securitypolicyviolation', e => violations.push(e.violatedDirective))"
)

# Whatever Playwright evaluates counts as a touch; a page that is not to be touched says by itself that it has asked
ASKED: Final = "a context is made"
TELL: Final = f"""
    const Plain = AudioContext;
    globalThis.AudioContext = class extends Plain {{
        constructor(options) {{ super(options); console.info("{ASKED}"); }}
    }};
"""

# keeps what is handed to the worklet, frame by frame, as 16-bit samples once more
TAP: Final = """() => {
    const { player, connection } = app;
    window.frames_ = [];
    window.done = null;
    const { port } = player.node;
    const post = port.postMessage.bind(port);
    port.postMessage = (message, transfer) => {
        if (message.type === 'audio') {
            const pcm = Int16Array.from(message.samples, (sample) => Math.round(sample * 32767));
            window.frames_.push({ sequence: message.sequence, first: message.first, pcm });
        }
        post(message, transfer);
    };
    connection.addEventListener('message', ({ detail }) => {
        if (detail.type === 'audio.done') window.done = detail;
    });
}"""
TAKEN: Final = """() => frames_.map(({ sequence, first, pcm }) => [
    sequence, first, btoa(String.fromCharCode(...new Uint8Array(pcm.buffer)))
])"""


@dataclass(frozen=True)
class Handed:
    """A frame as the worklet was handed it."""

    sequence: int
    first: int
    pcm: NDArray[np.int16]

    @property
    def end(self) -> int:
        return self.first + len(self.pcm)


@dataclass
class Instrument:
    """The page, what it said to the server, and all that it complained of or asked another host for."""

    page: Page
    url: str
    said: list[dict[str, Any]] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def watch(self) -> None:
        self.page.add_init_script(WATCH)
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("console", lambda said: self._said(f"{said.type}: {said.text}"))
        self.page.on("request", lambda request: self._asked(request.url))
        self.page.on("websocket", self._listen)

    def _said(self, words: str) -> None:
        if ASKED not in words:
            self.complaints.append(words)

    def _listen(self, socket: WebSocket) -> None:
        self._asked(socket.url.replace("ws://", "http://"))
        socket.on("framesent", lambda frame: self.said.append(json.loads(frame)))

    def _asked(self, url: str) -> None:
        if not url.startswith(self.url):
            self.complaints.append(f"asked {url}")

    def tap(self) -> None:
        """From now on, keep what is handed to the worklet; once there is one."""
        self.page.wait_for_function("() => app.player.node")
        self.page.evaluate(TAP)

    def handed(self) -> list[Handed]:
        """What was kept so far."""
        found: list[tuple[int, int, str]] = self.page.evaluate(TAKEN)
        return [Handed(s, first, np.frombuffer(base64.b64decode(pcm), "<i2")) for s, first, pcm in found]

    def done(self) -> dict[str, Any]:
        """The audio.done that a tapped session ends with."""
        self.page.wait_for_function("() => done")
        found: dict[str, Any] = self.page.evaluate("() => done")
        return found

    def notes(self) -> list[tuple[str, Any]]:
        """Every note that was told so far: ("on", note) or ("off", the note that its voice was)."""
        voices: dict[str, float] = {}
        told: list[tuple[str, Any]] = []
        self.page.wait_for_timeout(SETTLE_MS)
        for message in self.said:
            if message["type"] == "note.on":
                voices[message["voice_id"]] = message["note"]
                told.append(("on", message["note"]))
            elif message["type"] == "note.off":
                told.append(("off", voices[message["voice_id"]]))
        return told

    @property
    def lamp(self) -> str:
        return self.page.inner_text("#lamp")

    @property
    def notice(self) -> str:
        return self.page.inner_text("#notice p") if self.page.is_visible("#notice") else ""

    def until(self, lamp: str) -> None:
        self.page.wait_for_function("name => document.querySelector('#lamp').innerText === name", arg=lamp)

    def until_told(self, words: str) -> str:
        told = "words => document.querySelector('#notice p').innerText.includes(words)"
        self.page.wait_for_function(told, arg=words)
        return self.notice

    def until_quiet(self) -> None:
        """Until nothing is left to be told."""
        self.page.wait_for_selector("#notice", state="hidden")

    def counted(self) -> dict[str, Any]:
        """What the worklet last reported; nothing where it was given nothing yet."""
        found: dict[str, Any] = self.page.evaluate("() => app.player.last ?? {}")
        return found

    @property
    def received(self) -> int:
        """Samples of the session that had reached the worklet when it last reported."""
        return int(self.counted().get("received", 0))

    def hear(self, samples: int) -> dict[str, Any]:
        """Wait until so many samples of the session have reached the worklet; its report."""
        reached = "count => app.player.last?.received >= count"
        self.page.wait_for_function(reached, arg=samples, timeout=1000 * samples / RATE + PATIENCE_MS)
        return self.counted()

    def sound(self) -> NDArray[np.float64]:
        """The last 93 ms of what goes to the sound card, once it has no gap in it."""
        script = """() => {
            const { analyser } = app.player;
            const heard = new Float32Array(analyser.fftSize);
            analyser.getFloatTimeDomainData(heard);
            return [...heard];
        }"""
        for _ in range(PATIENCE_MS // 50):
            heard = np.array(self.page.evaluate(script))
            if np.convolve(heard == 0, np.ones(GAP), "valid").max() < GAP:
                return heard
            self.page.wait_for_timeout(50)
        raise AssertionError("nothing is heard without a gap")

    def figure(self, name: str) -> str:
        return self.page.inner_text(f"[data-figure={name}]")

    def key(self, note: int) -> Any:  # noqa: ANN401
        return self.page.locator(f'[data-note="{note}"]')


@contextmanager
def opened(
    browser: Browser,
    url: str,
    *forgiven: str,
    untouched: bool = False,
    **context: Any,  # noqa: ANN401
) -> Iterator[Instrument]:
    """The page, which by the end has complained of nothing but what is forgiven, and kept to its policy.

    untouched: it is let alone until it has asked for sound.
    """
    room = browser.new_context(**context)
    room.set_default_timeout(PATIENCE_MS)
    instrument = Instrument(room.new_page(), url)
    instrument.watch()
    try:
        if untouched:
            instrument.page.add_init_script(TELL)
            with instrument.page.expect_console_message(lambda said: said.text == ASKED):
                instrument.page.goto(url)
        else:
            instrument.page.goto(url)
        instrument.page.evaluate("() => import('/web/app.js').then(app => { window.app = app; })")
        yield instrument
        violations = instrument.page.evaluate("() => violations")
        assert not violations, violations
        left = [complaint for complaint in instrument.complaints if not any(words in complaint for words in forgiven)]
        assert not left, left
    finally:
        room.close()


def pitch(sound: NDArray[np.float64], sample_rate: float = RATE) -> float:
    """The MIDI note of a sound, with its fraction, from the first high peak of its autocorrelation."""
    size = 2 * len(sound)
    spectrum = np.abs(np.fft.rfft(sound - sound.mean(), size)) ** 2
    alike = np.fft.irfft(spectrum, size)[: len(sound) // 2]
    alike /= np.arange(len(sound), len(sound) // 2, -1)  # fewer pairs at longer lags
    start = int(np.argmax(alike < 0))
    peaks = [i for i in range(start + 1, len(alike) - 1) if alike[i - 1] < alike[i] >= alike[i + 1]]
    lag = next(i for i in peaks if alike[i] > 0.9 * max(alike[p] for p in peaks))
    before, at, after = alike[lag - 1 : lag + 2]
    period = lag + 0.5 * (before - after) / (before - 2 * at + after)
    return float(69 + 12 * np.log2(sample_rate / period / 440))


def settled_pitch(instrument: Instrument) -> float:
    """Of what is heard once another 0.6 s have reached the worklet: the MIDI note, with its fraction."""
    instrument.hear(instrument.received + round(0.6 * RATE))
    return pitch(instrument.sound())
