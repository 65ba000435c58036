"""Where training starts from."""

import torch

from ostinato.models.config import Instrument
from ostinato.models.controls import FRAME
from ostinato.models.training.initial import QUIET, initialise
from ostinato.models.training.recipe import instrument_config
from ostinato.models.wavenet import WaveNet, control_features


def started() -> WaveNet:
    torch.manual_seed(0)
    config = instrument_config([Instrument(name="one", low=60, high=84)], name="one")
    network = WaveNet(config.network)
    initialise(network, config.instruments)
    return network


def test_scales_begin_small() -> None:
    network = started()
    parameters = network(torch.zeros(1, 64), torch.zeros(1, 1, len(FRAME)), torch.zeros(1, 64, dtype=torch.int64))
    log_scales = parameters.chunk(3, dim=-1)[2]
    assert (log_scales - QUIET).abs().max() < 0.5


def test_each_semitone_of_the_range_moves_some_control_unit() -> None:
    network = started()
    assert network.local is not None
    frames = torch.zeros(25, len(FRAME))
    frames[:, FRAME.index("note")] = torch.arange(60, 85)
    units = network.local[0](control_features(frames)).tanh()  # [25, hidden]
    moved = (units[1:] - units[:-1]).abs().amax(dim=1)
    assert moved.min() > 0.9


def test_a_model_without_control_network_or_range_is_left_as_it_is() -> None:
    config = instrument_config([Instrument(name="one", low=60, high=84)], name="one").network.model_copy(
        update={"local": None}
    )
    initialise(WaveNet(config), (Instrument(name="one", low=60, high=60),))
