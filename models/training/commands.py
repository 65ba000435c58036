"""The three commands of training: make a data set, train on it, and say how the result sounds."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import torch

from ostinato.models.checkpoint import save_checkpoint
from ostinato.models.config import ModelConfig, WaveNetConfig
from ostinato.models.registry import load_name_or_folder
from ostinato.models.sampling.choose import open_sampler
from ostinato.models.training.budget import Budget
from ostinato.models.training.dataset import Dataset, DatasetError, Recording, read_dataset, write_dataset
from ostinato.models.training.evaluation import measure_bends, play_recordings
from ostinato.models.training.figures import make_report
from ostinato.models.training.loop import Settings, Trainer, TrainingError
from ostinato.models.training.measures import Audio
from ostinato.models.training.notes import Split
from ostinato.models.training.recipe import FLUTE, FLUTE_PROGRAM, default_config, flute_notes
from ostinato.models.training.render import SOUNDFONT, render_notes
from ostinato.models.training.reporting import Reporter

STATE: Final = "state.pt"
SAVE_EVERY_S: Final = 60.0
PICTURED_KEYS: Final = (60, 64, 72, 84)
PICTURED_VELOCITY: Final = 112


def prepare_data(*, out: Path = Path("data/flute"), soundfont: Path = SOUNDFONT, seed: int = 0) -> Path:
    """Render the flute's notes from a General MIDI soundfont into a data set, and return its folder.

    Raises:
        RenderError: where FluidSynth or the soundfont is missing, or plays nothing.
    """
    network = default_config().network
    notes = flute_notes(seed)
    rendered = render_notes(
        notes, soundfont=soundfont, program=FLUTE_PROGRAM, hop=network.hop, sample_rate=network.sample_rate
    )
    gain = write_dataset(
        out,
        notes,
        rendered,
        instrument=FLUTE.name,
        sample_rate=network.sample_rate,
        hop=network.hop,
        source=f"{soundfont.name}, program {FLUTE_PROGRAM}",
    )
    counts = ", ".join(f"{sum(n.split is s for n in notes)} {s.value}" for s in Split)
    print(f"{out}: {len(notes)} notes ({counts}), gain {gain:.3f}")
    return out


def train(
    *,
    data: Path = Path("data/flute"),
    out: Path = Path("runs/flute"),
    minutes: float | None = 45.0,
    steps: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    seed: int = 0,
    learning_rate: float = Settings.learning_rate,
    resume: bool = False,
    config: ModelConfig | None = None,
) -> Path:
    """Train on a data set for `minutes` (or exactly `steps`), and return the checkpoint folder `out`.

    `out` gets the averaged weights with their config, `state.pt` to resume from (both about every minute), and
    `loss.png`. `device` is cpu or cuda.

    Raises:
        DatasetError: where the data set is missing or broken.
        TrainingError: where there is nothing to resume, or the loss is not finite for long.
    """
    torch.set_num_threads(threads)
    config = config or default_config()
    dataset = read_dataset(data)
    check_fit(dataset, config.network, data)
    budget = Budget(steps=steps) if steps is not None else Budget(minutes=minutes)
    trainer = Trainer(
        config, dataset.of_split(Split.TRAIN), budget, Settings(seed=seed, learning_rate=learning_rate), device
    )
    state = out / STATE
    if resume and not state.is_file():
        raise TrainingError(f"{state}: nothing to resume")
    if resume:
        trainer.resume(state)
    out.mkdir(parents=True, exist_ok=True)
    run(trainer, out)
    return out


def run(trainer: Trainer, out: Path) -> None:
    """Step until the budget is spent, saving on the way."""
    from ostinato.models.training.pictures import draw_losses

    reporter, saved = Reporter(), time.monotonic()
    while trainer.done < 1:
        trainer.step()
        reporter.update(trainer)
        if time.monotonic() - saved > SAVE_EVERY_S:
            save(trainer, out)
            saved = time.monotonic()
    save(trainer, out)
    reporter.close(trainer)
    draw_losses(trainer.progress.losses, out / "loss.png")


def save(trainer: Trainer, out: Path) -> None:
    """Write the state to resume from, and the checkpoint to play."""
    trainer.save(out / STATE)
    save_checkpoint(trainer.checkpoint(), out)


def evaluate(
    *,
    model: str = "default",
    data: Path = Path("data/flute"),
    out: Path | None = None,
    temperature: float | None = None,
    slots: int = 16,
    seed: int = 0,
    every: int = 1,
) -> dict[str, Any]:
    """Play the unbent notes of a data set (or every `every`-th of them) free-running, and measure them.

    `model` is a name or a folder; `temperature` is the model's own where it is None. Returns figures for each split
    (`train`, `held-out pitch`, `held-out velocity`), bends, likelihoods, and each note; with `out`, also writes them to
    `evaluation.json` and pictures to `spectrograms.png` there.

    Raises:
        DatasetError: where the data set is missing or broken.
        UnknownModelError: where the model is.
    """
    checkpoint, dataset = load_name_or_folder(model), read_dataset(data)
    network = checkpoint.config.network
    check_fit(dataset, network, data)
    warmth = checkpoint.config.temperature if temperature is None else temperature
    recordings = [r for r in dataset.recordings if r.note.bend_cents == 0][::every]
    sampler, _ = open_sampler(checkpoint, slots=slots)
    played = play_recordings(sampler, recordings, warmth, seed)
    bent = [r.note for r in recordings if r.note.velocity == PICTURED_VELOCITY]
    bends = measure_bends(sampler, bent, warmth, seed)
    report = {"model": model, "engine": sampler.build.engine, "temperature": warmth, "seed": seed} | make_report(
        checkpoint, recordings, played, bends
    )
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        (out / "evaluation.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        draw_notes(recordings, played, out / "spectrograms.png", network.sample_rate)
    return report


def draw_notes(recordings: Sequence[Recording], played: Sequence[Audio], path: Path, sample_rate: int) -> None:
    """The spectrograms of a few notes beside their recordings."""
    from ostinato.models.training.pictures import draw_spectrograms

    rows = [
        (f"key {r.note.key:g}, {r.note.split.value}", r.audio, audio)
        for r, audio in zip(recordings, played, strict=True)
        if r.note.key in PICTURED_KEYS and r.note.velocity == PICTURED_VELOCITY
    ]
    if rows:
        draw_spectrograms(rows, path, sample_rate=sample_rate)


def check_fit(dataset: Dataset, network: WaveNetConfig, data: Path) -> None:
    """Refuse a data set of another sample rate or hop than the network's."""
    if (dataset.sample_rate, dataset.hop) != (network.sample_rate, network.hop):
        raise DatasetError(
            f"{data}: made for {dataset.sample_rate} Hz and a hop of {dataset.hop}, "
            f"not {network.sample_rate} Hz and {network.hop}; make it again"
        )
