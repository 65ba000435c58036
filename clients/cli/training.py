"""`ostinato data`, `train` and `evaluate`: from a soundfont to a measured model."""

from __future__ import annotations

import json as json_format
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from ostinato.clients.cli.faults import Fault, bad_input, needs
from ostinato.clients.cli.options import SEED, Json, LocalModel, PrecisionOption, Temperature, within

if TYPE_CHECKING:
    from ostinato.models.training.recipe import BlockPlan

DataFolder = Annotated[Path, typer.Option("--data", help="The data set's folder.")]


def data(
    recordings: Annotated[
        Path | None, typer.Option("--from", help="A folder of your own recordings; else the orchestra is rendered.")
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", file_okay=False, help="The folder to make: data/orchestra, or data/mine with --from."
        ),
    ] = None,
    name: Annotated[str | None, typer.Option(help="With --from: the instrument's name. Default: the folder's.")] = None,
    licence: Annotated[str, typer.Option(help="With --from: of the recordings.")] = "unstated",
    only: Annotated[str, typer.Option(help="Some of the orchestra, with commas between: flute,violin.")] = "",
    soundfont_folder: Annotated[Path | None, typer.Option(help="Default: where Debian installs them.")] = None,
    jobs: Annotated[int | None, typer.Option(callback=within(1, 1024), help="Default: one a core.")] = None,
    seed: Annotated[int, SEED] = 0,
    json: Json = False,
) -> None:
    """Make a data set: of the orchestra's notes, from FluidR3 and MuseScore General, or of your own recordings.

    Your own may be single notes or phrases, in WAV, FLAC, AIFF or Ogg. What was used is told, and what was left out.
    """
    with faults_of_training():
        from ostinato.models.training.collecting import collect_data
        from ostinato.models.training.preparing import prepare_data
        from ostinato.models.training.render import SOUNDFONT_FOLDER
        from ostinato.models.training.soundfont import SoundfontError

        if recordings is not None:
            inventory = collect_data(recordings, out=out or Path("data/mine"), name=name, licence=licence, seed=seed)
            report = json_format.dumps(inventory.to_json())
            print(report if json else f"{inventory.table()}\n\n{inventory.summary()}")
            return
        with bad_input(SoundfontError):
            names = [part.strip() for part in only.split(",") if part.strip()]
            folder = soundfont_folder or SOUNDFONT_FOLDER
            made = prepare_data(out=out or Path("data/orchestra"), only=names, soundfonts=folder, seed=seed, jobs=jobs)
        if json:
            print(json_format.dumps({"folder": str(made)}))


def train(
    data: DataFolder = Path("data/orchestra"),
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="The checkpoint folder; the model is named after it.")
    ] = Path("runs/orchestra"),
    minutes: Annotated[float, typer.Option(callback=within(0.01, 1e5), help="Unless --steps is given.")] = 45.0,
    steps: Annotated[int | None, typer.Option(callback=within(1, 1e9), help="Exactly so many steps.")] = None,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="cuda: minutes instead of hours.")] = "cpu",
    threads: Annotated[int, typer.Option(callback=within(1, 1024), help="Of the CPU.")] = 1,
    learning_rate: Annotated[
        float | None,
        typer.Option(callback=within(1e-7, 1.0), help="Of the layers, at its highest. Default: the recipe's."),
    ] = None,
    strategy: Annotated[
        Literal["wavenet", "nade", "blocks", "hybrid"], typer.Option(help="What draws the samples. Default: a WaveNet.")
    ] = "wavenet",
    block: Annotated[
        int | None,
        typer.Option(
            callback=within(1, 64),
            help="With --strategy blocks: samples a block, a divisor of the hop of 64. Default: 16.",
        ),
    ] = None,
    inside: Annotated[
        Literal["parallel", "nade"] | None,
        typer.Option(help="With --strategy blocks: what draws the samples of a block. Default: a NADE."),
    ] = None,
    steering: Annotated[
        str | None, typer.Option(help="A model, by name or folder, whose control network to begin with.")
    ] = None,
    seed: Annotated[int, SEED] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where --out stopped.")] = False,
) -> None:
    """Train a model on a data set: in the background of a CPU, or with the same command on a GPU.

    The checkpoint in --out can be played while it is still being trained. A run that was interrupted goes on with
    --resume.
    """
    with faults_of_training():
        import torch

        from ostinato.models.checkpoint import CheckpointError
        from ostinato.models.registry import UnknownModelError
        from ostinato.models.training import running
        from ostinato.models.training.dataset import DatasetError

        if strategy != "blocks" and (block is not None or inside is not None):
            raise Fault(f"--block, --inside: these are for --strategy blocks, not {strategy}")
        if device == "cuda" and not torch.cuda.is_available():
            raise Fault("--device: 'cuda' was asked for, but torch finds no GPU here")
        if resume and not (out / running.STATE).is_file():
            raise Fault(f"--resume: {out / running.STATE}: nothing to resume")
        plan = _plan(block, inside)
        steers = bad_input(UnknownModelError, CheckpointError, about="--steering")
        with bad_input(DatasetError, about="--data"), steers:
            running.train(
                data=data,
                out=out,
                minutes=None if steps else minutes,
                steps=steps,
                device=device,
                threads=threads,
                seed=seed,
                strategy=strategy,
                plan=plan,
                steering=steering,
                learning_rate=learning_rate,
                resume=resume,
            )


def evaluate(
    model: LocalModel = "default",
    data: DataFolder = Path("data/orchestra"),
    out: Annotated[
        Path | None, typer.Option("--out", "-o", file_okay=False, help="Also write figures, pictures and a page.")
    ] = None,
    only: Annotated[str | None, typer.Option("--only", help="One instrument, by name.")] = None,
    every: Annotated[int, typer.Option(callback=within(1, 1e9), help="Play every Nth note.")] = 1,
    temperature: Temperature = None,
    precision: PrecisionOption = "auto",
    temperatures: Annotated[str | None, typer.Option(help="Compare several instead: 0.2,0.4,0.8")] = None,
    page_notes: Annotated[
        int, typer.Option(callback=within(1, 1e6), help="Notes to hear of each instrument and split.")
    ] = 6,
    jobs: Annotated[int | None, typer.Option(callback=within(1, 1024), help="Processes. Default: one a core.")] = None,
    seed: Annotated[int, SEED] = 0,
    json: Json = False,
) -> None:
    """Play a model free-running and measure it against its data set: pitch, noise, level, clicks, likelihood."""
    with faults_of_training():
        from ostinato.models.training import evaluating, summary
        from ostinato.models.training import temperatures as sweeping

        plan = evaluating.Plan(
            temperature=temperature,
            seed=seed,
            every=every,
            only=only,
            precision=precision,
            jobs=jobs,
            page_notes=page_notes,
        )
        if temperatures is not None:
            rows = sweeping.sweep(_numbers(temperatures), model=model, data=data, plan=plan)
            print(json_format.dumps(rows, indent=1) if json else summary.temperatures_text(rows))
            return
        report = evaluating.evaluate(model=model, data=data, out=out, plan=plan)
        print(evaluating.report_json(report) if json else summary.report_text(report))


def _plan(block: int | None, inside: Literal["parallel", "nade"] | None) -> BlockPlan | None:
    """What a model of blocks is asked for; None where nothing is. Raises a Fault where a hop is no whole blocks."""
    from ostinato.models.training.recipe import HOP, BlockPlan

    if block is not None and HOP % block:
        divisors = ", ".join(str(length) for length in range(1, HOP + 1) if HOP % length == 0)
        raise Fault(f"--block: {block} does not divide the hop of {HOP} ({divisors})")

    asked: dict[str, Any] = {"block": block, "inside": inside}
    given = {name: value for name, value in asked.items() if value is not None}
    return BlockPlan(**given) if given else None


def _numbers(text: str) -> list[float]:
    """Temperatures, with commas between them."""
    try:
        return [within(0, 2)(float(number)) for number in text.split(",")]
    except ValueError as error:
        raise typer.BadParameter(f"--temperatures {text}: numbers with commas between them") from error


@contextmanager
def faults_of_training() -> Iterator[None]:
    """Faults of training, told in a line. Its packages are an extra, and may not be there."""
    with needs("torch", "scipy", "tqdm", "matplotlib", "PIL"):
        from ostinato.models.checkpoint import CheckpointError
        from ostinato.models.config import ConfigError
        from ostinato.models.registry import UnknownModelError
        from ostinato.models.training.dataset import DatasetError
        from ostinato.models.training.loop import TrainingError
        from ostinato.models.training.render import RenderError

        with bad_input(DatasetError, TrainingError, RenderError, UnknownModelError, ConfigError, CheckpointError):
            yield
