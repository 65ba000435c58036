"""Calibrating: reaches that nothing heard exceeds, and a cost that was measured on what was left out."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ostinato.models.calibration import SMALLEST_REACH
from ostinato.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ostinato.models.config import (
    ExcitationConfig,
    Instrument,
    LocalConditioning,
    LogisticsHead,
    ModelConfig,
    ToneConfig,
    WaveNetConfig,
)
from ostinato.models.registry import UnknownModelError, random_checkpoint
from ostinato.models.sampling.torch_sampler import build_wavenet
from ostinato.models.training.dataset import DatasetError, Source, read_dataset
from ostinato.models.training.likelihood import network_of, teacher_forced_bits
from ostinato.models.training.notes import Split
from ostinato.models.training.quantizing import quantize, reach
from ostinato.models.training.writing import write_index, write_notes
from tests.models.training.tones import HOP, RATE, recordings

RECORDINGS = recordings()


def small() -> Checkpoint:
    network = WaveNetConfig(
        residual_channels=8,
        skip_channels=16,
        layers=3,
        dilation_cycle=(1, 2, 4),
        head=LogisticsHead(),
        local=LocalConditioning(hidden=(8,), channels=8),
        excitation=ExcitationConfig(harmonics=2),
        tone=ToneConfig(harmonics=4),
    )
    instruments = (Instrument(name="tone", low=60, high=71),)
    return random_checkpoint(ModelConfig(name="small", network=network, instruments=instruments))


@pytest.fixture
def model(tmp_path: Path) -> Path:
    save_checkpoint(small(), tmp_path / "small")
    return tmp_path / "small"


def write_data(folder: Path, split: Split) -> Path:
    """The toy data set, its last note of a split."""
    *trained, last = RECORDINGS
    notes = [*(r.note for r in trained), replace(last.note, split=split)]
    part = write_notes(folder, "tone", notes, [r.audio for r in RECORDINGS], sample_rate=RATE, hop=HOP)
    sources = [Source("tone", "computed", None, "CC0-1.0", part.gain)]
    write_index(folder, [Instrument(name="tone", low=60, high=71)], sources, [part], sample_rate=RATE, hop=HOP)
    return folder


def test_a_calibration_reaches_as_far_as_what_is_heard_and_no_further() -> None:
    checkpoint = small()
    few, all_ = reach(checkpoint, RECORDINGS[:1]), reach(checkpoint, RECORDINGS)
    for part in ("hidden", "gate", "head"):
        assert all(a <= b for a, b in zip(getattr(few, part), getattr(all_, part), strict=True))
    assert all(0 < g <= 1 for g in all_.gate)
    network = build_wavenet(checkpoint, torch.device("cpu"))
    heard: list[float] = []
    network.layers[1].register_forward_pre_hook(lambda _, inputs: heard.append(float(inputs[0].abs().max())))
    for recording in RECORDINGS:
        teacher_forced_bits(network, recording)
    assert all_.hidden[1] == max(heard)


def test_what_never_leaves_zero_has_levels_all_the_same() -> None:
    checkpoint = small()
    silent = {name: np.zeros_like(t) if ".skip." in name else t for name, t in checkpoint.tensors.items()}
    checkpoint = replace(checkpoint, tensors=silent)
    calibrated = replace(checkpoint, calibration=reach(checkpoint, RECORDINGS[:1]))
    assert calibrated.calibration is not None
    assert calibrated.calibration.head[0] == SMALLEST_REACH
    assert np.isfinite(teacher_forced_bits(network_of(calibrated, "int8"), RECORDINGS[0]))


def test_listening_leaves_no_hook_behind() -> None:
    checkpoint = small()
    assert reach(checkpoint, RECORDINGS[:1]) == reach(checkpoint, RECORDINGS[:1])


def test_what_int8_costs_is_measured_on_what_was_left_out_and_kept_beside_the_weights(
    model: Path, tmp_path: Path
) -> None:
    data = write_data(tmp_path / "data", Split.VELOCITY)
    found = quantize(model=str(model), data=data)
    (cost,) = found.costs
    assert (cost.instrument, cost.notes) == ("tone", 1)
    loaded = load_checkpoint(model)
    assert loaded.calibration == found.calibration
    assert found.calibration.bits_float32 == pytest.approx(cost.bits_float32)
    assert found.calibration.bits_int8 == pytest.approx(cost.bits_int8)
    with torch.no_grad():
        (left_out,) = read_dataset(data).of_split(Split.VELOCITY)
        own = [teacher_forced_bits(network_of(loaded, p), left_out) for p in ("float32", "int8")]
    assert own[0] != own[1]
    assert [cost.bits_float32, cost.bits_int8] == pytest.approx(own)


def test_a_stale_calibration_is_measured_again(model: Path, tmp_path: Path) -> None:
    (model / "int8.json").write_text('{"weights": "of another"}')
    quantize(model=str(model), data=write_data(tmp_path / "data", Split.PITCH))
    assert load_checkpoint(model).calibration is not None


def test_nothing_is_written_where_the_cost_can_not_be_measured(model: Path, tmp_path: Path) -> None:
    before = (model / "int8.json").read_bytes()
    with pytest.raises(DatasetError, match="no note was left out"):
        quantize(model=str(model), data=write_data(tmp_path / "data", Split.TRAIN))
    assert (model / "int8.json").read_bytes() == before


@pytest.mark.parametrize(("name", "told"), [("r32", "random weights"), ("nobody", "not known")])
def test_a_model_without_a_folder_is_refused_by_name(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(UnknownModelError, match=f"'{name}'.*{told}"):
        quantize(model=name, data=tmp_path)
