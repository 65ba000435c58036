"""`ostinato budget`: what real time leaves a sample, and where each model stands."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from ostinato.clients.cli.faults import bad_input
from ostinato.clients.cli.options import Json, within


def budget(
    us_per_sample: Annotated[
        float, typer.Option("--us-per-sample", callback=within(1e-6, 1e9), help="What a sample costs, in microseconds.")
    ] = 1.0,
    sample_rate: Annotated[float, typer.Option(callback=within(1, 1e9), help="In Hz.")] = 44_100.0,
    block: Annotated[int, typer.Option(callback=within(1, 1e9), help="Samples drawn at once.")] = 64,
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="To time here; may be repeated. Default: every one known.")
    ] = None,
    seconds: Annotated[float, typer.Option(callback=within(0.01, 3600), help="For each model, about.")] = 0.5,
    measure: Annotated[bool, typer.Option("--measure/--no-measure", help="Time models, or only reckon.")] = True,
    json: Json = False,
) -> None:
    """Tell what of real time a cost per sample leaves, and where the installed models stand on a core of this one."""
    from ostinato.models.benching.budget import Budget, explained, standings, table
    from ostinato.models.checkpoint import CheckpointError
    from ostinato.models.config import ConfigError
    from ostinato.models.registry import UnknownModelError, names
    from ostinato.models.sampling.contract import SamplerError

    asked = Budget(sample_rate, us_per_sample, block)
    with bad_input(UnknownModelError, ConfigError, CheckpointError, SamplerError):
        rows = standings(tuple(model or names()), block=block, seconds=seconds) if measure else []
    if json:
        print(json_format.dumps({"budget": asked.to_json(), "models": [row.to_json() for row in rows]}, indent=1))
        return
    print(explained(asked))
    if rows:
        print(f"\n{table(rows)}")
