"""A walk through the text of JSON, value by value: what is parsed whole holds the interpreter until it is parsed."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Final

from ostinato.server.batches.pauses import Pauses
from ostinato.server.protocol import ProtocolError

SPACE: Final = re.compile(r"[ \t\n\r]*")
# values are only measured here: an int would refuse a number of too many digits, which its reader is to name
DECODER: Final = json.JSONDecoder(parse_int=float)


class Walk:
    """Stands somewhere in a text. Rests between two values, as `Pauses` do.

    Raises:
        JSONDecodeError: where the text is no JSON, here and everywhere.
    """

    def __init__(self, text: str, pauses: Pauses) -> None:
        self._text, self._at, self._pauses = text, 0, pauses

    @property
    def at(self) -> int:
        """Where it stands."""
        return self._at

    def since(self, at: int) -> str:
        """The text from there to here."""
        return self._text[at : self._at]

    def next(self) -> str:
        """The next character that is no space; "" at the end."""
        found = SPACE.match(self._text, self._at)
        assert found is not None
        self._at = found.end()
        return self._text[self._at : self._at + 1]

    def members(self, where: str = "") -> Iterator[str]:
        """The name of each member of an object, before whose value it then stands.

        Raises:
            ProtocolError: where one is there twice; where: what the object's name in it begins with.
        """
        self._expect("{")
        names: set[str] = set()
        while not self._skips("}"):
            if names:
                self._expect(",")
            if self.next() != '"':
                raise json.JSONDecodeError("expecting a name", self._text, self._at)
            name: str = json.loads(self.value())
            if name in names:
                raise ProtocolError("invalid_value", f"{where}{name}: is there twice", param=f"{where}{name}")
            names.add(name)
            self._expect(":")
            self.next()
            yield name

    def elements(self) -> Iterator[int]:
        """The index of each element of a list, before which it then stands."""
        self._expect("[")
        index = 0
        while not self._skips("]"):
            if index:
                self._expect(",")
                self.next()  # so that it stands at the element, not before space
            yield index
            index += 1
            self._pauses.take()

    def value(self) -> str:
        """The next value, as it stands in the text."""
        self.next()
        began = self._at
        try:
            _, self._at = DECODER.raw_decode(self._text, began)
        except RecursionError:
            raise json.JSONDecodeError("nested too deep", self._text, began) from None
        return self._text[began : self._at]

    def end(self) -> None:
        """Nothing follows."""
        if self.next():
            raise json.JSONDecodeError("more follows its end", self._text, self._at)

    def _skips(self, char: str) -> bool:
        there = self.next() == char
        self._at += there
        return there

    def _expect(self, char: str) -> None:
        if not self._skips(char):
            raise json.JSONDecodeError(f"expecting {char!r}", self._text, self._at)
