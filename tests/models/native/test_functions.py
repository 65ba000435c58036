"""The kernel's own polynomials against float64, on every instruction set that runs here."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.models.native import _kernel

Function = Callable[[NDArray[np.float64]], NDArray[np.float64]]

UNIT = (np.arange(2**16) * 256 + 1) / 2**24  # turns that 24 bits hold

RADIANS = np.linspace(-100, 100, 2**16)

CASES: dict[str, tuple[NDArray[np.float64], Function, float, float]] = {  # inputs, truth, relative, absolute
    "exp": (np.linspace(-87, 88, 2**16), np.exp, 3e-7, 0.0),
    "log": (np.exp(np.linspace(-80, 80, 2**16)), np.log, 3e-7, 1e-7),
    "tanh": (np.linspace(-12, 12, 2**16), np.tanh, 0.0, 2e-7),
    "sine": (UNIT, lambda u: np.sin(2 * np.pi * u), 0.0, 2e-7),
    "cosine": (UNIT, lambda u: np.cos(2 * np.pi * u), 0.0, 2e-7),
    "sine_of_radians": (RADIANS, np.sin, 0.0, 2e-7),
    "cosine_of_radians": (RADIANS, np.cos, 0.0, 2e-7),
    "gate": (np.linspace(-40, 40, 2**16), lambda x: np.tanh(x) / (1 + np.exp(-x)), 0.0, 2e-7),
}


KERNELS = [(isa, precision) for precision in ("float32", "int8") for isa in _kernel.isas(precision)]


def evaluate(isa: str, precision: str, function: str, inputs: NDArray[np.float32]) -> NDArray[np.float32]:
    out = np.empty_like(inputs)
    _kernel.evaluate(isa, function, inputs, out, precision)
    return out


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
@pytest.mark.parametrize("function", CASES)
def test_close_to_the_truth(isa: str, precision: str, function: str) -> None:
    inputs, truth, relative, absolute = CASES[function]
    single = inputs.astype(np.float32)
    expected = truth(single.astype(np.float64))
    np.testing.assert_allclose(evaluate(isa, precision, function, single), expected, rtol=relative, atol=absolute)


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
def test_exact_where_padding_needs_it(isa: str, precision: str) -> None:
    zero = np.zeros(16, dtype=np.float32)
    assert (evaluate(isa, precision, "exp", zero) == 1).all()
    assert (evaluate(isa, precision, "gate", zero) == 0).all()
    assert (evaluate(isa, precision, "tanh", zero) == 0).all()


@pytest.mark.parametrize(("isa", "precision"), KERNELS)
@pytest.mark.parametrize("function", ["exp", "tanh", "gate", "sine_of_radians", "cosine_of_radians"])
def test_finite_far_out(isa: str, precision: str, function: str) -> None:
    far = np.tile(np.array([-3e38, -1e5, 1e5, 3e38], dtype=np.float32), 4)
    assert np.isfinite(evaluate(isa, precision, function, far)).all()


@pytest.mark.skipif(len({"avx512", "avx2"} & set(_kernel.isas())) < 2, reason="needs both AVX-512 and AVX2")
@pytest.mark.parametrize("function", CASES)
def test_float32_has_the_same_bits_whatever_the_width(function: str) -> None:
    inputs = CASES[function][0].astype(np.float32)
    wide, narrow = (evaluate(isa, "float32", function, inputs) for isa in ("avx512", "avx2"))
    np.testing.assert_array_equal(wide, narrow)


@pytest.mark.parametrize("function", CASES)
def test_int8_has_the_same_bits_on_every_instruction_set(function: str) -> None:
    inputs = CASES[function][0].astype(np.float32)
    first, *others = (evaluate(isa, "int8", function, inputs) for isa in _kernel.isas("int8"))
    for other in others:
        np.testing.assert_array_equal(other, first)
