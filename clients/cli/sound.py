"""`ostinato synth`: a whole sound, rendered here or, with --server, by a server."""

from __future__ import annotations

import json as json_format
import sys
from typing import Annotated

import typer

from ostinato.clients.cli.faults import Fault
from ostinato.clients.cli.options import (
    SEED,
    ApiKey,
    DeviceOption,
    EngineOption,
    InstrumentName,
    Json,
    LocalModel,
    Notes,
    Output,
    PcmEncoding,
    PrecisionOption,
    Seconds,
    Song,
    Temperature,
    Velocity,
    Voices,
)
from ostinato.clients.cli.scores import Piece

HERE = ("engine", "device", "precision", "voices", "encoding")  # which a server chooses by itself


def synth(
    context: typer.Context,
    output: Output,
    song: Song = None,
    note: Notes = None,
    seconds: Seconds = 1.0,
    velocity: Velocity = 0.8,
    instrument: InstrumentName = None,
    model: LocalModel = "default",
    engine: EngineOption = "auto",
    device: DeviceOption = "auto",
    precision: PrecisionOption = "auto",
    seed: Annotated[int, SEED] = 0,
    temperature: Temperature = None,
    voices: Voices = 16,
    encoding: PcmEncoding = "pcm_s16le",
    server: Annotated[str | None, typer.Option("--server", help="Have it rendered by this server.")] = None,
    api_key: ApiKey = None,
    json: Json = False,
) -> None:
    """Render a MIDI file or notes: without a server, or with --server by one, over HTTP."""
    from ostinato.clients.cli.output import STDOUT, check_output

    check_output(output)
    piece = Piece(song, note or (), seconds, velocity, instrument)
    piece.check()
    if server is None:
        from ostinato.clients.cli.rendering import Rendering

        rendering = Rendering(model, engine, device, precision, voices, encoding, seed, temperature)
        figures = rendering.render(piece, output)
    else:
        from ostinato.clients.cli.synthesizing import Request

        for name in HERE:
            if _given(context, name):
                raise Fault(f"--{name}: with --server that is the server's to choose")
        request = Request(server, api_key, model if _given(context, "model") else None, seed, temperature)
        figures = request.synthesize(piece, output)
    if json:
        print(json_format.dumps(figures), file=sys.stderr if output == STDOUT else sys.stdout)


def _given(context: typer.Context, name: str) -> bool:
    """Whether an option stands on the command line."""
    source = context.get_parameter_source(name)
    return source is not None and source.name == "COMMANDLINE"
