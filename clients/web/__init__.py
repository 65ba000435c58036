"""The browser instrument: plain files, no build step. The front door hands this folder to the server."""

from __future__ import annotations

from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parent
