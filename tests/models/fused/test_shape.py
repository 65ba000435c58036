import pytest
from hypothesis import given

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.config import WaveNetConfig
from ostinato.models.fused.shape import NARROWEST, Padded, Precision, ring_rows
from ostinato.models.sampling.contract import SamplerError
from tests.models.sampling.networks import checkpoints


@given(checkpoints())
def test_every_width_is_a_power_of_two_that_holds_its_own(checkpoint: Checkpoint) -> None:
    network = checkpoint.config.wavenet
    shape = Padded.of(network, "float16")
    for padded in (shape.residual, shape.skip, shape.waves, shape.part):
        assert padded >= NARROWEST
        assert padded & (padded - 1) == 0
    assert shape.residual >= network.residual_channels
    assert shape.skip >= max(network.skip_channels, *network.head_hidden, 0)
    assert shape.waves >= network.waves
    assert shape.parts * shape.part >= network.head.parameters
    assert network.head.parameters % shape.parts == 0


@given(checkpoints())
def test_the_row_written_at_a_sample_is_none_of_those_read_at_it(checkpoint: Checkpoint) -> None:
    """What lets one barrier a sample be enough."""
    network = checkpoint.config.wavenet
    for rows, dilation in zip(ring_rows(network), network.dilations, strict=True):
        for clock in range(2 * rows):
            read = {(clock - tap * dilation) % rows for tap in range(1, network.kernel_size)}
            assert clock % rows not in read
            assert len(read) == network.kernel_size - 1


def test_every_registered_wavenet_fits_in_half() -> None:
    configs = [registry.load(name).config for name in registry.names()]
    wavenets = [config.wavenet for config in configs if config.strategy == "wavenet"]
    assert len(wavenets) > 1
    for wavenet in wavenets:
        Padded.of(wavenet, "float16")


@pytest.mark.parametrize(
    ("field", "value", "told", "precision"),
    [
        ("residual_channels", 129, "residual_channels: 129", "float16"),
        ("residual_channels", 129, "residual_channels: 129", "float32"),
        ("skip_channels", 300, "skip_channels: 300", "float16"),
        ("head_hidden", (30, 512), r"head_hidden: \[30, 512\]", "float16"),
        ("head", {"kind": "mu_law", "levels": 1024}, "head parameters: 1024", "float16"),
    ],
)
def test_what_is_too_large_for_a_block_is_refused_by_field_and_value(
    field: str, value: object, told: str, precision: Precision
) -> None:
    shape = registry.random_config("r64").wavenet.model_dump()
    network = WaveNetConfig.model_validate({**shape, field: value})
    with pytest.raises(SamplerError, match=rf"engine: 'fused' takes matrices .*{told}.* KB in {precision}"):
        Padded.of(network, precision)


def test_a_warp_has_columns_of_its_own_in_every_product_of_a_layer() -> None:
    assert Padded.of(registry.random_config("r64").wavenet, "float16").warps == 8
    assert Padded.of(registry.random_config("r32").wavenet, "float16").warps == 4
