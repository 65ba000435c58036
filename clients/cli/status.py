"""How far long work is: one line, rewritten, on a terminal; a plain line now and then where stderr is piped."""

from __future__ import annotations

import sys
import time
from typing import Final

REWRITE_S: Final = 0.1
PLAIN_S: Final = 5.0
BAR: Final = 24  # columns


class Status:
    """A status on stderr."""

    def __init__(self) -> None:
        self._terminal = sys.stderr.isatty()
        self._every = REWRITE_S if self._terminal else PLAIN_S
        self._next = time.monotonic() + self._every

    def show(self, text: str, share: float | None = None) -> None:
        """Show where the work is, with a bar on a terminal where its share is known, unless that was shown just now."""
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self._every
        if self._terminal:
            sys.stderr.write(f"\r\x1b[K{'' if share is None else f'{bar(share)} '}{text}")
            sys.stderr.flush()
        else:
            self.say(text)

    def say(self, text: str) -> None:
        """Leave a line that stays."""
        sys.stderr.write(f"\r\x1b[K{text}\n" if self._terminal else f"{text}\n")
        sys.stderr.flush()


def bar(share: float) -> str:
    """A share of the work, 0..1, as a bar."""
    filled = round(BAR * min(max(share, 0.0), 1.0))
    return "━" * filled + "─" * (BAR - filled)
