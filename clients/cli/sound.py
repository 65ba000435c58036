"""`ostinato synth` and `ostinato play`: the same sound, rendered here or streamed from a server."""

from __future__ import annotations

import json as json_format
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from ostinato.clients.cli.faults import ExitCode, Fault, bad_input
from ostinato.clients.cli.options import (
    SEED,
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
    within,
)

if TYPE_CHECKING:
    from ostinato.server.score import Playable, Score

WARNINGS_TOLD: Final = 5  # of those a stream can have; --json tells more


def synth(
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
) -> None:
    """Render a MIDI file or notes, without a server."""
    from ostinato.clients.cli.output import check_output, open_output
    from ostinato.clients.cli.status import Status
    from ostinato.models.checkpoint import CheckpointError
    from ostinato.models.config import ConfigError
    from ostinato.models.registry import UnknownModelError, load_name_or_folder
    from ostinato.models.sampling.choose import open_sampler
    from ostinato.models.sampling.contract import SamplerError
    from ostinato.server.cores import usable_cores
    from ostinato.server.pcm import encode
    from ostinato.server.protocol import ProtocolError
    from ostinato.server.render import render

    check_output(output)
    with bad_input(UnknownModelError, ConfigError, CheckpointError, about="--model"):
        checkpoint = load_name_or_folder(model)
    score = _score(checkpoint.config, song, note or (), seconds, velocity, instrument, voices)
    with bad_input(SamplerError, about=f"--engine {engine} --device {device} --precision {precision}"):
        sampler, why = open_sampler(checkpoint, engine, device, score.voices, precision, usable_cores())
    rate, status, done = checkpoint.config.network.sample_rate, Status(), 0
    began = time.perf_counter()
    with bad_input(ProtocolError), open_output(output, sample_rate=rate, encoding=encoding) as write:
        for block in render(score, sampler, seed, _controls(temperature)):
            write(encode(block, encoding))
            done += len(block)
            rtf = (time.perf_counter() - began) * rate / done
            status.show(f"{done / rate:7.2f} s of {score.samples / rate:.2f} s  RTF {rtf:.3f}")
    spent, length, build = time.perf_counter() - began, score.samples / rate, sampler.build
    status.say(
        f"{length:.2f} s of sound in {spent:.2f} s: RTF {spent / length:.3f}, {score.voices} voices, seed {seed}, "
        f"{build.engine} on {build.isa} in {build.precision} ({why})"
    )


def play(
    output: Output,
    song: Song = None,
    note: Notes = None,
    seconds: Seconds = 1.0,
    velocity: Velocity = 0.8,
    instrument: InstrumentName = None,
    server: Annotated[str, typer.Option(envvar="OSTINATO_URL", help="Its address.")] = "ws://127.0.0.1:8000",
    api_key: Annotated[str | None, typer.Option(envvar="OSTINATO_API_KEY", help="Where the server wants one.")] = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A name that the server knows.")] = "default",
    seed: Annotated[int | None, SEED] = None,
    temperature: Temperature = None,
    voices: Voices = 16,
    lead_ms: Annotated[float | None, typer.Option(callback=within(20, 10_000), help="Default: the server's.")] = None,
    mode: Annotated[Literal["live", "fast"], typer.Option(help="Paced by the clock, or as fast as it goes.")] = "live",
    encoding: PcmEncoding = "pcm_s16le",
    json: Json = False,
) -> None:
    """Stream a MIDI file or notes from a running server, with figures on stderr."""
    from ostinato.clients.cli.listen import described, listen, summary
    from ostinato.clients.cli.output import STDOUT, check_output, open_output
    from ostinato.clients.cli.served import ask_model
    from ostinato.clients.cli.status import Status
    from ostinato.clients.stream import connect
    from ostinato.server.protocol import AudioFormat, SessionStart

    check_output(output)
    with _stream_faults():
        with bad_input(ValueError, about="--server"):
            served = ask_model(server, model, api_key)
        score = _score(served, song, note or (), seconds, velocity, instrument, voices)
        rate, status = served.network.sample_rate, Status()
        start = SessionStart(
            model=model,
            voices=score.voices,
            format=AudioFormat(encoding=encoding),
            seed=seed,
            mode=mode,
            lead_ms=lead_ms,
            duration_s=score.samples / rate,
            controls=_controls(temperature),
        )
        with (
            connect(server, start, api_key=api_key) as stream,
            open_output(output, sample_rate=rate, encoding=encoding) as write,
        ):
            stream.perform(score.events)
            listen(stream, write, status)
    status.say(described(stream.report, rate))
    for warning in stream.report.warnings[:WARNINGS_TOLD]:
        status.say(f"ostinato: {warning}")
    if json:
        print(json_format.dumps(summary(stream)), file=sys.stderr if output == STDOUT else sys.stdout)
    if stream.report.errors:
        raise Fault(f"the server did not play it all: {stream.report.errors[0]}", ExitCode.OTHER)


def _controls(temperature: float | None) -> dict[str, float | str]:
    return {} if temperature is None else {"temperature": temperature}


def _score(
    model: Playable,
    song: Path | None,
    notes: Sequence[float],
    seconds: float,
    velocity: float,
    instrument: str | None,
    voices: int,
) -> Score:
    """The score of a MIDI file, or of notes held together; its warnings go to stderr."""
    from ostinato.server.midi import from_midi
    from ostinato.server.score import ScoreError, ScoreLimits, TimedNote, from_notes

    if (song is None) == (not notes):
        raise Fault("give a MIDI file or --note, one of the two")
    limits = ScoreLimits(voices=voices)
    if song is not None:
        with bad_input(ScoreError, OSError, about=str(song)):
            score = from_midi(_read(song, limits.file_bytes), model, limits)
    else:
        with bad_input(ScoreError):
            score = from_notes([TimedNote(n, seconds, 0.0, velocity, instrument) for n in notes], model, limits)
    for warning in score.warnings:
        print(f"ostinato: {warning}", file=sys.stderr)
    return score


def _read(path: Path, limit: int) -> bytes:
    """A file, or just more of it than the limit, which is then refused."""
    with path.open("rb") as file:
        return file.read(limit + 1)


@contextmanager
def _stream_faults() -> Iterator[None]:
    """What goes wrong between here and a server, each with its exit code."""
    from ostinato.clients.errors import RefusedError, StreamError, UnreachableError

    try:
        yield
    except UnreachableError as error:
        raise Fault(f"--server: {error}", ExitCode.UNREACHABLE) from error
    except RefusedError as error:
        raise Fault(f"the server refused: {error}", ExitCode.REFUSED) from error
    except StreamError as error:
        raise Fault(str(error), ExitCode.OTHER) from error
