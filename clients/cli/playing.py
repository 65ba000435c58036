"""`ostinato play`: a piece, or what is played on a MIDI keyboard, streamed from a server."""

from __future__ import annotations

import json as json_format
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from ostinato.clients.cli.faults import ExitCode, Fault, bad_input, stream_faults
from ostinato.clients.cli.options import (
    SEED,
    ApiKey,
    InstrumentName,
    Json,
    Notes,
    PcmEncoding,
    Seconds,
    ServerOption,
    Song,
    Temperature,
    Velocity,
    Voices,
    within,
)
from ostinato.clients.cli.scores import Piece, controls_of

if TYPE_CHECKING:
    from ostinato.clients.cli.listen import Take
    from ostinato.clients.cli.status import Status
    from ostinato.clients.stream import Stream
    from ostinato.server.score import Score

WARNINGS_TOLD = 5  # of those a stream can have; --json tells more


def play(
    song: Song = None,
    output: Annotated[
        str | None,
        typer.Option("--output", "-o", help=".wav, .flac, .ogg, .raw, or - for raw samples. Default: the sound card."),
    ] = None,
    to_card: Annotated[bool, typer.Option("--play", help="To the sound card, with -o too.")] = False,
    note: Notes = None,
    keyboard: Annotated[
        str | None, typer.Option("--keyboard", help='A MIDI input, by a part of its name; "" takes the first.')
    ] = None,
    seconds: Seconds = 1.0,
    velocity: Velocity = 0.8,
    instrument: InstrumentName = None,
    server: ServerOption = "ws://127.0.0.1:8000",
    api_key: ApiKey = None,
    model: Annotated[str, typer.Option("--model", "-m", help="A name that the server knows.")] = "default",
    seed: Annotated[int | None, SEED] = None,
    temperature: Temperature = None,
    voices: Voices = 16,
    lead_ms: Annotated[float | None, typer.Option(callback=within(20, 10_000), help="Default: the server's.")] = None,
    mode: Annotated[Literal["live", "fast"], typer.Option(help="Paced by the clock, or as fast as it goes.")] = "live",
    encoding: PcmEncoding = "pcm_s16le",
    reconnect: Annotated[
        float, typer.Option(callback=within(0, 3600), help="Seconds to look for a way back after a lost connection.")
    ] = 30.0,
    json: Json = False,
) -> None:
    """Stream a MIDI file, notes or a live MIDI keyboard from a running server, with figures on stderr.

    An interrupted stream leaves what has arrived; one whose connection is lost goes on. Ctrl-C ends a keyboard's.
    """
    from ostinato.clients.cli.listen import Teller, summary
    from ostinato.clients.cli.output import STDOUT, check_output
    from ostinato.clients.cli.served import ask_model
    from ostinato.clients.cli.status import Status
    from ostinato.clients.connection import Timeouts
    from ostinato.clients.stream import connect
    from ostinato.server.protocol import AudioFormat, SessionStart

    piece, to_card = Piece(song, note or (), seconds, velocity, instrument), to_card or output is None
    _check(piece, keyboard, model)
    if output is not None:
        check_output(output)
    if to_card:
        _check_card()
    status = Status()
    with stream_faults():
        with bad_input(ValueError, about="--server"):
            served = ask_model(server, model, api_key)
        score = None if keyboard is not None else piece.score(served, voices)
        controls = controls_of(temperature)
        if score is None and instrument is not None:
            controls["instrument"] = instrument
        start = SessionStart(
            model=model,
            voices=score.voices if score else voices,
            format=AudioFormat(encoding=encoding),
            seed=seed,
            mode=mode,
            lead_ms=lead_ms,
            duration_s=score.samples / served.network.sample_rate if score else None,
            controls=controls,
        )
        teller, timeouts = Teller(status), Timeouts(reconnect_s=reconnect)
        with connect(
            server, start, api_key=api_key, heard=teller.heard, on_loss=teller.lost, timeouts=timeouts
        ) as stream:
            fault = _hear(stream, score, keyboard, output, to_card, status)
    _tell(stream, output, status, whole=fault is None)
    if json:
        print(json_format.dumps(summary(stream)), file=sys.stderr if output == STDOUT else sys.stdout)
    if isinstance(fault, KeyboardInterrupt):
        raise Fault("interrupted", ExitCode.INTERRUPTED)
    if fault is not None:
        with stream_faults():
            raise fault
    if stream.report.errors:
        raise Fault(f"the server did not play it all: {stream.report.errors[0]}", ExitCode.OTHER)


def _tell(stream: Stream, output: str | None, status: Status, *, whole: bool) -> None:
    """Tell how it was, and what was written."""
    from ostinato.clients.cli.listen import described
    from ostinato.clients.cli.output import STDOUT

    status.say(described(stream.report, stream.created.format.sample_rate))
    if output not in (None, STDOUT) and stream.report.samples:
        status.say(f"wrote {output}{'' if whole else ', as far as it came'}")
    for warning in stream.report.warnings[:WARNINGS_TOLD]:
        status.say(f"ostinato: {warning}")


def _check(piece: Piece, keyboard: str | None, model: str) -> None:
    """Raise a Fault where there is not one thing to play, or the model can't be a served one."""
    if keyboard is None:
        piece.check()
    elif piece.song is not None or piece.notes:
        raise Fault("give a MIDI file, --note or --keyboard, one of them")
    if "/" in model or "\\" in model:
        raise Fault(f"--model: {model!r} is a folder; a server knows its models by name (`ostinato serve --model …`)")


def _check_card() -> None:
    """Raise a Fault, before a server is asked, where no sound card can be had."""
    from ostinato.clients.errors import PlaybackError
    from ostinato.clients.playback import sounddevice

    try:
        sounddevice()
    except PlaybackError as error:
        raise Fault(f"{error}; or name a file alone: -o sound.wav", ExitCode.OTHER) from error


def _hear(
    stream: Stream, score: Score | None, keyboard: str | None, output: str | None, to_card: bool, status: Status
) -> BaseException | None:
    """Play until the stream is whole: None; or, once something has arrived, what broke it off."""
    from ostinato.clients.cli.listen import listen
    from ostinato.clients.cli.output import open_output
    from ostinato.clients.errors import StreamError
    from ostinato.clients.playback import open_card

    given, takes = stream.created.format, list["Take"]()
    with ExitStack() as open_:
        if output is not None:
            write = open_.enter_context(open_output(output, sample_rate=given.sample_rate, encoding=given.encoding))
            takes.append(lambda block: write(block.pcm))
        card = open_.enter_context(open_card(stream)) if to_card else None
        if card is not None:
            takes.append(card.bring)
        try:
            if score is not None:
                stream.perform(score.events)
            with _keys(stream, keyboard, status):
                listen(stream, takes, status, score.samples / given.sample_rate if score else None)
            if card is not None:
                card.end()
        except (KeyboardInterrupt, StreamError) as error:
            if stream.report.samples == 0:
                raise
            return error
    return None


@contextmanager
def _keys(stream: Stream, keyboard: str | None, status: Status) -> Iterator[None]:
    """Have a keyboard play the stream, where there is one, until the first Ctrl-C, which lets everything go."""
    if keyboard is None:
        yield
        return
    from ostinato.clients.keyboard import Keyboard, KeyboardError, open_keyboard

    def let_go(*_: object) -> None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        Thread(target=stream.end).start()  # this may come in the middle of what the stream is saying

    with bad_input(KeyboardError, about="--keyboard"), open_keyboard(keyboard, Keyboard(stream).take) as port:
        status.say(f"play on {port}; Ctrl-C ends")
        before = signal.signal(signal.SIGINT, let_go)
        try:
            yield
        finally:
            signal.signal(signal.SIGINT, before)
