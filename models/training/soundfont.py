"""Which recording lies behind each key of a soundfont: the `pdta` chunk of an SF2 file, read into zones.

After the SoundFont Technical Specification 2.04, section 7: a preset's zones name instruments, an instrument's zones
name samples, and each zone may narrow its keys and velocities.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

PRESET: Final = np.dtype(
    [
        ("name", "S20"), ("program", "<u2"), ("bank", "<u2"), ("bag", "<u2"), ("library", "<u4"), ("genre", "<u4"),
        ("morphology", "<u4"),
    ]
)  # fmt: skip
INSTRUMENT: Final = np.dtype([("name", "S20"), ("bag", "<u2")])
BAG: Final = np.dtype([("generator", "<u2"), ("modulator", "<u2")])
GENERATOR: Final = np.dtype([("kind", "<u2"), ("amount", "<u2")])
SAMPLE: Final = np.dtype(
    [
        ("name", "S20"), ("start", "<u4"), ("end", "<u4"), ("loop_start", "<u4"), ("loop_end", "<u4"),
        ("rate", "<u4"), ("key", "u1"), ("cents", "i1"), ("link", "<u2"), ("type", "<u2"),
    ]
)  # fmt: skip
TABLES: Final = {
    b"phdr": PRESET, b"pbag": BAG, b"pgen": GENERATOR, b"inst": INSTRUMENT, b"ibag": BAG, b"igen": GENERATOR,
    b"shdr": SAMPLE,
}  # fmt: skip

KEYS, VELOCITIES, LINK_INSTRUMENT, LINK_SAMPLE = 43, 44, 41, 53  # kinds of generators
EVERYTHING: Final = (0, 127)
RIGHT: Final = 2  # type of a stereo pair's right sample

Range = tuple[int, int]
Table = NDArray[Any]


class SoundfontError(ValueError):
    """A file that is no soundfont, or lacks what is asked of it; the message names the file."""


@dataclass(frozen=True)
class Zone:
    """The keys and velocities, both inclusive, at which a sample sounds."""

    keys: Range
    velocities: Range
    sample: str  # the name of the recording
    seconds: float  # of the recording
    sample_rate: int


@dataclass(frozen=True)
class Soundfont:
    """The zones of a soundfont's presets."""

    path: Path
    tables: dict[bytes, Table]

    def zones(self, program: int, bank: int = 0) -> tuple[Zone, ...]:
        """The zones of a preset, without the right halves of stereo pairs, in the file's order.

        Raises:
            SoundfontError: where there is no such preset.
        """
        presets = self.tables[b"phdr"]
        found = np.flatnonzero((presets["program"] == program) & (presets["bank"] == bank))
        if not found.size:
            raise SoundfontError(f"{self.path}: no program {program} in bank {bank}")
        index = int(found[0])
        zones: list[Zone] = []
        for preset_zone in self._bags(b"phdr", b"pbag", b"pgen", index):
            instrument = preset_zone.get(LINK_INSTRUMENT)
            if instrument is None:
                continue
            for zone in self._bags(b"inst", b"ibag", b"igen", instrument):
                zones.extend(self._zone(preset_zone, zone))
        return tuple(zones)

    def _zone(self, preset_zone: dict[int, int], zone: dict[int, int]) -> Iterator[Zone]:
        """The zone of an instrument as a preset narrows it; none where nothing is left."""
        if LINK_SAMPLE not in zone:
            return
        sample = self.tables[b"shdr"][zone[LINK_SAMPLE]]
        keys = _overlap(_range(preset_zone, KEYS), _range(zone, KEYS))
        velocities = _overlap(_range(preset_zone, VELOCITIES), _range(zone, VELOCITIES))
        if sample["type"] == RIGHT or keys[0] > keys[1] or velocities[0] > velocities[1]:
            return
        seconds = float(sample["end"] - sample["start"]) / float(sample["rate"])
        yield Zone(keys, velocities, _text(sample["name"]), seconds, int(sample["rate"]))

    def _bags(self, owners: bytes, bags: bytes, generators: bytes, index: int) -> Iterator[dict[int, int]]:
        """The generators of each zone of one preset or instrument, over those of its global zone."""
        owner, bag, table = self.tables[owners], self.tables[bags], self.tables[generators]
        common: dict[int, int] = {}
        first, last = int(owner[index]["bag"]), int(owner[index + 1]["bag"])
        for i in range(first, last):
            rows = table[int(bag[i]["generator"]) : int(bag[i + 1]["generator"])]
            own = {int(row["kind"]): int(row["amount"]) for row in rows}
            if i == first and not {LINK_INSTRUMENT, LINK_SAMPLE} & own.keys():
                common = own
            else:
                yield common | own


def read_soundfont(path: Path) -> Soundfont:
    """Read a soundfont's tables, not its samples.

    Raises:
        SoundfontError: where the file is missing or no soundfont.
    """
    try:
        with path.open("rb") as file:
            tables = dict(_tables(file))
    except (OSError, ValueError) as error:
        raise SoundfontError(f"{path}: not a soundfont: {error}") from error
    missing = TABLES.keys() - tables.keys()
    if missing:
        raise SoundfontError(f"{path}: not a soundfont: no {', '.join(sorted(m.decode() for m in missing))}")
    return Soundfont(path, tables)


def recording_of(zones: tuple[Zone, ...], key: int, velocity: int) -> str:
    """The recording that sounds at a key: of several at once, the longest (the others are attacks laid over it)."""
    sounding = [z for z in zones if z.keys[0] <= key <= z.keys[1] and z.velocities[0] <= velocity <= z.velocities[1]]
    if not sounding:
        raise SoundfontError(f"no recording behind key {key} at velocity {velocity}")
    return max(sounding, key=lambda z: z.seconds).sample


def _tables(file: BinaryIO) -> Iterator[tuple[bytes, Table]]:
    """The tables of the `pdta` list, by the names of their chunks."""
    head = file.read(12)
    if head[:4] != b"RIFF" or head[8:] != b"sfbk":
        raise ValueError("no RIFF sfbk header")
    while len(head := file.read(8)) == 8:
        size = int.from_bytes(head[4:], "little")
        if head[:4] == b"LIST" and file.read(4) == b"pdta":
            continue  # its chunks follow
        if head[:4] in TABLES:
            table = TABLES[head[:4]]
            yield head[:4], np.frombuffer(file.read(size), dtype=table)
        else:
            inside = 4 if head[:4] == b"LIST" else 0
            file.seek(size + size % 2 - inside, 1)


def _range(generators: dict[int, int], kind: int) -> Range:
    if kind not in generators:
        return EVERYTHING
    return generators[kind] & 0xFF, generators[kind] >> 8


def _overlap(a: Range, b: Range) -> Range:
    return max(a[0], b[0]), min(a[1], b[1])


def _text(name: bytes) -> str:
    return name.split(b"\0")[0].decode("latin-1").strip()
