"""What batches may take of a server."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class BatchConfig:
    """Where they are kept, and bounds."""

    folder: Path
    items: int  # of a batch
    body_bytes: int  # of a request
    per_key: int  # batches that are not over
    at_once: int  # items that are drawn together
    expiry_s: float  # after a batch is over
    least_free_bytes: int  # of the disk, that no batch may take
