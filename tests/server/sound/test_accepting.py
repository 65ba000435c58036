import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.server.protocol import ProtocolError, SoundFormat
from ostinato.server.sound.accepting import ALIASES, accepts, best, negotiate
from ostinato.server.sound.formats import CONTAINERS


@pytest.mark.parametrize(
    ("accept", "chosen"),
    [
        (None, "wav"),
        ("", "wav"),
        ("*/*", "wav"),
        ("audio/*", "wav"),
        ("audio/flac", "flac"),
        ("audio/mpeg", "mp3"),
        ("audio/ogg", "ogg"),
        ("audio/ogg; codecs=opus", "opus"),
        ('audio/ogg; codecs="vorbis"', "ogg"),
        ("audio/opus", "opus"),
        ("Audio/FLAC", "flac"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "wav"),
        ("audio/flac;q=0.5, audio/mpeg", "mp3"),
        ("audio/flac;q=0.5, audio/mpeg;q=0.4", "flac"),
        ("*/*, audio/flac", "flac"),  # of equal wishes, the narrower
        ("audio/*;q=0.1, audio/wav;q=0", "flac"),
        ("audio/flac;q=nonsense", "flac"),
    ],
)
def test_the_header_chooses(accept: str | None, chosen: SoundFormat) -> None:
    assert negotiate(accept) == chosen
    assert accepts(accept, chosen)


@pytest.mark.parametrize("accept", ["text/html", "audio/aac", "audio/flac;q=0", "audio/ogg; codecs=speex", "nonsense"])
def test_what_there_is_not_is_refused_with_what_there_is(accept: str) -> None:
    with pytest.raises(ProtocolError) as refusal:
        negotiate(accept)
    assert refusal.value.detail.param == "accept"
    assert all(container.media_type in str(refusal.value) for container in CONTAINERS.values())


@given(st.text(max_size=200))
def test_no_header_breaks_the_parser(accept: str) -> None:
    assert best(accept) in (None, *CONTAINERS)


@given(st.lists(st.sampled_from(sorted(ALIASES)), min_size=1, max_size=4, unique=True))
def test_what_is_chosen_is_always_accepted(kinds: list[str]) -> None:
    header = ", ".join(kinds)
    chosen = best(header)
    assert chosen is not None
    assert chosen in {ALIASES[kind] for kind in kinds}
    assert accepts(header, chosen)
