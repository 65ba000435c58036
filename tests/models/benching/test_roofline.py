"""The least time of a step, by arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ostinato.models import registry
from ostinato.models.benching.roofline import Work, roofline_us, work_of_step

rates = st.floats(1e-3, 1e4)
counts = st.integers(1, 10**9)


def test_the_weights_of_a_step_are_those_that_it_multiplies_by() -> None:
    network = registry.load("r64").config.wavenet  # no tone, no conditioning: every weight but biases, once a sample
    weights = sum(
        count
        for name, shape in network.shapes.items()
        if name.endswith(".weight")
        for count in [shape[0] * shape[1] * (shape[2] if len(shape) > 2 else 1)]
    )
    assert work_of_step(network, "float32", 1) == Work(4 * weights, network.macs_per_sample)
    assert weights == network.macs_per_sample


def test_int8_reads_a_byte_a_weight_but_for_the_head_and_the_input() -> None:
    network = registry.load("r64").config.wavenet
    head, entry = 128 * 256, 64
    stack = network.macs_per_sample - head - entry
    assert work_of_step(network, "int8", 1).weight_bytes == stack + 2 * head + 4 * entry


def test_what_is_done_once_a_hop_is_not_counted() -> None:
    network = registry.load("tiny").config.wavenet
    assert network.local is not None
    longer = network.local.model_copy(update={"hidden": (64, 64)})
    assert work_of_step(network.model_copy(update={"local": longer}), "int8", 2) == work_of_step(network, "int8", 2)


@given(counts, counts, rates, rates, st.integers(1, 64))
def test_a_step_takes_the_longer_of_reading_and_multiplying(
    weight_bytes: int, products: int, reading: float, multiplying: float, threads: int
) -> None:
    reading_us, multiplying_us = weight_bytes / reading / 1e3, products / multiplying / 1e3
    least = roofline_us(Work(weight_bytes, products), reading, multiplying, threads)
    assert least == pytest.approx(max(reading_us, multiplying_us / threads))


def test_a_gigabyte_at_a_gigabyte_a_second_takes_a_second() -> None:
    assert roofline_us(Work(10**9, 1), 1.0, 1.0) == pytest.approx(1e6)
    assert roofline_us(Work(1, 10**9), 1.0, 1.0) == pytest.approx(1e6)


@given(st.integers(1, 256))
def test_streams_share_the_weights_and_not_the_products(streams: int) -> None:
    network = registry.load("r32").config.wavenet
    one, many = work_of_step(network, "int8", 1), work_of_step(network, "int8", streams)
    assert many == Work(one.weight_bytes, streams * one.products)
