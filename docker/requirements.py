"""Print what a pyproject depends on, one a line: the base dependencies but torch, which a native server never imports.

With the names of extras, torch too and what they add: `requirements.py pyproject.toml cuda`.
"""

import re
import sys
import tomllib
from pathlib import Path

project = tomllib.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))["project"]
extras = sys.argv[2:]
for requirement in project["dependencies"]:
    if extras or re.match(r"[A-Za-z0-9._-]+", requirement)[0] != "torch":  # type: ignore[index]
        print(requirement)
for extra in extras:
    for requirement in project["optional-dependencies"][extra]:
        print(requirement)
