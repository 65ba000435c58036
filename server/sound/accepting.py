"""Content negotiation: which format the `Accept` header of a request asks for (RFC 9110, 12.5.1)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from ostinato.server.protocol import ProtocolError, SoundFormat
from ostinato.server.sound.formats import CONTAINERS

ALIASES: Final[Mapping[str, SoundFormat]] = {
    "audio/wav": "wav",
    "audio/wave": "wav",
    "audio/x-wav": "wav",
    "audio/vnd.wave": "wav",
    "audio/flac": "flac",
    "audio/x-flac": "flac",
    "audio/ogg": "ogg",
    "audio/opus": "opus",
    "audio/mpeg": "mp3",
    "audio/mp3": "mp3",
    "audio/pcm": "pcm",
}
RANGE: Final = re.compile(r'(?:[^,"]|"[^"]*")+')  # commas stand in quotes, too


@dataclass(frozen=True, slots=True)
class MediaRange:
    """One entry: `audio/ogg; codecs=opus; q=0.5`."""

    kind: str  # "audio/*", "*/*" or one type
    codec: str | None
    quality: float  # 0..1

    def matches(self, sound_format: SoundFormat) -> int:
        """How narrowly it names a format; 0 where it does not."""
        if self.kind == "*/*":
            return 1
        if self.kind == "audio/*":
            return 2
        named = ALIASES.get(self.kind)
        if named == "ogg" and self.codec is not None:
            return 4 if self.codec == ("opus" if sound_format == "opus" else "vorbis") and _is_ogg(sound_format) else 0
        return 3 if named == sound_format else 0


def negotiate(accept: str | None) -> SoundFormat:
    """The format that is asked for most, of equal ones the one named most narrowly; wav where anything will do.

    Raises:
        ProtocolError: where there is none, naming those that there are.
    """
    found = best(accept)
    if found is None:
        raise not_acceptable(accept, [container.media_type for container in CONTAINERS.values()])
    return found


def best(accept: str | None) -> SoundFormat | None:
    """As `negotiate`; None where there is none."""
    if accept is None or not accept.strip():
        return "wav"
    ranges = list(_ranges(accept))
    wishes = {name: _wish(ranges, name) for name in CONTAINERS}
    chosen = max(wishes, key=lambda name: wishes[name])  # of those alike, the first
    return chosen if wishes[chosen][0] > 0.0 else None


def accepts(accept: str | None, sound_format: SoundFormat) -> bool:
    """Whether a request takes this format."""
    return not (accept and accept.strip()) or _wish(list(_ranges(accept)), sound_format)[0] > 0.0


def not_acceptable(accept: str | None, there: list[str]) -> ProtocolError:
    """A refusal that names what there is."""
    message = f"accept: nothing that {accept!r} names is there; there are {', '.join(there)}"
    return ProtocolError("not_acceptable", message, param="accept")


def _wish(ranges: list[MediaRange], sound_format: SoundFormat) -> tuple[float, int]:
    """How much a format is wanted: the quality of the narrowest range that names it, and how narrow that is."""
    narrow, quality = max(((r.matches(sound_format), r.quality) for r in ranges), default=(0, 0.0))
    return (quality, narrow) if narrow else (0.0, 0)


def _ranges(accept: str) -> Iterator[MediaRange]:
    for entry in RANGE.findall(accept):
        kind, *parameters = (part.strip().lower() for part in entry.split(";"))
        named = dict(parameter.partition("=")[::2] for parameter in parameters)
        codec = named.get("codecs", "").strip('"') or None
        yield MediaRange(kind, codec, _quality(named.get("q", "1")))


def _quality(text: str) -> float:
    """Between 0 and 1; what is no number is as if it were not there."""
    try:
        return min(1.0, max(0.0, float(text)))
    except ValueError:
        return 1.0


def _is_ogg(sound_format: SoundFormat) -> bool:
    return CONTAINERS[sound_format].major == "OGG"
