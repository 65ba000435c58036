"""Run under the preloaded counter: prints allocations of a short call, a long one, and of two that must show.

Takes a model, a precision and a number of threads. The interpreter itself allocates around a call, so the step is
clean where a call of many hops allocates no more than a call of one.
"""

import ctypes
import sys
from typing import get_args

import numpy as np

from ostinato.models import registry
from ostinato.models.config import ModelConfig
from ostinato.models.controls import FRAME
from ostinato.models.sampling.native import NativeSampler, Precision
from ostinato.models.training.recipe import student_config

SLOTS = 5
precision: Precision = next(p for p in get_args(Precision) if p == sys.argv[2])
threads = int(sys.argv[3])
count = ctypes.CDLL(None).allocations
checkpoint = registry.load("blocks" if sys.argv[1] == "blocks" else "tiny")
if sys.argv[1] == "nade":
    plain = checkpoint.config.model_dump()
    config = {**plain, "strategy": "nade", "network": {**plain["network"], "units": 20}}
    checkpoint = registry.random_checkpoint(ModelConfig.model_validate(config))
if sys.argv[1] == "flow":
    checkpoint = registry.random_checkpoint(student_config(checkpoint.config, "flow"))
pool = NativeSampler(checkpoint, SLOTS, threads=threads, precision=precision)._pool
slots = np.arange(SLOTS)


def advance(frames: int) -> int:
    controls = np.full((SLOTS, frames, len(FRAME)), 0.5, dtype=np.float32)
    out = np.empty((SLOTS, frames * checkpoint.config.network.hop), dtype=np.float32)
    count(1)
    pool.advance(slots, controls, out)
    return int(count(0))


advance(1)
short, long = advance(1), advance(200)
count(1)
NativeSampler(checkpoint, SLOTS, threads=threads, precision=precision)
construction = int(count(0))
count(1)
np.empty(1 << 20, dtype=np.float32)
print(short, long, construction, int(count(0)))
