"""Limits are measured for every instruction set and precision that runs here."""

import math

import pytest

from ostinato.models.benching.limits import READ_SIZES, measured_limits, measured_rates
from ostinato.models.benching.roofline import PRECISIONS, Precision, Work
from ostinato.models.native import _kernel


@pytest.mark.parametrize("isa", _kernel.isas())
def test_limits_are_rates(isa: str) -> None:
    limits = measured_limits(isa)
    assert limits.isa == isa
    assert limits.read_gb_per_s.keys() == READ_SIZES.keys()
    assert limits.multiply_adds_g_per_s.keys() == set(PRECISIONS)
    for rate in (*limits.read_gb_per_s.values(), *limits.multiply_adds_g_per_s.values()):
        assert math.isfinite(rate)
        assert rate > 0


@pytest.mark.parametrize("precision", PRECISIONS)
@pytest.mark.parametrize("weight_bytes", [1, 4097, 1 << 20])
def test_any_amount_of_work_has_its_rates(precision: Precision, weight_bytes: int) -> None:
    rates = measured_rates(Work(weight_bytes, 1), precision, "")
    assert 0 < rates.bytes_per_s < math.inf
    assert 0 < rates.products_per_s < math.inf


def test_what_cannot_be_measured_is_refused() -> None:
    for size in (0, -1, 2**26 + 1):
        with pytest.raises(ValueError, match=r"bytes: outside 1\.\.2\^26"):
            _kernel.read_rate(size)
    with pytest.raises(ValueError, match="isa: 'mmx' does not run here"):
        _kernel.read_rate(4096, "mmx")
    with pytest.raises(ValueError, match="precision: 'int4', expected float32 or int8"):
        _kernel.multiply_rate("int4")
