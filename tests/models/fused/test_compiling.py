"""What the interpreter cannot show: that the kernel compiles, fits an H200 and keeps its barrier. No GPU is needed."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from ostinato.models import registry
from ostinato.models.fused.shape import BLOCK_BYTES, SPARE_BYTES, Padded

MODELS = ("r64", "default")  # a mu-law head and no conditioning; a mixture with everything switched on


@pytest.fixture(scope="module")
def kernels(tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """Each model drawing, then probing."""
    env = {**os.environ, "TRITON_INTERPRET": "0", "TRITON_CACHE_DIR": str(tmp_path_factory.mktemp("triton"))}
    command = [sys.executable, str(Path(__file__).parent / "compiling.py"), *MODELS]
    printed = subprocess.run(command, capture_output=True, text=True, check=True, timeout=240, env=env).stdout
    found: list[dict[str, Any]] = json.loads(printed)
    return found


def test_it_compiles_to_tensor_core_products_within_a_blocks_shared_memory(kernels: list[dict[str, Any]]) -> None:
    assert [(k["model"], k["probe"]) for k in kernels] == [(m, probe) for m in MODELS for probe in (False, True)]
    for kernel in kernels:
        assert "mma.sync" in kernel["ptx"]
        assert 0 < kernel["shared"] <= BLOCK_BYTES


def test_shared_memory_is_what_a_shape_is_refused_by(kernels: list[dict[str, Any]]) -> None:
    """Two layers at once, or the head."""
    for kernel in kernels:
        network = registry.load(kernel["model"]).config.network
        shape = Padded.of(network, "float16")
        foreseen = max(2 * shape.layer_bytes(network.kernel_size), shape.head_bytes())
        assert abs(kernel["shared"] - foreseen) <= SPARE_BYTES


def test_the_next_layers_weights_travel_while_a_layer_computes(kernels: list[dict[str, Any]]) -> None:
    """A second buffer of each matrix: two for each of two taps, residual, skip."""
    for kernel in kernels:
        shape = Padded.of(registry.load(kernel["model"]).config.network, "float16")
        buffers = re.findall(r"ttg\.local_alloc : \(\) -> !ttg\.memdesc<2x(\d+)x\d+xf16", kernel["ttgir"])
        assert buffers.count(str(shape.residual)) == 6


def test_a_barrier_stands_between_the_rows_of_one_sample_and_the_next(kernels: list[dict[str, Any]]) -> None:
    """Inside the loop of samples, after the loop of layers, whose last word is the store of a ring's row."""
    for kernel in kernels:
        words = re.findall(r"scf\.for %(\w+)|(scf\.yield|ttg\.barrier all)", kernel["ttir"])
        order = [loop or word for loop, word in words if loop in ("frame", "t", "layer") or word]
        assert order == ["frame", "t", "layer", "scf.yield", "ttg.barrier all", "scf.yield", "scf.yield"]


def test_a_ring_is_not_read_through_the_cache_that_never_sees_a_store(kernels: list[dict[str, Any]]) -> None:
    """The one table that is: constants of libdevice's sine for large angles."""
    for kernel in kernels:
        tables = set(re.findall(r"mov\.b64 +\t?(%rd\d+), __cudart_i2opi_f;", kernel["ptx"]))
        bases = dict(re.findall(r"add\.s64 +\t?(%rd\d+), (%rd\d+), ", kernel["ptx"]))
        for address in re.findall(r"ld\.global\.nc\S* +\t?%\w+, \[(%rd\d+)", kernel["ptx"]):
            assert bases[address] in tables
        assert kernel["ptx"].count("ld.global.nc") == len(re.findall(r"ld\.global\.nc\S* +\t?%\w+, \[", kernel["ptx"]))
