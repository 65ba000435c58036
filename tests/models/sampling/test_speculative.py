"""A draft changes what is computed, not what is heard: what is drawn through it is distributed as the model's draws."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.heads import STEP, make_head
from ostinato.models.sampling.contract import SamplerError
from ostinato.models.sampling.native import NativeSampler
from ostinato.models.sampling.speculative import SpeculativeSampler
from ostinato.models.speculation import TRIES, Density, judge
from tests.models.sampling.test_contract import KEY, MODELS, controls, small

HEADS = tuple(name for name in MODELS if MODELS[name].config.strategy == "wavenet")
Judge = Callable[[NDArray[np.float32], NDArray[np.float32], float, int, int], float]


def draft_of(model: Checkpoint, seed: int = 4) -> Checkpoint:
    return registry.random_checkpoint(model.config, seed=seed)


def parameters(head: str, rng: np.random.Generator, near: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    """Head parameters of a sample; near: those of a draft that is nearly right."""
    count = MODELS[head].config.network.head.parameters
    if near is not None:
        return (near + 0.2 * rng.standard_normal(count)).astype(np.float32)
    drawn = rng.standard_normal(count)
    if head != "mu-law":
        scales = 2 if head == "logistics" else 1
        drawn[-2 * scales : -scales] *= 0.01
        drawn[-scales:] = -6 + drawn[-scales:]
    return drawn.astype(np.float32)


def native(head: str, tries: int = TRIES, precision: str = "float32") -> Judge:
    model = MODELS[head]
    sampler = SpeculativeSampler(model, draft_of(model), 1, precision=precision)  # type: ignore[arg-type]
    return lambda p, q, warm, key, at: sampler._model._pool.judge(sampler._draft._pool, p, q, warm, key, at, tries)


def plain(head: str, p: NDArray[np.float32], q: NDArray[np.float32], warm: float, key: int, at: int) -> float:
    net = MODELS[head].config.network
    ours, theirs = (Density(net.head, net.amplitude, torch.from_numpy(x).double(), warm) for x in (p, q))
    value, _ = judge(ours, theirs, key, at)
    return float(np.clip(value, -net.amplitude, net.amplitude))


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("precision", ["float32", "int8"])
def test_the_kernel_judges_as_the_plain_reference(head: str, precision: str) -> None:
    rng, found = np.random.default_rng(5), native(head, precision=precision)
    apart = []
    for at in range(300):
        p = parameters(head, rng)
        q = parameters(head, rng, near=p if at % 2 else None)
        warm = float(rng.uniform(0.2, 1.5))
        apart.append(abs(found(p, q, warm, KEY, at) - plain(head, p, q, warm, KEY, at)))
    # a verdict, or a draw at the edge of two levels, may tip by rounding
    assert np.mean(np.array(apart) <= STEP) > 0.98


@pytest.mark.parametrize("head", HEADS)
@pytest.mark.parametrize("tries", [TRIES, 0], ids=["tries", "the long way"])
@pytest.mark.parametrize("near", [False, True], ids=["any draft", "a good draft"])
def test_whatever_the_draft_values_are_distributed_as_the_models(head: str, tries: int, near: bool) -> None:
    rng, found = np.random.default_rng(7), native(head, tries)
    p = parameters(head, rng)
    q = parameters(head, rng, near=p if near else None)
    count = 3000
    drawn = np.array([found(p, q, 1.0, KEY, at) for at in range(count)])
    head_of = make_head(MODELS[head].config.network.head, MODELS[head].config.network.amplitude)
    uniforms = torch.from_numpy(rng.random((20 * count, 2), dtype=np.float32)).clamp(2.0**-24, 1 - 2.0**-24)
    expected = head_of.sample(torch.from_numpy(p).expand(20 * count, -1), uniforms, torch.ones(20 * count)).numpy()
    if head == "mu-law":
        levels = np.unique(expected)
        edges = np.concatenate(([-np.inf], (levels[1:] + levels[:-1]) / 2, [np.inf]))
        shares = np.histogram(expected, edges)[0] / len(expected) * count
        assert stats.chisquare(np.histogram(drawn, edges)[0], shares).pvalue > 1e-4
    else:
        assert stats.ks_2samp(drawn, expected).pvalue > 1e-4


def test_a_test_of_distributions_notices_a_draft_that_is_taken_unseen() -> None:
    rng = np.random.default_rng(7)
    p = parameters("logistics", rng)
    q = parameters("logistics", rng, near=p)
    found = native("logistics")
    taken, own = (np.array([found(x, x, 1.0, KEY, at) for at in range(3000)]) for x in (q, p))
    assert stats.ks_2samp(taken, own).pvalue < 1e-4


@given(
    head=st.sampled_from(HEADS),
    window=st.integers(1, 16),
    precision=st.sampled_from(["float32", "int8"]),
    cuts=st.lists(st.integers(1, 5), min_size=1, max_size=6),
)
def test_windows_score_as_single_samples_do_however_the_stream_is_cut(
    head: str, window: int, precision: str, cuts: list[int]
) -> None:
    model = MODELS[head]
    sampler = SpeculativeSampler(model, draft_of(model), 2, window, precision=precision)  # type: ignore[arg-type]
    frames = controls(1, sum(cuts))
    sampler.reset(1, KEY)
    whole = sampler.advance([1], frames)[0]
    sampler.reset(1, KEY)
    edges = np.cumsum([0, *cuts])
    parts = [sampler.advance([1], frames[:, a:b])[0] for a, b in pairwise(edges)]
    assert np.array_equal(np.concatenate(parts), whole)
    # what a window left in the rings is what single samples leave: both go on alike
    alone = NativeSampler(model, 1, precision=precision)  # type: ignore[arg-type]
    alone.reset(0, KEY)
    more = controls(1, 3, seed=2)[0]
    quiet = np.zeros(3 * 8, dtype=np.float32)
    alone.probe(0, frames[0], whole)
    drafting = NativeSampler(draft_of(model), 1, precision=precision)  # type: ignore[arg-type]
    drafting.reset(0, KEY)
    drafting.probe(0, frames[0], whole)
    state = sampler.snapshot(1)
    proposed = sampler._draft.probe(1, more, quiet)
    sampler.restore(1, state)
    # heard samples give back the model's own to rounding
    assert np.allclose(alone.probe(0, more, quiet), sampler.probe(1, more, quiet), atol=2e-3)
    assert np.allclose(drafting.probe(0, more, quiet), proposed, atol=2e-3)


@pytest.mark.parametrize("head", HEADS)
def test_a_draft_that_is_the_model_is_always_taken(head: str) -> None:
    sampler = SpeculativeSampler(MODELS[head], MODELS[head], 1)
    sampler.reset(0, KEY)
    sampler.advance([0], controls(1, 40))
    assert sampler.tally.acceptance == 1
    assert sampler.tally.per_window == 4


def test_at_temperature_0_it_plays_what_the_model_alone_plays() -> None:
    model = MODELS["gaussian"]  # a mixture still draws between two components that are all but equally likely
    frames = controls(1, 40)
    frames[..., -1] = 0.0
    speculative, alone = SpeculativeSampler(model, draft_of(model), 1), NativeSampler(model, 1)
    for sampler in (speculative, alone):
        sampler.reset(0, KEY)
    assert np.array_equal(speculative.advance([0], frames), alone.advance([0], frames))


@pytest.mark.parametrize(
    ("changes", "named"),
    [
        ({"hop": 16}, "hop"),
        ({"head": {"kind": "gaussian"}}, "head"),
        ({"pre_emphasis": 0.5}, "pre_emphasis"),
        ({"global": None}, "instruments"),
    ],
)
def test_a_draft_that_can_not_be_judged_is_refused(changes: dict[str, object], named: str) -> None:
    with pytest.raises((SamplerError, ValueError), match=named):
        SpeculativeSampler(MODELS["logistics"], small(**changes), 1)


def test_a_model_that_is_no_wavenet_is_refused() -> None:
    with pytest.raises(SamplerError, match="nade"):
        SpeculativeSampler(MODELS["nade"], MODELS["nade"], 1)


def test_a_window_that_can_not_be_is_refused() -> None:
    for window in (0, 17):
        with pytest.raises(SamplerError, match=f"window: {window}"):
            SpeculativeSampler(MODELS["logistics"], draft_of(MODELS["logistics"]), 1, window)
