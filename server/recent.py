"""The last minute, block by block: what to look at when somebody heard a gap. Fixed memory, whatever the load."""

from __future__ import annotations

import math
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

LOOK_BACK_S: Final = 60.0
BLOCKS: Final = 32_768  # kept at most: a minute of 546 a second, 1 MiB


@dataclass(frozen=True, slots=True)
class BlockRecord:
    """One block that was drawn."""

    at: float  # when it was handed over, seconds of the monotonic clock
    model: str
    sessions: int
    voices: int
    hops: int
    step_s: float  # in the sampler; 0 where no voice sounded
    block_s: float  # from the choice to the hand-over
    late_s: float | None  # after its first listener would have run dry: below 0 is in time; None where none is live


class BlockRing:
    """The last blocks, packed. One thread adds; any may copy, since the interpreter lock keeps each of both whole."""

    def __init__(self, models: Sequence[str], size: int = BLOCKS) -> None:
        self._models = tuple(models)
        self._numbers = {model: number for number, model in enumerate(self._models)}
        self._record = struct.Struct("=dHHHHfff")
        self._size, self._added = size, 0
        self._packed = bytearray(self._record.size * size)

    def add(
        self,
        at: float,
        model: str,
        sessions: int,
        voices: int,
        hops: int,
        step_s: float,
        block_s: float,
        late_s: float,
    ) -> None:
        """Take a block, by the fields of its record, without end in time where nobody live hears it.

        The oldest gives way.
        """
        offset = self._record.size * (self._added % self._size)
        number = self._numbers[model]
        self._record.pack_into(self._packed, offset, at, number, sessions, voices, hops, step_s, block_s, late_s)
        self._added += 1

    def since(self, at: float) -> list[BlockRecord]:
        """Those handed over at or after a time, the earliest first."""
        return sorted(self._unpack(bytes(self._packed), at), key=lambda block: block.at)

    def _unpack(self, packed: bytes, since: float) -> Iterator[BlockRecord]:
        for at, model, sessions, voices, hops, step_s, block_s, late_s in self._record.iter_unpack(packed):
            if hops and at >= since:  # without a hop: not yet written
                late = None if math.isinf(late_s) else late_s
                yield BlockRecord(at, self._models[model], sessions, voices, hops, step_s, block_s, late)
