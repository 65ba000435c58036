"""How the command fails: one line on stderr, and an exit code that means something."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from enum import IntEnum
from typing import Any

from typer.core import TyperGroup


class ExitCode(IntEnum):
    """What the command tells its caller."""

    OTHER = 1
    BAD_INPUT = 2
    UNREACHABLE = 3
    REFUSED = 4
    MISSED = 5
    INTERRUPTED = 130


class Fault(Exception):  # noqa: N818 (a fault of the user's or of the world, not of the program)
    """An end of the command that needs no traceback."""

    def __init__(self, message: str, code: ExitCode = ExitCode.BAD_INPUT) -> None:
        super().__init__(message)
        self.code = code


@contextmanager
def bad_input(*kinds: type[Exception], about: str = "") -> Iterator[None]:
    """Turn these errors into faults of the input; `about` names the option or file at fault."""
    try:
        yield
    except kinds as error:
        told = _told(error)
        raise Fault(f"{about}: {told}" if about else told) from error


@contextmanager
def needs(*packages: str) -> Iterator[None]:
    """Tell what to install where one of these is missing: torch, or a package of the `train` extra."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in packages:
            raise
        wanted = "torch" if error.name == "torch" else "'ostinato[train]'"
        raise Fault(f"{error.name} is missing: pip install {wanted}", ExitCode.OTHER) from error


@contextmanager
def stream_faults() -> Iterator[None]:
    """What goes wrong between a server and a loudspeaker, each with its exit code."""
    from ostinato.clients.errors import PlaybackError, RefusedError, StreamError, UnreachableError

    try:
        yield
    except UnreachableError as error:
        raise Fault(f"--server: {error}", ExitCode.UNREACHABLE) from error
    except RefusedError as error:
        again = error.error.retry_after_s
        later = "" if again is None else f"; try again in {again:.0f} s"
        key = "; OSTINATO_API_KEY holds the key" if error.error.error.type == "not_authorised" else ""
        raise Fault(f"the server refused: {error}{key}{later}", ExitCode.REFUSED) from error
    except (StreamError, PlaybackError) as error:
        raise Fault(str(error), ExitCode.OTHER) from error


class Commands(TyperGroup):
    """A group of commands whose faults, and click's own, are told in one line."""

    def main(self, *args: Any, **options: Any) -> Any:  # noqa: ANN401
        """Run the command and exit."""
        sys.exit(self._exit_code(*args, **{**options, "standalone_mode": False}))

    def _exit_code(self, *args: Any, **options: Any) -> int:  # noqa: ANN401
        try:
            result = super().main(*args, **options)
        except Fault as fault:
            return _tell(fault, fault.code)
        except KeyboardInterrupt:
            return _tell("interrupted", ExitCode.INTERRUPTED)
        except BrokenPipeError:  # whoever reads has had enough
            sys.stdout = None  # nothing is left to be flushed on exit
            return ExitCode.OTHER
        except Exception as error:
            if not hasattr(error, "format_message"):  # no usage error: a bug, shown whole
                raise
            return _tell(error.format_message(), getattr(error, "exit_code", ExitCode.BAD_INPUT))
        return result if isinstance(result, int) else 0


def _told(error: Exception) -> str:
    """An error in a line: of several faults of a pydantic model the first, by its field and value."""
    from pydantic import ValidationError

    if not isinstance(error, ValidationError):
        return str(error)
    from ostinato.server.protocol.faults import explain

    fault = error.errors(include_url=False)[0]
    return str(explain(fault, fault["loc"], error.title))


def _tell(message: object, code: int) -> int:
    print(f"ostinato: {message}".rstrip(), file=sys.stderr)
    return code
