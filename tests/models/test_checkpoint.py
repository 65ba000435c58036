"""Checkpoints load whole or not at all, and say why not."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from safetensors.numpy import save_file
from safetensors.torch import save_file as save_torch_file

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint, CheckpointError, load_checkpoint, save_checkpoint

TINY = registry.load("tiny")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    save_checkpoint(TINY, tmp_path)
    return tmp_path


def rewrite(folder: Path, tensors: dict[str, NDArray[np.float32]]) -> None:
    save_file({k: np.ascontiguousarray(v) for k, v in tensors.items()}, folder / "weights.safetensors")


def test_what_was_saved_is_what_is_loaded(folder: Path) -> None:
    loaded = load_checkpoint(folder)
    assert loaded.config == TINY.config
    assert all(np.array_equal(loaded.tensors[k], v) for k, v in TINY.tensors.items())


def test_a_missing_tensor_is_named(folder: Path) -> None:
    rewrite(folder, {k: v for k, v in TINY.tensors.items() if k != "layers.2.skip.weight"})
    with pytest.raises(CheckpointError, match=r"layers\.2\.skip\.weight: missing"):
        load_checkpoint(folder)


def test_an_extra_tensor_is_named(folder: Path) -> None:
    rewrite(folder, {**TINY.tensors, "layers.9.skip.weight": np.zeros(3, np.float32)})
    with pytest.raises(CheckpointError, match=r"layers\.9\.skip\.weight: not a tensor"):
        load_checkpoint(folder)


def test_a_misshapen_tensor_is_named_with_both_shapes(folder: Path) -> None:
    rewrite(folder, {**TINY.tensors, "input.bias": np.zeros(3, np.float32)})
    with pytest.raises(CheckpointError, match=r"input\.bias: shape \(3,\), expected \(8,\)"):
        load_checkpoint(folder)


def test_a_value_that_is_not_finite_is_named(folder: Path) -> None:
    rewrite(folder, {**TINY.tensors, "input.bias": np.full(8, np.nan, np.float32)})
    with pytest.raises(CheckpointError, match=r"input\.bias: holds a value that is not finite"):
        load_checkpoint(folder)


def test_weights_of_another_type_are_named(folder: Path) -> None:
    halved = {name: torch.from_numpy(tensor.copy()).bfloat16() for name, tensor in TINY.tensors.items()}
    save_torch_file(halved, folder / "weights.safetensors")
    with pytest.raises(CheckpointError, match=r"input\.bias: BF16, expected F32"):
        load_checkpoint(folder)


def test_a_long_list_of_faults_is_cut(folder: Path) -> None:
    rewrite(folder, {})
    with pytest.raises(CheckpointError, match=r"missing\nand \d+ more$"):
        load_checkpoint(folder)


@pytest.mark.parametrize("size", [0, 4, 100])
def test_truncated_weights_are_refused_by_file(folder: Path, size: int) -> None:
    weights = folder / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:size])
    with pytest.raises(CheckpointError, match=r"weights\.safetensors"):
        load_checkpoint(folder)


@pytest.mark.parametrize("name", ["config.json", "weights.safetensors"])
def test_a_missing_file_is_named(folder: Path, name: str) -> None:
    (folder / name).unlink()
    with pytest.raises(CheckpointError, match=name):
        load_checkpoint(folder)


def test_weights_cannot_be_changed_once_loaded(folder: Path) -> None:
    loaded: Checkpoint = load_checkpoint(folder)
    with pytest.raises(ValueError, match="read-only"):
        loaded.tensors["input.bias"][0] = 1.0


def test_an_unknown_model_is_refused_with_what_is_known() -> None:
    with pytest.raises(registry.UnknownModelError, match=r"'fluet' is not known; known are .*tiny"):
        registry.load("fluet")
