"""API keys, each with the name of its owner: read from settings, kept as digests, never shown."""

from __future__ import annotations

import hashlib
import hmac
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

from pydantic import SecretStr

SINGLE: Final = "default"  # the owner of OSTINATO_API_KEY, which has no name of its own
LEAST_CHARACTERS: Final = 8
NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


def well_formed(key: SecretStr) -> SecretStr:
    """The key, where a header can carry it. Raises ValueError that does not show it."""
    text = key.get_secret_value()
    if len(text) < LEAST_CHARACTERS:
        raise ValueError(f"a key of {len(text)} characters is too short; it has at least {LEAST_CHARACTERS}")
    if not (text.isascii() and text.isprintable()) or text != text.strip():
        raise ValueError("a key is of printable ASCII characters, and neither begins nor ends with a space")
    return key


def parse_keys(entries: Iterable[str]) -> dict[str, SecretStr]:
    """Keys by owner, from entries `name:key`; empty ones and those that begin with # are left out.

    Raises:
        ValueError: naming the entry by its number, and its owner where it has one, never the key.
    """
    keys: dict[str, SecretStr] = {}
    for number, entry in enumerate(entries, 1):
        if not entry.strip() or entry.lstrip().startswith("#"):
            continue
        name, colon, key = (part.strip() for part in entry.partition(":"))
        if not colon or not NAME.fullmatch(name):
            raise ValueError(f"entry {number} is not name:key, the name of letters, digits and . _ -, at most 64")
        if name in keys:
            raise ValueError(f"entry {number}: {name!r} has a key already")
        try:
            keys[name] = well_formed(SecretStr(key))
        except ValueError as error:
            raise ValueError(f"entry {number} ({name!r}): {error}") from None
    return keys


def read_keys(path: Path) -> dict[str, SecretStr]:
    """Keys by owner, from a file with an entry a line. Raises ValueError, as above or where it can't be read."""
    try:
        return parse_keys(path.read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no UTF-8"
        raise ValueError(f"can't be read: {reason}") from None


def joined(*sources: Mapping[str, SecretStr]) -> dict[str, SecretStr]:
    """The keys of several sources. Raises ValueError naming owners that are there twice, or that share a key."""
    keys: dict[str, SecretStr] = {}
    owners: dict[str, str] = {}
    for name, key in (item for source in sources for item in source.items()):
        if name in keys:
            raise ValueError(f"{name!r} has two keys")
        other = owners.setdefault(key.get_secret_value(), name)
        if other != name:
            raise ValueError(f"{other!r} and {name!r} have the same key")
        keys[name] = key
    return keys


class Keys:
    """Whose key is whose."""

    def __init__(self, keys: Mapping[str, SecretStr]) -> None:
        self._digests: Final = {name: _digest(key.get_secret_value()) for name, key in keys.items()}

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self._digests)

    def owner_of(self, given: str) -> str | None:
        """The owner of a key; None where it is nobody's. Takes as long for one as for another."""
        digest, owner = _digest(given), None
        for name, known in self._digests.items():
            if hmac.compare_digest(digest, known):
                owner = name
        return owner


def _digest(key: str) -> bytes:
    return hashlib.sha256(key.encode(errors="surrogateescape")).digest()
