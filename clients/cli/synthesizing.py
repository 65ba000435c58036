"""Rendering by a server, over HTTP: `ostinato synth --server`."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from pydantic import ValidationError

from ostinato.clients.cli.faults import bad_input, stream_faults
from ostinato.clients.cli.output import open_bytes
from ostinato.clients.cli.scores import Piece, controls_of, warn
from ostinato.clients.cli.status import Status
from ostinato.clients.synthesis import Arriving, receive
from ostinato.server.protocol import SampleFormat, SoundFormat, SynthesizeNote, SynthesizeOptions
from ostinato.server.sound.formats import CONTAINERS

FORMATS: Final[dict[str, SoundFormat]] = {
    **{f".{container.suffix}": name for name, container in CONTAINERS.items()},
    ".raw": "pcm",
}
FILE_BYTES: Final = 1 << 20  # of a MIDI file; a server takes no more


@dataclass(frozen=True, slots=True)
class Request:
    """Who renders, and how."""

    server: str
    api_key: str | None
    model: str | None  # None: the server's first
    seed: int
    temperature: float | None
    sample_rate: int | None  # Hz; None: the model's, or the next that the format has
    sample_format: SampleFormat | None  # None: the format's first

    def synthesize(self, piece: Piece, output: str) -> dict[str, Any]:
        """Have a piece rendered into a file or stdout: figures. Raises a Fault where that can't be."""
        status, came, length = Status(), 0, None

        def begun(arriving: Arriving) -> None:
            nonlocal length
            length = arriving.length
            warn(arriving.warnings)

        with bad_input(ValidationError, ValueError), stream_faults(), open_bytes(output) as file:
            options = SynthesizeOptions(
                model=self.model,
                seed=self.seed,
                format=FORMATS.get(Path(output).suffix.lower(), "pcm"),
                sample_rate=self.sample_rate,
                sample_format=self.sample_format,
                controls=controls_of(self.temperature),
            )

            def write(data: bytes) -> None:
                nonlocal came
                came += len(data)
                file.write(data)
                status.show(f"{came / 1e6:7.2f} MB", came / length if length else None)

            began = time.perf_counter()
            arriving = receive(self.server, _notes(piece), write, options, begun=begun, api_key=self.api_key)
        status.say(
            f"{came} bytes of {arriving.media_type} in {time.perf_counter() - began:.2f} s: "
            f"{arriving.model}, seed {arriving.seed}"
        )
        return {
            "model": arriving.model,
            "seed": arriving.seed,
            "bytes": came,
            "media_type": arriving.media_type,
            "warnings": list(arriving.warnings),
        }


def _notes(piece: Piece) -> list[SynthesizeNote] | bytes:
    if piece.song is not None:
        return piece.file(piece.song, FILE_BYTES)
    return [
        SynthesizeNote(note=n, duration_s=piece.seconds, velocity=piece.velocity, instrument=piece.instrument)
        for n in piece.notes
    ]
