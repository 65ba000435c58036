"""Limits are measured for every instruction set and precision that runs here."""

import math
from pathlib import Path

import pytest

from ostinato.models.benching import limits
from ostinato.models.benching.limits import measured_limits, read_sizes
from ostinato.models.benching.roofline import PRECISIONS
from ostinato.models.native import _kernel
from ostinato.models.sampling.contract import SamplerError


@pytest.mark.parametrize("isa", _kernel.isas())
def test_limits_are_rates(isa: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_ISA", isa)
    monkeypatch.setattr(limits, "TAKES", 1)
    measured = measured_limits()
    assert measured.isa == isa
    assert measured.read_gb_per_s.keys() == measured.read_bytes.keys() == {"L1", "L2", "beyond"}
    assert measured.multiply_adds_g_per_s.keys() == set(PRECISIONS)
    for rate in (*measured.read_gb_per_s.values(), *measured.multiply_adds_g_per_s.values()):
        assert math.isfinite(rate)
        assert rate > 0


def test_an_instruction_set_that_is_not_here_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OSTINATO_ISA", "mmx")
    with pytest.raises(SamplerError, match="isa: 'mmx' does not run here"):
        measured_limits()


@pytest.mark.parametrize("size", [1, 4097, 1 << 20])
def test_any_number_of_bytes_can_be_read(size: int) -> None:
    assert 0 < _kernel.read_rate(size) < math.inf


def test_what_cannot_be_measured_is_refused() -> None:
    for size in (0, -1, 2**26 + 1):
        with pytest.raises(ValueError, match=r"bytes: outside 1\.\.2\^26"):
            _kernel.read_rate(size)
    with pytest.raises(ValueError, match="precision: 'int4', expected float32 or int8"):
        _kernel.multiply_rate("int4")


def describe(caches: Path, *told: tuple[int, str, str]) -> None:
    for index, (level, kind, size) in enumerate(told):
        cache = caches / f"index{index}"
        cache.mkdir()
        for name, text in (("level", str(level)), ("type", kind), ("size", size)):
            (cache / name).write_text(f"{text}\n", encoding="ascii")


def test_what_is_read_fits_the_caches_that_the_system_describes(tmp_path: Path) -> None:
    describe(tmp_path, (1, "Instruction", "64K"), (1, "Data", "48K"), (2, "Unified", "1024K"), (3, "Unified", "32768K"))
    assert read_sizes(tmp_path) == {"L1": 24 << 10, "L2": 512 << 10, "beyond": 4 << 20}


def test_caches_that_nobody_describes_are_taken_to_be_small(tmp_path: Path) -> None:
    sizes = read_sizes(tmp_path / "none")
    assert sizes["L1"] < sizes["L2"] < sizes["beyond"]


def test_no_more_is_read_than_can_be(tmp_path: Path) -> None:
    describe(tmp_path, (1, "Data", "64K"), (2, "Unified", "65536K"))
    assert read_sizes(tmp_path)["beyond"] == 2**26
