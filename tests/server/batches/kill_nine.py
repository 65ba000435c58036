"""Kills a server with SIGKILL in the middle of a batch, again and again, and compares all that it made in the end.

    python -m tests.server.batches.kill_nine --items 200 --kills 3 --model default

Half of the items leave their seed to the server, so what was drawn at acceptance has to outlive it. The undisturbed
run is given the seeds that the first one tells.
"""

from __future__ import annotations

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from tests.server.batches.posting import FORMATS, all_decoded, done, get, posted, status
from tests.server.processes import process
from tests.server.serving import eventually

PATIENCE_S = 600.0


@dataclass(frozen=True)
class Seen:
    """What became of a batch."""

    kills: tuple[dict[str, int], ...]  # how many items were in each state just before
    disturbed: list[str]  # the sha256 of each item's samples
    undisturbed: list[str]

    @property
    def whole(self) -> bool:
        return self.disturbed == self.undisturbed


def asked(items: int, seconds: float = 0.3) -> list[dict[str, Any]]:
    """Items of every format, so long or a little longer, every other one without a seed."""
    return [
        {
            "notes": [
                {"note": 48 + n % 30, "duration_s": seconds + 0.1 * (n % 7)},
                {"note": 55 + n % 20, "duration_s": 0.4, "start_s": 0.1 * (n % 5), "velocity": 0.6},
            ],
            "format": FORMATS[n % len(FORMATS[:-1])],  # raw PCM has no header to be decoded by
            **({"seed": n} if n % 2 else {}),
        }
        for n in range(items)
    ]


def kill_nine(
    items: int, kills: int, model: str, chosen: random.Random, tell: Callable[[str], None], seconds: float = 0.3
) -> Seen:
    """A batch of so many items, through so many kills at random places, beside an undisturbed one."""
    sounds = asked(items, seconds)
    batch, seen = "", []
    places = sorted(chosen.sample(range(items - 4), kills))
    with tempfile.TemporaryDirectory() as data:
        for place in places:
            with process(OSTINATO_MODELS=model, OSTINATO_DATA=data) as server:
                batch = batch or posted(server, sounds)
                assert eventually(lambda: status(server, batch)["counts"]["done"] >= place, PATIENCE_S)  # noqa: B023
                time.sleep(chosen.uniform(0.0, 0.1))
                seen.append(status(server, batch)["counts"])
                server.process.kill()
            tell(f"killed with {seen[-1]['done']} done, {seen[-1]['running']} running, {seen[-1]['queued']} queued")
        with process(OSTINATO_MODELS=model, OSTINATO_DATA=data) as server:
            told = done(server, batch, PATIENCE_S)["counts"]
            tell(f"started again: {told['done']} done, {told['failed']} failed")
            disturbed = all_decoded(server, batch, items)
            seeds = [i["seed"] for i in get(server, f"{batch}/items", params={"limit": 1000}).json()["items"]]
    with process(OSTINATO_MODELS=model) as server:
        again = posted(server, [{**item, "seed": seed} for item, seed in zip(sounds, seeds, strict=True)])
        done(server, again, PATIENCE_S)
        undisturbed = all_decoded(server, again, items)
    return Seen(tuple(seen), disturbed, undisturbed)


def main() -> None:
    """Print what was seen; end with 1 where anything is lost, or is another sound."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--items", type=int, default=200, help="5 to 1000")
    parser.add_argument("--kills", type=int, default=3)
    parser.add_argument("--model", default="default")
    parser.add_argument("--seed", type=int, default=None, help="of the places where it is killed")
    options = parser.parse_args()
    seen = kill_nine(options.items, options.kills, options.model, random.Random(options.seed), print)
    alike = sum(a == b for a, b in zip(seen.disturbed, seen.undisturbed, strict=True))
    print(f"{alike} of {options.items} have the sha256 of their decoded PCM as in an undisturbed run")
    sys.exit(not seen.whole)


if __name__ == "__main__":
    main()
