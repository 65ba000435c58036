from itertools import product

import torch
from hypothesis import given
from torch import Tensor

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.fused.packing import pack
from ostinato.models.fused.shape import Padded
from tests.models.sampling.networks import checkpoints

CPU = torch.device("cpu")


def unfragmented(flat: Tensor, rows: int, columns: int, warps: int) -> Tensor:
    """What a tensor core is given: [..., rows, columns], put together thread by thread."""
    out = torch.full((*flat.shape[:-1], rows, columns), torch.nan)
    more, across = (2 if rows >= 32 else 1), min(warps, columns // 8)
    places = product(
        range(columns // (8 * across)),
        range(rows // (16 * more)),
        range(across),
        range(32),
        range(more),
        (0, 1),
        (0, 1),
    )
    for place, (again, below, warp, thread, block, pair, i) in enumerate(places):
        row = (below * more + block) * 16 + pair * 8 + thread % 4 * 2 + i
        out[..., row, (again * across + warp) * 8 + thread // 4] = flat[..., place].float()
    return out


@given(checkpoints())
def test_weights_are_packed_input_by_output_and_the_rest_is_zero(checkpoint: Checkpoint) -> None:
    network, tensors = checkpoint.config.wavenet, checkpoint.tensors
    shape, packed = Padded.of(network, "float32"), pack(checkpoint, "float32", CPU)
    r, s = network.residual_channels, network.skip_channels
    taps = unfragmented(packed.taps, shape.residual, 2 * shape.residual, shape.warps)  # [L, k, R, 2 R]
    skip = unfragmented(packed.skip, shape.residual, shape.skip, shape.warps)
    for layer in range(network.layers):
        dilated = torch.tensor(tensors[f"layers.{layer}.dilated.weight"])  # [2 r, r, k]
        for tap in range(network.kernel_size):
            assert torch.equal(taps[layer, tap, :r, 0 : 2 * r : 2], dilated[:r, :, tap].T)
            assert torch.equal(taps[layer, tap, :r, 1 : 2 * r : 2], dilated[r:, :, tap].T)
        assert torch.equal(skip[layer, :r, :s], torch.tensor(tensors[f"layers.{layer}.skip.weight"]).T)
    assert not packed.residual[-1].any()
    for padded in (taps[..., r:, :], taps[..., 2 * r :], skip[:, r:], skip[..., s:]):
        assert not padded.any()


@given(checkpoints())
def test_rings_lie_one_after_the_other(checkpoint: Checkpoint) -> None:
    network = checkpoint.config.wavenet
    described = pack(checkpoint, "float16", CPU).rings.tolist()
    starts, rows = [word & 0xFFFFFFFF for word in described], [1 << (word >> 56) for word in described]
    assert [word >> 32 & 0xFFFFFF for word in described[: network.layers]] == list(network.dilations)
    assert starts[: network.layers] == [sum(rows[:layer]) for layer in range(network.layers)]
    assert not any(described[network.layers :])


@given(checkpoints())
def test_half_is_for_products_and_sums_start_from_float32(checkpoint: Checkpoint) -> None:
    packed, shape = pack(checkpoint, "float16", CPU), Padded.of(checkpoint.config.wavenet, "float16")
    assert {packed.taps.dtype, packed.skip.dtype, packed.hidden.dtype, packed.last.dtype} == {torch.float16}
    assert {packed.bias.dtype, packed.condition.dtype, packed.skip_bias.dtype, packed.last_bias.dtype} == {
        torch.float32
    }
    assert packed.last.shape == (shape.parts, shape.skip * shape.part)
