"""`ostinato quantize`: how far a model's activations reach, and what int8 costs on notes that training left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ostinato.models.calibration import SMALLEST_REACH, Calibration
from ostinato.models.checkpoint import Checkpoint, load_uncalibrated, save_calibration
from ostinato.models.registry import folder_of
from ostinato.models.sampling.torch_sampler import build_wavenet
from ostinato.models.training.choosing import of_each
from ostinato.models.training.dataset import Dataset, DatasetError, Recording, check_fit, read_dataset
from ostinato.models.training.evaluating import check_instruments
from ostinato.models.training.likelihood import network_of, teacher_forced_bits
from ostinato.models.training.notes import Split
from ostinato.models.wavenet import Layer, WaveNet


@dataclass(frozen=True)
class Plan:
    """How many notes are heard."""

    trained: int = 12  # of each instrument, for the reach of activations
    held_out: int = 2  # of each instrument and split that training left out, for what int8 costs


@dataclass(frozen=True)
class Cost:
    """What int8 costs an instrument: bits a sample, means over so many held-out notes."""

    instrument: str
    notes: int
    bits_float32: float
    bits_int8: float


@dataclass(frozen=True)
class Quantized:
    """A model's calibration, and what it costs each instrument."""

    calibration: Calibration
    costs: tuple[Cost, ...]

    def to_json(self) -> dict[str, Any]:
        """For --json."""
        measured = {"extra_bits": self.calibration.extra_bits, "keeps_quality": self.calibration.keeps_quality}
        return measured | self.calibration.model_dump(mode="json") | {"instruments": [vars(c) for c in self.costs]}


def quantize(*, model: str = "default", data: Path = Path("data/orchestra"), plan: Plan | None = None) -> Quantized:
    """Calibrate a model on notes it was trained on, measure int8 on notes that were left out, and write `int8.json`.

    An activation's levels reach to the largest magnitude it takes on the trained notes, teacher-forced, so that
    nothing of what was heard is clipped.

    Raises:
        DatasetError: where the data set is missing or broken, has other instruments, or left no note out.
        UnknownModelError: where the model has no folder.
    """
    plan = plan or Plan()
    folder, dataset = folder_of(model), read_dataset(data)
    checkpoint = load_uncalibrated(folder)
    check_fit(dataset, checkpoint.config.wavenet, data)
    check_instruments([i.name for i in dataset.instruments], dataset, checkpoint)
    trained = _some(dataset.of_split(Split.TRAIN), plan.trained)
    held_out = _some([r for r in dataset.recordings if r.note.split is not Split.TRAIN], plan.held_out)
    if not held_out:
        raise DatasetError(f"{data}: no note was left out of training, so what int8 costs can't be measured")
    reached = reach(checkpoint, trained)
    costs = tuple(_costs(replace(checkpoint, calibration=reached), dataset, held_out))
    bits = np.array([[c.notes, c.notes * c.bits_float32, c.notes * c.bits_int8] for c in costs]).sum(axis=0)
    measured = {"bits_float32": bits[1] / bits[0], "bits_int8": bits[2] / bits[0]}
    calibration = Calibration.model_validate({**reached.model_dump(), **measured})
    save_calibration(replace(checkpoint, calibration=calibration), folder)
    return Quantized(calibration, costs)


def _costs(checkpoint: Checkpoint, dataset: Dataset, held_out: Sequence[Recording]) -> Iterator[Cost]:
    """What int8 costs each instrument."""
    floats, integers = network_of(checkpoint, "float32"), network_of(checkpoint, "int8")
    for index, instrument in enumerate(dataset.instruments):
        own = [r for r in held_out if r.note.instrument == index]
        if own:
            bits = (np.mean([teacher_forced_bits(n, r) for r in own]) for n in (floats, integers))
            yield Cost(instrument.name, len(own), *map(float, bits))


def reach(checkpoint: Checkpoint, recordings: Sequence[Recording]) -> Calibration:
    """The largest magnitudes of a model's activations over recordings, teacher-forced, in float32."""
    network = build_wavenet(checkpoint, torch.device("cpu"))
    with reaching(network) as reached:
        for recording in recordings:
            teacher_forced_bits(network, recording)
    return reached()


@contextmanager
def reaching(network: WaveNet) -> Iterator[Callable[[], Calibration]]:
    """What activations reach while a float32 network runs; what is given tells it, without what int8 costs."""
    layers = [layer for layer in network.layers if isinstance(layer, Layer)]
    hidden, gate, head = np.zeros(len(layers)), np.zeros(len(layers)), np.zeros(len(network.head))
    places = [
        *((layer, hidden, i) for i, layer in enumerate(layers)),
        *((layer.skip, gate, i) for i, layer in enumerate(layers)),
        *((matrix, head, i) for i, matrix in enumerate(network.head)),
    ]
    named = (("hidden", hidden), ("gate", gate), ("head", head))
    with _listening(places):
        yield lambda: Calibration(**{k: tuple(np.maximum(v, SMALLEST_REACH)) for k, v in named})


@contextmanager
def _listening(places: Sequence[tuple[nn.Module, np.ndarray, int]]) -> Iterator[None]:
    """Keep the largest magnitude that enters each module at its place."""

    def keep(to: np.ndarray, at: int) -> Callable[[nn.Module, tuple[Tensor, ...]], None]:
        def hear(_: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            to[at] = max(to[at], float(inputs[0].abs().max()))

        return hear

    handles = [module.register_forward_pre_hook(keep(to, at)) for module, to, at in places]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


def _some(recordings: Sequence[Recording], count: int) -> list[Recording]:
    """So many of each instrument and split, evenly over its range."""
    return of_each(recordings, lambda r: (r.note.instrument, r.note.split), count, lambda r: r.note.key)
