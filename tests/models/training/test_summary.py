"""The lines of a report, of models with and without a density of samples."""

from typing import Any

from ostinato.models.training.summary import mean_row


def figures(**more: float) -> dict[str, Any]:
    means = {name: {"mean": 1.25} for name in ("hnr_short_db", "level_error_db", "log_mel_db", "after_release_dbfs")}
    return {**means, "baseline": means, "notes": 2, "in_tune": 1.0, **more}


def test_bits_are_told_where_there_are_any() -> None:
    known = mean_row("flute", figures(bits_per_sample=5.994, bits_per_sample_past_zeroed=18.0))
    assert known[-2:] == ("5.99", "18.00")
    assert mean_row("flute", figures())[-2:] == ("-", "-")
