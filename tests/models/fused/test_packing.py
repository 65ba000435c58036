import torch
from hypothesis import given

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.fused.packing import pack
from ostinato.models.fused.shape import Padded
from tests.models.sampling.networks import checkpoints

CPU = torch.device("cpu")


@given(checkpoints())
def test_weights_are_packed_input_by_output_and_the_rest_is_zero(checkpoint: Checkpoint) -> None:
    network, tensors = checkpoint.config.network, checkpoint.tensors
    packed, r, s = pack(checkpoint, "float32", CPU), network.residual_channels, network.skip_channels
    for layer in range(network.layers):
        dilated = torch.tensor(tensors[f"layers.{layer}.dilated.weight"])  # [2 r, r, k]
        for tap in range(network.kernel_size):
            assert torch.equal(packed.taps[layer, tap, 0, :r, :r], dilated[:r, :, tap].T)
            assert torch.equal(packed.taps[layer, tap, 1, :r, :r], dilated[r:, :, tap].T)
        assert torch.equal(packed.skip[layer, :r, :s], torch.tensor(tensors[f"layers.{layer}.skip.weight"]).T)
    assert not packed.residual[-1].any()
    for padded in (packed.taps[..., r:, :], packed.taps[..., r:], packed.skip[:, r:], packed.skip[..., s:]):
        assert not padded.any()


@given(checkpoints())
def test_rings_lie_one_after_the_other(checkpoint: Checkpoint) -> None:
    network = checkpoint.config.network
    starts, rows, dilations = pack(checkpoint, "float16", CPU).rings.T.tolist()
    assert dilations == list(network.dilations)
    assert starts == [sum(rows[:layer]) for layer in range(network.layers)]


@given(checkpoints())
def test_half_is_for_products_and_sums_start_from_float32(checkpoint: Checkpoint) -> None:
    packed, shape = pack(checkpoint, "float16", CPU), Padded.of(checkpoint.config.network, "float16")
    assert {packed.taps.dtype, packed.skip.dtype, packed.hidden.dtype, packed.last.dtype} == {torch.float16}
    assert {packed.bias.dtype, packed.condition.dtype, packed.skip_bias.dtype, packed.last_bias.dtype} == {
        torch.float32
    }
    assert packed.last.shape == (shape.parts, shape.skip, shape.part)
