"""`ostinato train`: train on a data set for as long as was asked, saving on the way."""

from __future__ import annotations

import re
import time
from dataclasses import replace
from pathlib import Path
from typing import Final

import torch

from ostinato.models.checkpoint import save_checkpoint
from ostinato.models.config import ModelConfig
from ostinato.models.registry import load_name_or_folder
from ostinato.models.training.budget import Budget
from ostinato.models.training.crops import CropPlan
from ostinato.models.training.dataset import Dataset, check_fit, read_dataset
from ostinato.models.training.loop import Settings, Trainer, TrainingError
from ostinato.models.training.notes import Split
from ostinato.models.training.recipe import BlockPlan, Strategy, instrument_config
from ostinato.models.training.reporting import Reporter

STATE: Final = "state.pt"
SAVE_EVERY_S: Final = 60.0

SETTINGS: Final[dict[str, Settings]] = {
    "wavenet": Settings(),
    # a sample of it costs a tenth; the lighter its past when played, the less its own noise feeds it
    "nade": Settings(crops=CropPlan(count=8), hops=1024, learning_rate=2e-3, past_weight=0.5),
    # its linear prediction is worth the more the cleaner the past that it learns from
    "blocks": Settings(crops=CropPlan(count=4), hops=512, learning_rate=3e-3, past_weight=0.95, noise=(-2.0, 0.5)),
    # its steps are hops; of standard normals the latents are drawn
    "hybrid": Settings(crops=CropPlan(count=4, samples=8192), hops=512, learning_rate=2e-3, noise=(0.0, 0.0)),
}
"""How each strategy is trained."""

SLOWLY: Final = 0.1  # of the learning rate of what steers, where it has learnt already

GPU_CROPS: Final = CropPlan(count=64, samples=8192)
GPU_HOPS: Final = 16384


def train(
    *,
    data: Path = Path("data/orchestra"),
    out: Path = Path("runs/orchestra"),
    minutes: float | None = 45.0,
    steps: int | None = None,
    device: str = "cpu",
    threads: int = 1,
    seed: int = 0,
    learning_rate: float | None = None,
    strategy: Strategy = "wavenet",
    plan: BlockPlan | None = None,
    steering: str | None = None,
    resume: bool = False,
    config: ModelConfig | None = None,
) -> Path:
    """Train on a data set for `minutes` (or exactly `steps`), and return the checkpoint folder `out`.

    `out` gets the averaged weights with their config, `state.pt` to resume from (both about every minute), and
    `loss.png`. `device` is cpu or cuda. The model is named after `out`, and plays the data set's instruments. A `plan`
    is for the strategy `blocks` alone.

    With `steering`, a model's name or folder, the run begins with that one's control network and tone, and changes them
    slowly.

    Raises:
        DatasetError: where the data set is missing or broken.
        TrainingError: where there is nothing to resume, the loss is not finite for long, or `steering` is of another
            shape.
        UnknownModelError: where `steering` is neither.
    """
    state = out / STATE
    if state.is_file() and not resume:
        raise TrainingError(f"{state}: a run is there already; go on with it (--resume), or name another folder")
    if resume and not state.is_file():
        raise TrainingError(f"{state}: nothing to resume")
    torch.set_num_threads(threads)
    torch.set_float32_matmul_precision("high")  # TF32 where a GPU has it
    steers = None if steering is None else load_name_or_folder(steering)  # before data, which takes long to read
    dataset = read_dataset(data)
    config = config or config_of(dataset, out, strategy, plan)
    check_fit(dataset, config.network, data)
    budget = Budget(steps=steps) if steps is not None else Budget(minutes=minutes)
    if config.strategy not in SETTINGS:
        raise TrainingError(f"strategy: a {config.strategy} learns from a model's playing: `ostinato distill`")
    settings = replace(SETTINGS[config.strategy], seed=seed)
    if learning_rate is not None:
        settings = replace(settings, learning_rate=learning_rate)
    if device == "cuda":
        settings = replace(settings, crops=GPU_CROPS, hops=GPU_HOPS)
    if steers is not None:
        settings = replace(settings, tone_rate=settings.tone_rate * SLOWLY)
    trainer = Trainer(config, dataset.of_split(Split.TRAIN), budget, settings, device)
    del dataset  # the trainer holds what it learns from: gigabytes need not be there twice
    if resume:
        trainer.resume(state)
    elif steers is not None:
        trainer.take_steering(steers)
    out.mkdir(parents=True, exist_ok=True)
    run(trainer, out)
    return out


def config_of(
    dataset: Dataset, out: Path, strategy: Strategy = "wavenet", plan: BlockPlan | None = None
) -> ModelConfig:
    """A model for the instruments of a data set."""
    licences = dict.fromkeys(source.licence for source in dataset.sources)
    return instrument_config(
        dataset.instruments,
        name=re.sub(r"[^a-z0-9._-]+", "-", out.name.lower()).strip("-._") or "instrument",
        licence=", ".join(licences),
        description=", ".join(i.name for i in dataset.instruments),
        strategy=strategy,
        plan=plan,
    )


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
