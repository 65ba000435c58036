"""What of the kernel is called from outside. Triton itself has no types."""

from collections.abc import Callable
from typing import Final, Protocol

INTERPRETED: Final[bool]

class Kernel(Protocol):
    """`kernel[grid](arguments, constants, launch options)`; `launch.py` is the one caller."""

    def __getitem__(self, grid: tuple[int, ...]) -> Callable[..., None]: ...

draw_block: Kernel
