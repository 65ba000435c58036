"""`ostinato distill`: a flow that plays as a model does, all samples of a hop at once."""

from __future__ import annotations

import json as json_format
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ostinato.clients.cli.options import SEED, Json, LocalModel, within
from ostinato.clients.cli.training import faults_of_training


def distill(
    model: LocalModel = "default",
    out: Annotated[
        Path, typer.Option("--out", "-o", file_okay=False, help="The checkpoint folder; the student is named after it.")
    ] = Path("runs/student"),
    minutes: Annotated[float, typer.Option(callback=within(0.01, 1e5), help="Unless --steps is given.")] = 20.0,
    steps: Annotated[int | None, typer.Option(callback=within(1, 1e9), help="Exactly so many steps.")] = None,
    data: Annotated[
        Path | None, typer.Option(help="A data set, to ask both how likely they find recordings held out of training.")
    ] = None,
    threads: Annotated[int, typer.Option(callback=within(1, 1024), help="Of the CPU.")] = 1,
    seed: Annotated[int, SEED] = 0,
    resume: Annotated[bool, typer.Option("--resume", help="Go on where --out stopped.")] = False,
    json: Json = False,
) -> None:
    """Teach a flow from nothing but a model's playing, and tell how far it stays from it: KL, in bits a sample.

    The student has the model's controls and tone, and draws all samples of a hop at once.
    """
    with faults_of_training():
        from ostinato.models.training.distilling import distill
        from ostinato.models.training.student import Settings

        made = distill(
            model=model,
            out=out,
            minutes=None if steps else minutes,
            steps=steps,
            data=data,
            threads=threads,
            resume=resume,
            settings=Settings(seed=seed),
        )
    if json:
        print(json_format.dumps(asdict(made)))
        return
    bits = made.divergence
    print(
        f"{made.steps} steps, {made.cpu_minutes:.1f} processor minutes\n"
        f"on notes it was not taught, at temperature 1: the model's entropy {bits.entropy:.3f} bits a sample, "
        f"cross-entropy {bits.cross_entropy:.3f}, KL(p || q) {bits.divergence:.3f} +- {bits.divergence_error:.3f}"
    )
    if made.recordings:
        print(
            f"on {made.recordings} held-out recordings: {made.bits_of_teacher:.3f} bits a sample by the model, "
            f"at most {made.bits_of_student:.3f} by the student"
        )
