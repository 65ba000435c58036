"""Compile the kernel for an H100, which takes no GPU, as the sampler would launch it; print what came out as JSON.

Run as a program without the interpreter: python compiling.py MODEL... Each model twice, drawing and probing.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from triton import compiler  # type: ignore[import-untyped]
from triton.backends.compiler import GPUTarget  # type: ignore[import-untyped]

from ostinato.models import registry
from ostinato.models.checkpoint import Checkpoint
from ostinato.models.controls import FRAME
from ostinato.models.fused import kernel, launch
from ostinato.models.sampling import fused

KERNEL: Any = kernel.draw_block
TYPES = {torch.int32: "*i32", torch.int64: "*i64", torch.float32: "*fp32", torch.float16: "*fp16"}
H100 = GPUTarget("cuda", 90, 32)


class Recorder:
    """Stands where the kernel is launched, and keeps what it was launched with."""

    def __init__(self) -> None:
        self.arguments: tuple[Any, ...] = ()
        self.options: dict[str, Any] = {}

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]:
        def record(*arguments: Any, **options: Any) -> None:  # noqa: ANN401
            self.arguments, self.options = arguments, options

        return record


def compiled(checkpoint: Checkpoint, probe: bool) -> dict[str, object]:
    recorder = vars(launch)["draw_block"] = Recorder()
    sampler = fused.FusedSampler(checkpoint, 16, "cpu", "float16")
    frames = np.zeros((2, len(FRAME)), dtype=np.float32)
    if probe:
        sampler.probe(0, frames, np.zeros(2 * checkpoint.config.network.hop, dtype=np.float32))
    else:
        sampler.advance([0], frames[None])
    options = dict(recorder.options)
    launched = {"num_warps": options.pop("num_warps")}
    names = [name for name in KERNEL.arg_names if name not in options]
    signature = dict.fromkeys(options, "constexpr")
    for name, argument in zip(names, recorder.arguments, strict=True):
        signature[name] = TYPES[argument.dtype] if isinstance(argument, torch.Tensor) else "i32"
    place = {name: (KERNEL.arg_names.index(name),) for name in KERNEL.arg_names}
    given = dict(zip(names, recorder.arguments, strict=True))
    even = [name for name in names if not isinstance(given[name], int) or given[name] % 16 == 0]
    aligned = {place[name]: [["tt.divisibility", 16]] for name in even if name != "frames"}
    constants = {place[name]: value for name, value in options.items()}
    source = compiler.ASTSource(KERNEL, signature, constexprs=constants, attrs=aligned)
    made = compiler.compile(source, target=H100, options=launched)
    return {
        "model": checkpoint.config.name,
        "probe": probe,
        "shared": made.metadata.shared,
        "ttir": made.asm["ttir"],
        "ttgir": made.asm["ttgir"],
        "ptx": made.asm["ptx"],
    }


if __name__ == "__main__":
    vars(fused)["INTERPRETED"] = True  # so that it is built on CPU tensors; nothing is launched
    json.dump([compiled(registry.load(m), probe) for m in sys.argv[1:] for probe in (False, True)], sys.stdout)
