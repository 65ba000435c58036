"""Samples between a thread that brings them and one that takes them: a ring of fixed size."""

from __future__ import annotations

from threading import Condition

import numpy as np
from numpy.typing import NDArray


class SampleRing:
    """Float32 samples, first in, first out.

    Args:
        size: samples that it holds at most, at least 1.
    """

    def __init__(self, size: int) -> None:
        if size < 1:
            raise ValueError(f"size: {size} is less than 1")
        self._samples = np.zeros(size, np.float32)
        self._written = self._read = 0  # since the beginning
        self._changed = Condition()

    def __len__(self) -> int:
        return self._written - self._read

    @property
    def read(self) -> int:
        """Samples that were taken since the beginning."""
        return self._read

    @property
    def written(self) -> int:
        """Samples that were brought since the beginning."""
        return self._written

    def write(self, samples: NDArray[np.float32], patience_s: float) -> int:
        """Bring samples, waiting for room: how many found it, all but where none came free for so long."""
        done = 0
        while done < len(samples):
            with self._changed:
                if not self._changed.wait_for(lambda: len(self) < len(self._samples), patience_s):
                    break
                count = min(len(samples) - done, len(self._samples) - len(self))
                self._copy(samples[done : done + count])
                self._written += count
                done += count
        return done

    def take_into(self, out: NDArray[np.float32]) -> int:
        """Fill an array from its beginning with what there is: how many samples that was."""
        with self._changed:
            count = min(len(out), len(self))
            first = self._read % len(self._samples)
            until_end = min(count, len(self._samples) - first)
            out[:until_end] = self._samples[first : first + until_end]
            out[until_end:count] = self._samples[: count - until_end]
            self._read += count
            self._changed.notify_all()
        return count

    def wait_until_empty(self, patience_s: float) -> bool:
        """Whether everything is taken within so many seconds."""
        with self._changed:
            return self._changed.wait_for(lambda: len(self) == 0, patience_s)

    def _copy(self, samples: NDArray[np.float32]) -> None:
        first = self._written % len(self._samples)
        until_end = min(len(samples), len(self._samples) - first)
        self._samples[first : first + until_end] = samples[:until_end]
        self._samples[: len(samples) - until_end] = samples[until_end:]
