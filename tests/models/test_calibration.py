"""A calibration lies beside the weights it was made for, or is refused by name."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ostinato.models import registry
from ostinato.models.calibration import KEEPS_QUALITY, Calibration
from ostinato.models.checkpoint import Checkpoint, CheckpointError, load_checkpoint, load_uncalibrated, save_checkpoint

TINY = registry.load("tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(TINY, tmp_path)
    return tmp_path


def rewrite(folder: Path, **changes: object) -> None:
    path = folder / "int8.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **changes}))


def test_what_was_saved_is_what_is_loaded(folder: Path) -> None:
    assert load_checkpoint(folder).calibration == TINY.calibration


def test_a_model_may_do_without(folder: Path) -> None:
    (folder / "int8.json").unlink()
    assert load_checkpoint(folder).calibration is None


def test_none_stays_beside_weights_that_have_none(folder: Path) -> None:
    save_checkpoint(replace(TINY, calibration=None), folder)
    assert not (folder / "int8.json").exists()


def test_one_of_other_weights_is_refused_and_can_be_measured_again(folder: Path) -> None:
    text = (folder / "int8.json").read_text()
    other = {name: tensor + np.float32(1) for name, tensor in TINY.tensors.items()}
    save_checkpoint(Checkpoint(TINY.config, other), folder)
    (folder / "int8.json").write_text(text)
    with pytest.raises(
        CheckpointError, match=r"weights: measured with '\w{64}', these are '\w{64}'.*ostinato quantize"
    ):
        load_checkpoint(folder)
    assert load_uncalibrated(folder).calibration is None


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"speed": 3}, r"speed: .*\(value: 3\)"),
        ({"gate": [1.0, 1.0, -1.0, 1.0]}, r"gate\.2: .*\(value: -1\.0\)"),
        ({"gate": [1.0, 1.0, "loud", 1.0]}, r"gate\.2: .*\(value: 'loud'\)"),
        ({"gate": [1.0, 1.0, 1e-9, 1.0]}, r"gate\.2: .*\(value: 1e-09\)"),
        ({"hidden": [1.0]}, "hidden: 1 values, expected 4"),
        ({"head": [1.0] * 3}, "head: 3 values, expected 1"),
        ({"bits_int8": float("nan")}, r"bits_int8: .*\(value: nan\)"),
        ({"weights": None}, "weights: measured with None"),
    ],
)
def test_what_is_wrong_is_named_with_its_value(folder: Path, changes: dict[str, Any], told: str) -> None:
    rewrite(folder, **changes)
    with pytest.raises(CheckpointError, match=told):
        load_checkpoint(folder)


@pytest.mark.parametrize(("text", "told"), [("{", "not JSON"), ("[]", "a JSON object, not list")])
def test_what_is_no_calibration_at_all_is_refused(folder: Path, text: str, told: str) -> None:
    (folder / "int8.json").write_text(text)
    with pytest.raises(CheckpointError, match=told):
        load_checkpoint(folder)


def test_int8_keeps_quality_only_where_that_was_measured() -> None:
    reaches = {"hidden": (1.0,), "gate": (1.0,), "head": (1.0,)}
    assert not Calibration(**reaches).keeps_quality
    assert not Calibration(**reaches, bits_float32=5.0).keeps_quality
    for extra, keeps in ((-0.01, True), (KEEPS_QUALITY / 2, True), (2 * KEEPS_QUALITY, False)):
        calibration = Calibration(**reaches, bits_float32=5.0, bits_int8=5.0 + extra)
        assert calibration.extra_bits == pytest.approx(extra)
        assert calibration.keeps_quality is keeps


def test_the_default_keeps_its_quality_in_int8() -> None:
    calibration = registry.load("default").calibration
    assert calibration is not None
    assert calibration.keeps_quality
