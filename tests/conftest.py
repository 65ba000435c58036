"""One thread a worker, since the suite runs in parallel; property tests judged by results, not by time; no GPU."""

import os
import tempfile

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TRITON_INTERPRET", "1")  # the fused kernel on a CPU; read where triton is first imported

os.environ["OSTINATO_DATA"] = tempfile.mkdtemp(prefix="ostinato-tests-")  # no test writes into a home

from importlib.util import find_spec

from hypothesis import settings

settings.register_profile("ostinato", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("ostinato")

# triton is made for Linux alone
collect_ignore = [] if find_spec("triton") else ["models/fused", "models/sampling/test_fused.py"]
