"""`ostinato distill`: teach a student from a model's playing, and measure how far it stays from it."""

from __future__ import annotations

import json
import math
import re
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch

from ostinato.models.checkpoint import Checkpoint, load_checkpoint, save_checkpoint
from ostinato.models.config import ConfigError
from ostinato.models.flow_network import FlowNetwork
from ostinato.models.registry import load_name_or_folder
from ostinato.models.training.budget import Budget
from ostinato.models.training.choosing import of_each
from ostinato.models.training.dataset import Recording, check_fit, read_dataset
from ostinato.models.training.likelihood import network_of, teacher_forced_bits, weigher_of
from ostinato.models.training.loop import TrainingError
from ostinato.models.training.notes import Split
from ostinato.models.training.student import Distiller, Lesson, Settings, at_temperature_1, bits_of_samples, lesson_of
from ostinato.models.training.teaching import HELD_OUT, Divergence, play

STATE: Final = "state.pt"
REPORT: Final = "distillation.json"
SAVE_EVERY_S: Final = 60.0
TOLD_EVERY: Final = 100  # steps


@dataclass(frozen=True)
class Distilled:
    """What a finished run has to tell."""

    steps: int
    cpu_minutes: float  # of this process, the model's playing included; of the last call where a run was resumed
    divergence: Divergence
    bits_of_teacher: float | None  # on recordings that were held out, None where there are none
    bits_of_student: float | None
    recordings: int


@torch.no_grad()
def measure(model: Checkpoint, student: Checkpoint, settings: Settings) -> Divergence:
    """How far a student is from its model, on what the model plays at temperature 1."""
    model = at_temperature_1(model)
    playing = play(model, settings, HELD_OUT)
    teacher, network = network_of(model, "float32"), weigher_of(student, "float32")
    assert isinstance(network, FlowNetwork)
    lesson = lesson_of(playing, network, np.random.default_rng((settings.seed, 3)))
    own, other = [], []
    for row in range(settings.notes):
        note = slice(row, row + 1)
        parameters = teacher(playing.samples[note], playing.frames[note], playing.phase[note])
        own.append(-float(teacher.distribution.log_prob(parameters, playing.samples[note]).mean()) / math.log(2))
        one = Lesson(lesson.left[note], lesson.log_scale[note], lesson.frames[note])
        other.append(float(bits_of_samples(network, one).mean()))
    return Divergence.between(own, other)


def bits_on_recordings(checkpoint: Checkpoint, recordings: Sequence[Recording]) -> float:
    """Mean bits a sample of whole notes; of a flow, of notes spread over their levels."""
    network = weigher_of(checkpoint, "float32")
    return float(np.mean([teacher_forced_bits(network, recording) for recording in recordings]))


def distill(
    *,
    model: str = "default",
    out: Path = Path("runs/student"),
    minutes: float | None = 20.0,
    steps: int | None = None,
    data: Path | None = None,
    threads: int = 1,
    resume: bool = False,
    settings: Settings | None = None,
) -> Distilled:
    """Teach a student of a model, by name or folder, for `minutes` (or exactly `steps`); its checkpoint is in `out`.

    `out` also gets `state.pt` to resume from (both about every minute), `distillation.json` with what is returned, and
    `loss.png`. With `data`, both are also asked how likely they find a held-out recording of each instrument.

    Raises:
        DatasetError: where the data set is missing or broken.
        TrainingError: where there is nothing to resume, a run is there already, the model can't be a teacher or is not
            the run's own, or the loss is not finite.
        UnknownModelError: where the model is.
    """
    state, settings = out / STATE, settings or Settings()
    if state.is_file() and not resume:
        raise TrainingError(f"{state}: a run is there already; go on with it (--resume), or name another folder")
    if resume and not state.is_file():
        raise TrainingError(f"{state}: nothing to resume")
    torch.set_num_threads(threads)
    teacher, began = load_name_or_folder(model), time.process_time()
    recordings = held_out(data, teacher) if data is not None else []
    name = re.sub(r"[^a-z0-9._-]+", "-", out.name.lower()).strip("-._") or "student"
    budget = Budget(steps=steps) if steps is not None else Budget(minutes=minutes)
    check_weighable(teacher)
    distiller = Distiller(teacher, name, budget, settings)
    if resume:
        distiller.resume(state)
    out.mkdir(parents=True, exist_ok=True)
    run(distiller, out)
    student = load_checkpoint(out)
    bits = [bits_on_recordings(c, recordings) if recordings else None for c in (teacher, student)]
    cpu = (time.process_time() - began) / 60
    distilled = Distilled(
        distiller.progress.step, cpu, measure(teacher, student, settings), bits[0], bits[1], len(recordings)
    )
    (out / REPORT).write_text(json.dumps(asdict(distilled), indent=1) + "\n", encoding="utf-8")
    return distilled


def check_weighable(teacher: Checkpoint) -> None:
    """Refuse a model that tells no probabilities of its samples one by one, before time is spent on its student."""
    try:
        network_of(teacher, "float32")
    except ConfigError as error:
        raise TrainingError(f"model: {teacher.config.name!r} can't be weighed as a teacher: {error}") from error


def run(distiller: Distiller, out: Path) -> None:
    """Step until the budget is spent, saving on the way."""
    from ostinato.models.training.pictures import draw_losses

    losses, saved = distiller.progress.losses, time.monotonic()
    while distiller.done < 1:
        distiller.step()
        if len(losses) % TOLD_EVERY == 0:
            recent = float(np.mean(losses[-TOLD_EVERY:]))
            print(
                f"{distiller.done:6.1%}  step {len(losses)}, {recent:.3f} bits per sample", file=sys.stderr, flush=True
            )
        if time.monotonic() - saved > SAVE_EVERY_S:
            save(distiller, out)
            saved = time.monotonic()
    save(distiller, out)
    draw_losses(losses, out / "loss.png")


def save(distiller: Distiller, out: Path) -> None:
    """Write the state to resume from, and the checkpoint to play."""
    distiller.save(out / STATE)
    save_checkpoint(distiller.checkpoint(), out)


def held_out(data: Path, model: Checkpoint) -> list[Recording]:
    """A recording of each instrument that training left out, from the middle of its range."""
    dataset = read_dataset(data)
    check_fit(dataset, model.config.network, data)
    left_out = [r for r in dataset.recordings if r.note.split is not Split.TRAIN]
    return of_each(left_out, lambda r: r.note.instrument, 1, lambda r: r.note.key)
