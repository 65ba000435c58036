from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from ostinato.server.pcm import encode
from ostinato.server.protocol import Encoding, Error, NoteOn, ProtocolError
from tests.server.serving import Listener, Serving


def test_16_bits_are_rounded_to_even_and_clipped() -> None:
    samples = np.array([0.0, 1.0, -1.0, 2.0, -2.0, 0.5 / 32767, 1.5 / 32767], dtype=np.float32)
    pcm = np.frombuffer(encode(samples, "pcm_s16le"), dtype="<i2")
    assert pcm.tolist() == [0, 32767, -32767, 32767, -32767, 0, 2]


@pytest.mark.parametrize("encoding", get_args(Encoding))
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_refused(encoding: Encoding, value: float) -> None:
    with pytest.raises(ProtocolError, match="not a finite number"):
        encode(np.array([0.0, value], dtype=np.float32), encoding)


@pytest.mark.parametrize("encoding", get_args(Encoding))
def test_a_model_that_draws_such_ends_its_session_with_a_reason(
    server: Serving, monkeypatch: pytest.MonkeyPatch, encoding: Encoding
) -> None:
    def advance(slots: list[int], controls: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.full((len(slots), controls.shape[1] * 64), np.nan, dtype=np.float32)

    monkeypatch.setattr(server.engine._pools["tiny"].sampler, "advance", advance)
    with Listener(server) as listener:
        listener.start(mode="fast", format={"encoding": encoding}).say(NoteOn(event_id="on", note=60))
        heard = listener.hear_out()
    assert (heard.one(Error).error.code, heard.close_code, heard.pcm) == ("not_finite", 1011, b"")
    assert server.settled()
