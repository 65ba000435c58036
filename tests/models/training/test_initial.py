"""Where training starts from."""

from typing import Literal

import pytest
import torch

from ostinato.models.blocks_network import BlocksNetwork
from ostinato.models.config import Instrument, ModelConfig
from ostinato.models.controls import FRAME
from ostinato.models.nade import Nade
from ostinato.models.nade_network import NadeNetwork
from ostinato.models.networks import make_network
from ostinato.models.steered import control_features
from ostinato.models.training.initial import FAINT, QUIET, initialise
from ostinato.models.training.recipe import BlockPlan, instrument_config
from ostinato.models.wavenet import WaveNet

ONE = Instrument(name="one", low=60, high=84)
TWO = Instrument(name="two", low=50, high=80)


def config_of(*instruments: Instrument) -> ModelConfig:
    return instrument_config(instruments, name="some")


def started(config: ModelConfig) -> WaveNet:
    torch.manual_seed(0)
    network = WaveNet(config.wavenet)
    initialise(network, config.instruments)
    return network


def frames_of(keys: torch.Tensor, instrument: int = 0) -> torch.Tensor:
    frames = torch.zeros(len(keys), len(FRAME))
    frames[:, FRAME.index("note")] = keys
    frames[:, FRAME.index("instrument")] = instrument
    return frames


def units(network: WaveNet, frames: torch.Tensor) -> torch.Tensor:
    """What the first layer of the control network makes of each frame: [frames, hidden]."""
    hidden = control_features(frames)
    if network.config.global_ is not None:
        vector = network.get_submodule("global")(frames[..., FRAME.index("instrument")].long())
        hidden = torch.cat((hidden, vector), dim=-1)
    assert network.local is not None
    made: torch.Tensor = network.local[0](hidden).tanh()
    return made


def test_the_tone_begins_faint_and_leaves_a_soft_note() -> None:
    tone = started(config_of(ONE)).steer(frames_of(torch.arange(60, 85))).tone
    assert tone is not None
    assert (tone.log_levels - FAINT).abs().max() < 0.5
    assert (tone.log_scale - QUIET).abs().max() < 0.5


def test_what_is_drawn_begins_below_the_size_of_its_scale() -> None:
    network = started(config_of(ONE))
    skip = torch.randn(50, network.config.skip_channels)
    log_scales = network.read_out(skip).chunk(3, dim=-1)[2]
    assert (log_scales + 1).abs().max() < 0.5


def test_all_places_of_a_nades_frame_begin_with_one_conditional() -> None:
    config = instrument_config([ONE], name="some", strategy="nade")
    torch.manual_seed(0)
    network = make_network(config)
    initialise(network, config.instruments)
    assert isinstance(network, NadeNetwork)
    weight, bias = network.nade.output["weight"], network.nade.output["bias"]
    assert torch.equal(weight, weight[:1].expand_as(weight))
    assert float(weight.detach().abs().max()) > 0
    assert (bias[:, -2:] == -1).all()  # log-scales
    assert not torch.equal(network.nade.weight[0], network.nade.weight[1])


@pytest.mark.parametrize("inside", ["parallel", "nade"])
def test_blocks_begin_without_a_prediction_and_with_one_conditional_for_all_places(
    inside: Literal["parallel", "nade"],
) -> None:
    config = instrument_config([ONE], name="some", strategy="blocks", plan=BlockPlan(16, inside))
    torch.manual_seed(0)
    network = make_network(config)
    initialise(network, config.instruments)
    assert isinstance(network, BlocksNetwork)
    assert network.taps is not None
    assert not network.taps.weight.any()
    assert not network.taps.bias.any()
    bias = network.inside.output["bias"]
    assert (bias[..., -2:] == -1).all()  # log-scales
    if isinstance(network.inside, Nade):
        weight = network.inside.output["weight"]
        assert torch.equal(weight, weight[:1].expand_as(weight))


def test_without_a_tone_the_samples_themselves_begin_quiet() -> None:
    config = config_of(ONE)
    plain = config.model_copy(update={"network": config.network.model_copy(update={"tone": None})})
    network = started(plain)
    parameters = network(torch.zeros(1, 64), torch.zeros(1, 1, len(FRAME)), torch.zeros(1, 64, dtype=torch.int64))
    assert (parameters.chunk(3, dim=-1)[2] - QUIET).abs().max() < 0.5


def test_each_semitone_of_the_range_moves_some_control_unit() -> None:
    found = units(started(config_of(ONE)), frames_of(torch.arange(60, 85)))
    assert (found[1:] - found[:-1]).abs().amax(dim=1).min() > 0.9


@pytest.mark.parametrize("which", [0, 1])
def test_nearly_each_semitone_moves_some_control_unit_of_each_instrument(which: int) -> None:
    found = units(started(config_of(ONE, TWO)), frames_of(torch.arange(55, 80), which))
    moved = (found[1:] - found[:-1]).abs().amax(dim=1)
    assert (moved > 0.9).float().mean() > 0.9


def test_each_instrument_meets_the_steps_somewhere_else() -> None:
    network = started(config_of(ONE, TWO))
    keys = torch.linspace(30, 110, 801)
    first, second = (units(network, frames_of(keys, which)) for which in (0, 1))
    crossings = [(found > 0).float().argmax(dim=0) for found in (first, second)]
    both = (crossings[0] > 0) & (crossings[1] > 0)  # units that step within the keyboard for either
    apart = (crossings[0] - crossings[1])[both].abs() / 10
    assert both.sum() > 50
    assert apart.median() > 1  # semitones


def test_a_model_without_control_network_or_range_can_be_started() -> None:
    network = config_of(ONE).wavenet.model_copy(update={"local": None, "tone": None})
    initialise(WaveNet(network), (ONE,))
    point = Instrument(name="one", low=60, high=60)
    network = config_of(point).wavenet
    initialise(WaveNet(network), (point,))
