"""One session's audio on its way to the listener: encoded, hashed, numbered, and kept for one who comes back."""

from __future__ import annotations

import hashlib
from typing import Final

import numpy as np
from numpy.typing import NDArray

from ostinato.server.mailbox import Audio, Close, Mailbox
from ostinato.server.pcm import SAMPLE_BYTES, encode
from ostinato.server.protocol import (
    LAST,
    AudioDone,
    AudioStart,
    CloseCode,
    DoneReason,
    FrameHeader,
    Resume,
    SessionStart,
)
from ostinato.server.resume import resume_refused
from ostinato.server.sent import SentAudio

KEPT_S: Final = 15.0  # of sent audio, for a listener that comes back: more than the longest lead and full sockets


class Outlet:
    """The stream of one session, into one mailbox after another.

    Args:
        start: says how samples are written.
        mailbox: of the first connection.
        frame: samples of a frame at most.
        sample_rate: Hz.
        keeps: whether what was sent is kept for a listener that comes back.
    """

    def __init__(self, start: SessionStart, mailbox: Mailbox, frame: int, sample_rate: int, *, keeps: bool) -> None:
        self.mailbox = mailbox
        self.begun = False
        encoding = start.format.encoding
        self.sent: Final = SentAudio(SAMPLE_BYTES[encoding], round(KEPT_S * sample_rate))
        self._encoding, self._headed, self._keeps = encoding, start.framing == "header", keeps
        self._frame: Final = frame
        self._hash = hashlib.sha256()
        self._frames = 0  # of this connection
        self._farewell: AudioDone | None = None

    def begin(self) -> None:
        """Tell that audio follows; once."""
        if not self.begun:
            self.begun = True
            self.mailbox.put(AudioStart(sample=0))

    def send(self, audio: NDArray[np.float32], first: int, last: bool, leaves_at: float) -> None:
        """Hand on the next samples, the first of which is that sample of the stream. Raises as `encode`."""
        pcm = encode(audio, self._encoding)
        self._hash.update(pcm)
        if self._keeps:
            self.sent.append(pcm)
        size = self._frame * SAMPLE_BYTES[self._encoding]
        for start in range(0, len(pcm), size):
            at = first + start // SAMPLE_BYTES[self._encoding]
            self._put(at, pcm[start : start + size], last and start + size >= len(pcm), leaves_at)

    def finish(self, samples: int, reason: DoneReason) -> None:
        """The stream is whole."""
        self._farewell = AudioDone(samples=samples, sha256=self._hash.hexdigest(), reason=reason)
        self._take_leave()

    def check(self, resume: Resume) -> None:
        """Raise a ProtocolError where it can't go on from this sample."""
        if not self.sent.holds(resume.next_sample):
            kept = f"{self.sent.first} to {self.sent.end}"
            message = f"resume.next_sample: {resume.next_sample} is not among those kept, {kept}"
            raise resume_refused(message, "resume.next_sample")

    def go_on(self, mailbox: Mailbox, sample: int, now: float) -> None:
        """Send everything from a sample on, which `sent` holds, once more; numbered from 0, as for any connection."""
        self.mailbox, self._frames = mailbox, 0
        if self.begun:
            mailbox.put(AudioStart(sample=sample))
        for first, pcm in self.sent.since(sample, self._frame):
            end = first + len(pcm) // SAMPLE_BYTES[self._encoding]
            self._put(first, pcm, self._farewell is not None and end == self.sent.end, now)
        if self._farewell is not None:
            self._take_leave()

    def _put(self, first: int, pcm: bytes, last: bool, leaves_at: float) -> None:
        header = FrameHeader(self._frames, first, LAST if last else 0).pack() if self._headed else b""
        self.mailbox.put(Audio(header + pcm, len(pcm) // SAMPLE_BYTES[self._encoding], leaves_at))
        self._frames += 1

    def _take_leave(self) -> None:
        assert self._farewell is not None
        code = CloseCode.DRAINED if self._farewell.reason == "drained" else CloseCode.DONE
        self.mailbox.put(self._farewell, Close(code, self._farewell.reason))
