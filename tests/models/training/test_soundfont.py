"""Zones of a soundfont, written here table by table."""

from pathlib import Path

import numpy as np
import pytest

from ostinato.models.training import soundfont
from ostinato.models.training.soundfont import SoundfontError, Zone, read_soundfont, recording_of


def span(low: int, high: int) -> int:
    return low | high << 8


def chunk(name: bytes, content: bytes) -> bytes:
    return name + len(content).to_bytes(4, "little") + content + b"\0" * (len(content) % 2)


def write(path: Path) -> Path:
    """One preset, narrowed to velocities 0..100, of an instrument with a pair of stereo samples and an attack."""
    tables = {
        b"phdr": np.array([(b"Flute", 73, 0, 0, 0, 0, 0), (b"EOP", 0, 0, 1, 0, 0, 0)], dtype=soundfont.PRESET),
        b"pbag": np.array([(0, 0), (2, 0)], dtype=soundfont.BAG),
        b"pgen": np.array([(44, span(0, 100)), (41, 0)], dtype=soundfont.GENERATOR),
        b"inst": np.array([(b"Flute", 0), (b"EOI", 4)], dtype=soundfont.INSTRUMENT),
        b"ibag": np.array([(0, 0), (1, 0), (3, 0), (5, 0), (8, 0)], dtype=soundfont.BAG),
        b"igen": np.array(
            [(48, 10), (43, span(60, 62)), (53, 0), (43, span(60, 62)), (53, 1), (43, span(60, 61)),
             (44, span(90, 127)), (53, 2)],
            dtype=soundfont.GENERATOR,
        ),
        b"shdr": np.array(
            [(b"C4(L)", 0, 44100, 0, 0, 44100, 60, 0, 1, 4), (b"C4(R)", 0, 44100, 0, 0, 44100, 60, 0, 0, 2),
             (b"Tongue", 0, 4410, 0, 0, 44100, 60, 0, 0, 1), (b"EOS", 0, 0, 0, 0, 0, 0, 0, 0, 0)],
            dtype=soundfont.SAMPLE,
        ),
    }  # fmt: skip
    pdta = b"pdta" + b"".join(chunk(name, table.tobytes()) for name, table in tables.items())
    content = b"sfbk" + chunk(b"LIST", b"sdta" + chunk(b"smpl", b"\1\2\3")) + chunk(b"LIST", pdta)
    path.write_bytes(chunk(b"RIFF", content))
    return path


def test_zones_are_the_instrument_s_as_the_preset_narrows_them(tmp_path: Path) -> None:
    zones = read_soundfont(write(tmp_path / "a.sf2")).zones(73)
    assert zones == (
        Zone((60, 62), (0, 100), "C4(L)", 1.0, 44100),
        Zone((60, 61), (90, 100), "Tongue", 0.1, 44100),
    )


def test_the_recording_behind_a_key_is_the_longest_that_sounds(tmp_path: Path) -> None:
    zones = read_soundfont(write(tmp_path / "a.sf2")).zones(73)
    assert recording_of(zones, 60, 95) == recording_of(zones, 62, 30) == "C4(L)"
    with pytest.raises(SoundfontError, match="key 63 at velocity 30"):
        recording_of(zones, 63, 30)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(SoundfontError, match="no program 5 in bank 0"):
        read_soundfont(write(tmp_path / "a.sf2")).zones(5)
    with pytest.raises(SoundfontError, match=r"none\.sf2"):
        read_soundfont(tmp_path / "none.sf2")
    (tmp_path / "text.sf2").write_text("not a soundfont")
    with pytest.raises(SoundfontError, match=r"text\.sf2: not a soundfont"):
        read_soundfont(tmp_path / "text.sf2")
    (tmp_path / "cut.sf2").write_bytes((tmp_path / "a.sf2").read_bytes()[:60])
    with pytest.raises(SoundfontError, match=r"cut\.sf2: not a soundfont"):
        read_soundfont(tmp_path / "cut.sf2")
