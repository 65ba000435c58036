"""What a draft gains, and the test that it changes nothing, on a small model with an untaught draft."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models import registry
from ostinato.models.benching import speculation
from ostinato.models.benching.speculation import acceptance_for, exactness, gains, samples_of, table
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.training.recipe import draft_config

MODEL = registry.load("tiny")
DRAFT = registry.random_checkpoint(draft_config(MODEL.config))


@given(st.integers(1, 16), st.floats(0.0, 0.999))
def test_the_share_that_a_window_needs_is_the_one_that_yields_its_samples(window: int, share: float) -> None:
    samples = samples_of(share, window)
    found = acceptance_for(samples, window)
    assert found is not None
    assert samples_of(found, window) == pytest.approx(samples, rel=1e-6)


@given(st.integers(1, 16), st.floats(0.0, 1.0))
def test_where_no_block_ends_a_window_yields_the_sum_of_a_geometric_series(window: int, share: float) -> None:
    assert samples_of(share, window, block=window) <= sum(share**i for i in range(window)) + 1e-9
    assert samples_of(share, window, block=4000) == pytest.approx(sum(share**i for i in range(window)), rel=5e-3)


def test_a_window_pays_just_where_more_is_taken_than_it_pays_from(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculation, "ROUNDS", 3)
    for row in gains(MODEL, MODEL, "float32"):  # a draft that is always taken, and costs as much
        assert row.samples_a_window == pytest.approx(samples_of(1.0, row.window))
        assert (row.pays_from is not None) == (row.speedup >= 1)


def test_more_samples_than_a_window_has_are_never_yielded() -> None:
    assert acceptance_for(4.1, 4) is None


def test_every_window_is_timed_beside_the_plain_sampler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculation, "ROUNDS", 3)
    rows = gains(MODEL, DRAFT, "float32")
    assert [row.window for row in rows] == list(speculation.WINDOWS)
    for row in rows:
        assert row.speedup == pytest.approx(row.plain_us_per_sample / row.us_per_sample)
        assert 1 <= row.samples_a_window <= row.window
    assert len(table(rows).splitlines()) == 1 + len(rows)


@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_what_is_played_through_a_draft_lies_in_its_models_distribution(
    precision: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speculation, "NOTE_S", 0.5)
    found = exactness(MODEL, DRAFT, precision)  # type: ignore[arg-type]
    assert found.uniform_p > 1e-4
    assert found.independent_p > 1e-4


def test_the_test_notices_what_is_drawn_from_another_model(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(speculation, "NOTE_S", 0.5)
    other = registry.random_checkpoint(MODEL.config, seed=9)
    monkeypatch.setattr(speculation, "NativeSampler", lambda _, slots, **o: NativeSampler(other, slots, **o))
    assert exactness(MODEL, DRAFT, "float32").uniform_p < 1e-4
