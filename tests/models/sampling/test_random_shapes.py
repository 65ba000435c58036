"""Random networks of every strategy but the WaveNet's, whose own tests say the same: whose bits the kernel's are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ostinato.models.checkpoint import Checkpoint
from ostinato.models.native import _kernel
from ostinato.models.sampling.native import NativeSampler
from tests.models.sampling.networks import (
    blocks_checkpoints,
    controls_for,
    flow_checkpoints,
    frames_for,
    hybrid_checkpoints,
    nade_checkpoints,
)

ISAS = _kernel.isas()
KEY = 0xDEADBEEFCAFEBABE
CHECKPOINTS = {
    "nade": nade_checkpoints(),
    "blocks": blocks_checkpoints(),
    "flow": flow_checkpoints(),
    "hybrid": hybrid_checkpoints(),
}


@pytest.mark.parametrize("strategy", CHECKPOINTS)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_no_bit_depends_on_neighbours_order_threads_or_calls(strategy: str, data: st.DataObject) -> None:
    """Streams advanced alone equal the same streams advanced together, in any order, cut anywhere."""
    checkpoint: Checkpoint = data.draw(CHECKPOINTS[strategy])
    isa, streams = data.draw(st.sampled_from(ISAS)), data.draw(st.integers(2, 19))
    hop, frames = checkpoint.config.network.hop, frames_for(checkpoint.config, 60) + 1
    controls = controls_for(checkpoint.config, streams, frames)
    alone, expected = NativeSampler(checkpoint, 1, isa), []
    for stream in range(streams):
        alone.reset(0, KEY + stream)
        expected.append(alone.advance([0], controls[stream : stream + 1])[0])
    pool = NativeSampler(checkpoint, streams, isa, data.draw(st.integers(1, 3)))
    slots = data.draw(st.permutations(range(streams)))
    for stream, slot in enumerate(slots):
        pool.reset(slot, KEY + stream)
    cut, found = data.draw(st.integers(0, frames)), np.empty((streams, frames * hop), dtype=np.float32)
    for part in (slice(0, cut), slice(cut, frames)):
        order, middle = data.draw(st.permutations(range(streams))), data.draw(st.integers(0, streams))
        samples = slice(part.start * hop, part.stop * hop)
        for rows in (list(order[:middle]), list(order[middle:])):
            found[rows, samples] = pool.advance([slots[row] for row in rows], controls[rows][:, part])
    np.testing.assert_array_equal(found, np.stack(expected))


@pytest.mark.skipif(len({"avx512", "avx2"} & set(ISAS)) < 2, reason="needs both AVX-512 and AVX2")
@pytest.mark.parametrize("strategy", CHECKPOINTS)
@settings(max_examples=6, deadline=None)
@given(data=st.data())
def test_float32_agrees_to_the_bit_where_sums_are_fused(strategy: str, data: st.DataObject) -> None:
    checkpoint: Checkpoint = data.draw(CHECKPOINTS[strategy])
    controls, outs = controls_for(checkpoint.config, 3, 4), []
    for isa in ("avx512", "avx2"):
        sampler = NativeSampler(checkpoint, 3, isa)
        for slot in range(3):
            sampler.reset(slot, KEY + slot)
        outs.append(sampler.advance([0, 1, 2], controls))
    np.testing.assert_array_equal(outs[0], outs[1])
