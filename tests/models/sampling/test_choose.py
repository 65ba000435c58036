import os
import subprocess
import sys

import pytest

from ostinato.models import registry
from ostinato.models.config import Instrument
from ostinato.models.sampling import choose
from ostinato.models.sampling.choose import EngineName, open_sampler
from ostinato.models.sampling.contract import SamplerError
from ostinato.models.training.recipe import instrument_config

TINY = registry.load("tiny")


def test_auto_takes_the_native_kernel_and_says_why() -> None:
    sampler, why = open_sampler(TINY, slots=3)
    assert (sampler.build.engine, sampler.build.device, sampler.slots) == ("native", "cpu", 3)
    assert why == "the fastest on a CPU"


@pytest.mark.parametrize("engine", ["native", "torch", "naive"])
def test_what_is_asked_for_is_taken(engine: EngineName) -> None:
    sampler, why = open_sampler(TINY, engine, "cpu", slots=1)
    assert (sampler.build.engine, why) == (engine, "asked for")


@pytest.mark.parametrize("engine", ["native", "naive"])
def test_cuda_is_for_torch_and_fused_alone(engine: EngineName) -> None:
    with pytest.raises(SamplerError, match=f"device: 'cuda' .*'{engine}'"):
        open_sampler(TINY, engine, "cuda", slots=1)


def test_fused_is_taken_on_a_cpu_under_the_interpreter() -> None:
    pytest.importorskip("triton")
    sampler, why = open_sampler(TINY, "fused", "cpu", slots=1)
    assert (sampler.build.engine, sampler.build.isa, sampler.build.precision) == ("fused", "interpreter", "float16")
    assert why == "asked for"
    assert open_sampler(TINY, "fused", "cpu", 1, "float32")[0].build.precision == "float32"
    with pytest.raises(SamplerError, match="precision: 'int8' is for the native and speculative engines"):
        open_sampler(TINY, "fused", "cpu", 1, "int8")


def test_auto_takes_the_fused_kernel_on_cuda_where_triton_is_and_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(choose, "find_spec", lambda _: object())
    assert choose.fastest("cuda") == ("fused", "the fastest on cuda")
    monkeypatch.setattr(choose, "find_spec", lambda _: None)
    engine, why = choose.fastest("cuda")
    assert (engine, "triton" in why) == ("torch", True)


@pytest.mark.parametrize("engine", ["naive", "fused"])
def test_what_draws_from_a_wavenet_alone_is_refused_for_a_nade(engine: EngineName) -> None:
    model = registry.random_checkpoint(instrument_config((Instrument(name="one"),), name="one", strategy="nade"))
    with pytest.raises(SamplerError, match=f"engine: '{engine}' draws from a wavenet alone, .* 'one' is 'nade'"):
        open_sampler(model, engine, slots=1)
    assert open_sampler(model, slots=1)[0].build.engine == "native"
    assert choose.fastest("cuda", "nade") == ("torch", "there is no fused kernel for a nade")


def test_fused_is_refused_by_what_it_lacks() -> None:
    pytest.importorskip("triton")
    code = """
import sys
from ostinato.models import registry
from ostinato.models.sampling.choose import open_sampler
def told(device):
    try:
        open_sampler(registry.load("tiny"), "fused", device, slots=1)
    except ValueError as error:
        print(device, error)
sys.modules["triton"] = None
told("cuda")
del sys.modules["triton"]
told("cpu")
told("cuda")
told("auto")
"""
    env = {**os.environ, "TRITON_INTERPRET": "0", "CUDA_VISIBLE_DEVICES": ""}
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60, env=env)
    missing, cpu, cuda, auto = run.stdout.splitlines()
    assert "cuda engine: 'fused' needs triton" in missing
    assert "cpu device: 'cpu' has no fused kernel but under Triton's interpreter" in cpu
    assert cuda.endswith("device: 'cuda' is not available here")
    assert auto.endswith("device: 'cuda' is not available here")


def test_without_the_kernel_auto_takes_torch_and_says_why() -> None:
    code = """
import sys
sys.modules["ostinato.models.native._kernel"] = None
from ostinato.models import registry
from ostinato.models.sampling.choose import open_sampler
sampler, why = open_sampler(registry.load("tiny"), slots=1)
print(sampler.build.engine, why)
try:
    open_sampler(registry.load("tiny"), "native", slots=1)
except ValueError as error:
    print(error)
"""
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout
    assert "torch the native kernel is not here" in told
    assert "engine: 'native' was not built" in told
