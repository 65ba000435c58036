"""`ostinato draft`: a small network that proposes what a model is about to draw."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from ostinato.clients.cli.options import SEED, Json, LocalModel, within
from ostinato.clients.cli.training import faults_of_training


def draft(
    model: LocalModel = "default",
    minutes: Annotated[float, typer.Option(callback=within(0.01, 1e5), help="Unless --steps is given.")] = 10.0,
    steps: Annotated[int | None, typer.Option(callback=within(1, 1e9), help="Exactly so many steps.")] = None,
    threads: Annotated[int, typer.Option(callback=within(1, 1024), help="Of the CPU.")] = 1,
    seed: Annotated[int, SEED] = 0,
    json: Json = False,
) -> None:
    """Teach a draft from nothing but a model's playing, and write it beside the model's weights.

    The engine `speculative` then draws through it: the same distribution, by windows of proposals that the model
    judges at once.
    """
    with faults_of_training():
        from ostinato.models.training.drafting import Settings, make_draft

        settings = Settings(seed=seed)
        made = make_draft(
            model=model, minutes=None if steps else minutes, steps=steps, threads=threads, settings=settings
        )
        if json:
            print(json_format.dumps({name: value for name, value in vars(made).items() if name != "checkpoint"}))
            return
        network = made.checkpoint.config.network
        print(
            f"{network.macs_per_sample:,} multiply-adds a sample, {made.steps} steps, "
            f"{made.minutes:.1f} processor minutes\n"
            f"on notes it was not taught: {made.cross_entropy:.3f} bits a sample, {made.divergence:.3f} +- "
            f"{made.divergence_error:.3f} more than the model's own"
        )
