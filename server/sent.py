"""The audio that a listener may not have got: what was drawn since the last sample it reported, within a bound.

A dropped listener comes back with the sample that it wants next, and is sent everything from there again.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator


class SentAudio:
    """A ring of encoded samples, the newest at its end.

    Args:
        sample_bytes: of one encoded sample.
        most: samples that are kept at most, at least 1.
    """

    def __init__(self, sample_bytes: int, most: int) -> None:
        self.first = self.end = 0  # samples: first is the oldest kept, end the next to come
        self._sample_bytes, self._most = sample_bytes, most
        self._blocks: deque[bytes] = deque()

    @property
    def nbytes(self) -> int:
        """Memory that the samples take."""
        return (self.end - self.first) * self._sample_bytes

    def append(self, pcm: bytes) -> None:
        """Take the next samples, whole ones."""
        self._blocks.append(pcm)
        self.end += len(pcm) // self._sample_bytes
        self.forget(self.end - self._most)

    def forget(self, before: int) -> None:
        """Let go of the blocks that end at a sample or earlier: nobody will ask for them."""
        while self._blocks and self.first + len(self._blocks[0]) // self._sample_bytes <= before:
            self.first += len(self._blocks.popleft()) // self._sample_bytes

    def holds(self, sample: int) -> bool:
        """Whether everything from a sample on is there, or would come next."""
        return self.first <= sample <= self.end

    def since(self, sample: int, most: int) -> Iterator[tuple[int, bytes]]:
        """Pieces of at most so many samples from a sample on that it `holds`: (first sample, PCM)."""
        pcm = b"".join(self._blocks)[(sample - self.first) * self._sample_bytes :]
        size = most * self._sample_bytes
        for start in range(0, len(pcm), size):
            yield sample + start // self._sample_bytes, pcm[start : start + size]
