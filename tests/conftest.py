"""One thread a worker, since the suite runs in parallel; property tests judged by results, not by time."""

import os

os.environ.setdefault("OMP_NUM_THREADS", "1")

from hypothesis import settings

settings.register_profile("ostinato", deadline=None, max_examples=50, derandomize="CI" in os.environ)
settings.load_profile("ostinato")
