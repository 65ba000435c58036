"""`ostinato compare`: every model and sampler on the same held-out notes."""

from __future__ import annotations

import json as json_format
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from ostinato.clients.cli.faults import bad_input
from ostinato.clients.cli.options import SEED, Json, within
from ostinato.clients.cli.training import DataFolder, faults_of_training


def known_engines(names: list[str] | None) -> list[str] | None:
    """Refuse a name that is no engine's, by it."""
    from ostinato.models.comparing.ways import ENGINES

    for name in names or ():
        if name not in ENGINES:
            raise typer.BadParameter(f"{name!r} is not one of {', '.join(ENGINES)}")
    return names


def compare(
    model: Annotated[
        list[str] | None, typer.Option("--model", "-m", help="May be repeated. Default: every one that was trained.")
    ] = None,
    engine: Annotated[
        list[str] | None,
        typer.Option(callback=known_engines, help="May be repeated. Default: all; torch and naive are timed alone."),
    ] = None,
    data: DataFolder = Path("data/orchestra"),
    notes: Annotated[int, typer.Option(callback=within(1, 1000), help="Held-out ones of each instrument.")] = 2,
    seconds: Annotated[float, typer.Option(callback=within(0.01, 3600), help="Each is timed, about.")] = 1.0,
    table: Annotated[
        Path | None, typer.Option(help="Also write the table between the markers <!-- compare --> of this file.")
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Also draw quality against speed, into this .png or .svg.")
    ] = None,
    seed: Annotated[int, SEED] = 0,
    json: Json = False,
) -> None:
    """Compare what models and samplers cost, how likely they find held-out notes, and how near they play to them."""
    with faults_of_training():
        from ostinato.models.benching.machine import this_machine
        from ostinato.models.benching.markers import MarkerError, check_markers, write_between_markers
        from ostinato.models.comparing import comparison, shown
        from ostinato.models.comparing.ways import ENGINES, shipped, ways_of
        from ostinato.models.sampling.contract import SamplerError

        with bad_input(MarkerError, SamplerError):
            if table:
                check_markers(table, "compare")
            ways = ways_of(tuple(model or shipped()), [e for e in ENGINES if not engine or e in engine])
            plan = comparison.Plan(notes=notes, seconds=seconds, seed=seed)
            rows = comparison.run(ways, data, plan, lambda what: print(f"{what} ...", file=sys.stderr))
            machine = this_machine()
            text = shown.markdown(shown.slowest_first(rows))
            if table:
                write_between_markers(table, text, "compare")
            if picture:
                shown.draw(rows, machine, picture)
        if json:
            print(json_format.dumps({"machine": asdict(machine), "rows": [asdict(row) for row in rows]}, indent=1))
        else:
            print(text)
