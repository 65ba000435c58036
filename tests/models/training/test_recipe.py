"""What is trained: one shape, whoever's instruments it plays."""

import math
from typing import Literal

import pytest

from ostinato.models.config import BlocksConfig, FlowConfig, Instrument, NadeConfig
from ostinato.models.controls import FRAME
from ostinato.models.networks import make_network
from ostinato.models.training.recipe import (
    HOP,
    QUIETEST,
    SAMPLE_RATE,
    BlockPlan,
    Strategy,
    instrument_config,
    student_config,
)
from ostinato.models.wavenet import WaveNet

STRATEGIES: list[Strategy] = ["nade", "wavenet", "blocks"]
INSTRUMENTS = [Instrument(name=f"number {i}", low=40 + i, high=80) for i in range(8)]


def test_one_instrument_needs_no_vector_of_its_own() -> None:
    config = instrument_config(INSTRUMENTS[:1], name="mine", licence="CC0-1.0", description="a whistle")
    assert config.network.global_ is None
    assert config.instruments == (INSTRUMENTS[0],)
    assert (config.name, config.licence, config.description) == ("mine", "CC0-1.0", "a whistle")
    assert (config.network.sample_rate, config.network.hop) == (SAMPLE_RATE, HOP)


@pytest.mark.parametrize("count", [2, 8])
def test_several_instruments_have_a_vector_each(count: int) -> None:
    config = instrument_config(INSTRUMENTS[:count], name="some")
    assert config.network.global_ is not None
    assert config.network.global_.entries == count == len(config.instruments)
    assert "instrument" in FRAME


def test_it_is_small_enough_to_be_drawn_in_real_time_and_to_be_shipped() -> None:
    network = instrument_config(INSTRUMENTS, name="some").wavenet
    assert network.residual_channels <= 32
    assert network.macs_per_sample < 150_000
    assert 4 * sum(math.prod(shape) for shape in network.shapes.values()) <= 8 * 2**20
    assert {name: tuple(w.shape) for name, w in WaveNet(network).state_dict().items()} == network.shapes


def test_the_past_it_hears_is_shorter_than_the_shortest_note_that_is_kept() -> None:
    network = instrument_config(INSTRUMENTS, name="some").wavenet
    assert network.receptive_field < 0.1 * SAMPLE_RATE


@pytest.mark.parametrize("count", [1, 8])
def test_the_tone_alone_knows_the_phase(count: int) -> None:
    network = instrument_config(INSTRUMENTS[:count], name="some").wavenet
    assert network.tone is not None
    assert network.excitation is None
    assert network.input_channels == 1


def test_a_nade_is_smaller_and_is_steered_as_the_wavenet_is() -> None:
    config, plain = (instrument_config(INSTRUMENTS, name="some", strategy=s) for s in STRATEGIES[:2])
    assert isinstance(config.network, NadeConfig)
    assert config.strategy == "nade"
    assert config.network.steering_shapes() == plain.network.steering_shapes()
    assert config.network.macs_per_sample < plain.network.macs_per_sample / 10
    assert 4 * sum(math.prod(shape) for shape in config.network.shapes.values()) < 10**6
    assert config.network.receptive_field < 0.1 * SAMPLE_RATE
    assert {name: tuple(w.shape) for name, w in make_network(config).state_dict().items()} == config.network.shapes


def test_a_student_is_steered_as_its_model_and_looks_at_every_bit_of_a_place_twice() -> None:
    plain = instrument_config(INSTRUMENTS, name="some")
    config = student_config(plain, "student")
    assert isinstance(config.network, FlowConfig)
    assert (config.name, config.strategy, config.instruments) == ("student", "flow", plain.instruments)
    assert config.network.steering_shapes() == plain.network.steering_shapes()
    assert sorted(config.network.splits) == [(bit, moves_set) for bit in range(6) for moves_set in (False, True)]
    assert config.network.macs_per_sample < plain.network.macs_per_sample / 10
    assert {name: tuple(w.shape) for name, w in make_network(config).state_dict().items()} == config.network.shapes


@pytest.mark.parametrize("inside", ["parallel", "nade"])
def test_longer_blocks_cost_less_a_sample_and_are_steered_as_the_wavenet_is(
    inside: Literal["parallel", "nade"],
) -> None:
    plain = instrument_config(INSTRUMENTS, name="some").network
    costs = []
    for block in (1, 4, 16, 64):
        config = instrument_config(INSTRUMENTS, name="some", strategy="blocks", plan=BlockPlan(block, inside))
        network = config.network
        assert isinstance(network, BlocksConfig)
        assert (config.strategy, network.block, network.inside) == ("blocks", block, inside)
        assert network.steering_shapes() == plain.steering_shapes()
        assert 4 * sum(math.prod(shape) for shape in network.shapes.values()) < 10**6
        assert network.receptive_field < 0.1 * SAMPLE_RATE
        assert {name: tuple(w.shape) for name, w in make_network(config).state_dict().items()} == network.shapes
        costs.append(network.macs_per_sample)
    assert costs == sorted(costs, reverse=True)
    assert costs[0] < plain.macs_per_sample / 4


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_silence_can_be_silent(strategy: Strategy) -> None:
    head = instrument_config(INSTRUMENTS, name="some", strategy=strategy).network.head
    assert head.kind == "logistics"
    assert head.log_scale_min == QUIETEST
    assert math.exp(QUIETEST) < 2.0**-16
