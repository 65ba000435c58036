"""The picture of the bottleneck is drawn from what was measured of all three ways of sampling."""

from pathlib import Path

import pytest

from ostinato.models.benching import bottleneck


def test_every_way_of_sampling_is_measured_at_every_length(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bottleneck, "LENGTHS", (1, 16))
    monkeypatch.setattr(bottleneck, "EXPONENTS", (1,))
    monkeypatch.setattr(bottleneck, "SECONDS", 0.01)
    path = tmp_path / "bottleneck.svg"
    measured = bottleneck.draw("tiny", path)
    stream_length, receptive_field = measured.values()
    assert stream_length.keys() == receptive_field.keys() == {"naive", "torch", "native"}
    for curve in stream_length.values():
        assert [length for length, _ in curve] == [1, 16]
    for curve in receptive_field.values():
        assert [length for length, _ in curve] == [7]  # two cycles of dilations 1 and 2
    for curve in (*stream_length.values(), *receptive_field.values()):
        assert all(micros > 0 for _, micros in curve)
    assert path.read_text(encoding="utf-8").count("<svg") == 1
