"""Weights in whole numbers: near what they stand for, and never so large that a sum leaves 32 bits."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models import registry
from ostinato.models.calibration import LARGEST_REACH, SMALLEST_REACH, Calibration, CalibrationError
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.quantization import (
    HEAD_WEIGHT_TOP,
    LEVEL_TOP,
    OFFSET_TOP,
    SUM_TOP,
    head_top,
    integers,
    skip_top,
)
from tests.models.sampling.networks import checkpoints

TINY = registry.load("tiny")
R16 = registry.load("r16")


@settings(max_examples=25, deadline=None)
@given(checkpoints())
def test_every_weight_is_within_half_a_step_of_its_level(checkpoint: Checkpoint) -> None:
    found = integers(checkpoint)
    units = {"dilated": "hidden", "residual": "gate"}
    for i in range(checkpoint.config.wavenet.layers):
        for part, unit in units.items():
            name = f"layers.{i}.{part}"
            if f"{name}.weight" not in checkpoint.tensors:
                continue
            step = found[f"{name}.scale"] * found[f"{unit}.levels"][i]
            step = step.reshape(-1, *[1] * (found[f"{name}.levels"].ndim - 1))
            error = np.abs(found[f"{name}.levels"] * step - checkpoint.tensors[f"{name}.weight"])
            assert (error <= 0.501 * step).all()
        step = (found["skip.scale"] * found["gate.levels"][i])[:, None]
        error = np.abs(found[f"layers.{i}.skip.levels"] * step - checkpoint.tensors[f"layers.{i}.skip.weight"])
        assert (error <= 0.501 * step).all()


@settings(max_examples=25, deadline=None)
@given(checkpoints())
def test_the_worst_sums_of_a_network_stay_within_32_bits(checkpoint: Checkpoint) -> None:
    found, network = integers(checkpoint), checkpoint.config.wavenet
    skip = np.abs(found["skip.offset"]).astype(np.int64)
    for i in range(network.layers):
        skip += LEVEL_TOP * np.abs(found[f"layers.{i}.skip.levels"].astype(np.int64)).sum(axis=1)
        assert LEVEL_TOP * np.abs(found[f"layers.{i}.dilated.levels"].astype(np.int64)).sum(axis=(1, 2)).max() < SUM_TOP
    assert skip.max() <= SUM_TOP
    for j, top in enumerate(found["head.top"]):
        assert int(top) * np.abs(found[f"head.{j}.levels"].astype(np.int64)).sum(axis=1).max() <= SUM_TOP


@given(st.integers(1, 1024 * 256))
def test_no_width_or_depth_that_a_config_allows_lets_the_skip_sum_overflow(inputs: int) -> None:
    assert 1 <= skip_top(inputs) <= LEVEL_TOP
    assert inputs * LEVEL_TOP * skip_top(inputs) + OFFSET_TOP <= SUM_TOP


@given(st.integers(1, 4096))
def test_no_width_that_a_config_allows_lets_the_head_overflow(inputs: int) -> None:
    assert head_top(inputs) >= LEVEL_TOP
    assert inputs * HEAD_WEIGHT_TOP * head_top(inputs) <= SUM_TOP


def test_rows_of_zeros_become_levels_of_zero_with_steps_that_are_finite() -> None:
    found = integers(replace(R16, tensors={name: np.zeros_like(t) for name, t in R16.tensors.items()}))
    for name, array in found.items():
        assert np.isfinite(array).all(), name
        if name.endswith("scale"):
            assert (array > 0).all(), name
        elif name not in ("hidden.levels", "gate.levels", "head.levels", "head.top"):
            assert not array.any(), name


@given(st.floats(1e-3, 1e20), st.sampled_from([-1, 1]))
def test_a_bias_huge_beside_its_row_widens_the_step(size: float, sign: int) -> None:
    residual = R16.config.wavenet.residual_channels
    bias, weight = np.full(residual, sign * size, np.float32), np.zeros((residual, residual), np.float32)
    other = {"layers.0.residual.bias": bias, "layers.0.residual.weight": weight}
    found = integers(replace(R16, tensors=R16.tensors | other))
    offset, scale = found["layers.0.residual.offset"], found["layers.0.residual.scale"]
    assert (np.abs(offset) <= OFFSET_TOP).all()
    np.testing.assert_allclose(offset * scale.astype(np.float64), bias, rtol=1e-6)


@given(st.floats(SMALLEST_REACH, LARGEST_REACH))
def test_any_reach_that_a_calibration_may_state_has_levels_and_scales(reach: float) -> None:
    network = TINY.config.wavenet
    calibration = Calibration(
        hidden=(reach,) * network.layers,
        gate=(reach,) * network.layers,
        head=(reach,) * (len(network.head_widths) - 1),
    )
    for name, array in integers(replace(TINY, calibration=calibration)).items():
        assert np.isfinite(array).all(), name
        if name.endswith("scale") or array.dtype == np.float32:
            assert (array > 0).all(), name


def test_the_same_checkpoint_gives_the_same_integers() -> None:
    once, again = integers(R16), integers(registry.load("r16"))
    assert once.keys() == again.keys()
    assert all(np.array_equal(once[name], again[name]) for name in once)


def test_a_checkpoint_that_was_never_calibrated_is_refused() -> None:
    with pytest.raises(CalibrationError, match=r"int8\.json.*ostinato quantize"):
        integers(replace(TINY, calibration=None))
