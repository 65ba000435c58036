"""`ostinato startup`: how long a server takes from its command until it can be used."""

from __future__ import annotations

import json as json_format
from typing import Annotated

import typer

from ostinato.clients.cli.faults import ExitCode, Fault
from ostinato.clients.cli.options import Json


def startup(
    options: Annotated[list[str] | None, typer.Argument(help="Of `ostinato serve`, after --.")] = None,
    json: Json = False,
    check: Annotated[bool, typer.Option("--check", help="Fail, with exit code 5, where a bar is missed.")] = False,
) -> None:
    """Start a server, measure until it is ready, what it holds then, and end it. On Linux."""
    from ostinato.clients.startup import PROC, StartUpError, start_up

    if not PROC.is_dir():
        raise Fault(f"{PROC} is missing here, which tells what a process holds", ExitCode.OTHER)
    try:
        measured = start_up(options or ())
    except StartUpError as error:
        raise Fault(str(error), ExitCode.OTHER) from error
    if json:
        print(json_format.dumps(measured.as_dict(), indent=1))
    else:
        print(f"ready     {measured.ready_s:.2f} s after the command")
        print(f"check     {measured.check_s:.3f} s of it")
        print(f"resident  {measured.resident_mb:.0f} MB")
        print(f"torch     {'loaded' if measured.torch else 'not loaded'}")
        print(f"live      {', '.join(measured.live) or 'none'}")
        for model, rtf in measured.too_slow.items():
            print(f"too slow  {model}, RTF {rtf:.3f}")
    missed = measured.missed()
    if check and missed:
        raise Fault("\n".join(missed), ExitCode.MISSED)
