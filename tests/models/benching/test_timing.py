"""Samplers are timed in their steady state, in turn."""

from ostinato.models import registry
from ostinato.models.benching.timing import (
    MOST_BLOCKS_A_ROUND,
    ROUNDS,
    Stopwatch,
    steady_frames,
    time_in_turn,
    with_history,
)
from ostinato.models.sampling.choose import open_sampler


def test_a_naive_stream_with_history_works_over_the_whole_receptive_field() -> None:
    checkpoint = registry.load("tiny")
    sampler, _ = open_sampler(checkpoint, "naive", slots=1)
    sampler.reset(0, 1)
    sampler.restore(0, with_history(sampler.snapshot(0), 16))
    assert sampler.snapshot(0).arrays["inputs"].shape[0] == 16
    sampler.advance([0], steady_frames(1, 1))
    assert sampler.snapshot(0).arrays["inputs"].shape[0] == checkpoint.config.network.receptive_field


def test_the_median_lies_above_the_best() -> None:
    sampler, _ = open_sampler(registry.load("tiny"), "native", slots=3)
    stopwatch = Stopwatch(sampler, 3)
    stopwatch.run(0.01)
    assert 0 < stopwatch.timing.best_us <= stopwatch.timing.median_us
    assert stopwatch.timing.median_us < 1e6 * stopwatch.spent_s


def test_everyone_is_timed_however_little_time_there_is() -> None:
    tiny = registry.load("tiny")
    samplers = open_sampler(tiny, "torch", slots=1)[0], open_sampler(tiny, "native", slots=1)[0]
    stopwatches = [Stopwatch(sampler, 1) for sampler in samplers]
    time_in_turn(stopwatches, 1e-6)
    assert all(stopwatch.spent_s > 0 for stopwatch in stopwatches)


def test_who_has_had_its_share_waits_for_nobody() -> None:
    sampler, _ = open_sampler(registry.load("tiny"), "native", slots=1)
    once, often = Stopwatch(sampler, 1), Stopwatch(sampler, 1)
    time_in_turn([once], 1e-9)  # its first block is longer than all its time
    time_in_turn([often], 3600.0)
    assert once.blocks == 1
    assert often.blocks == ROUNDS * MOST_BLOCKS_A_ROUND
