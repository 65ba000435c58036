"""The most streams that a server plays without a gap: twice as many until that is too many, then the middle."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any, Final, Literal, TypeAlias

from ostinato.clients.load import Load
from ostinato.clients.load_plan import LoadPlan
from ostinato.clients.load_report import LoadReport

MOST: Final = 1000  # streams; a process has about so many file descriptors
REST_S: Final = 0.5  # between two steps, for a server to settle

Limit: TypeAlias = Literal["admission", "underrun", "loss", "client", "most"]
"""What ended a ramp: the server refused, a listener ran dry, a stream broke off, this client was late itself and can't
tell, or no more are tried."""


@dataclass
class Ramp:
    """The search: told of each step, it says how many streams to try next."""

    begin_with: int = 1
    steps: list[LoadReport] = field(default_factory=list)

    @property
    def most(self) -> int:
        """The most streams that played together without a gap, of the numbers below any that did not."""
        too_many = self._too_many
        fine = (s.joined for s in self.steps if s.gapless and (too_many is None or s.joined < too_many.joined))
        return max(fine, default=0)

    @property
    def following(self) -> int | None:
        """How many streams to try next; None where the search is over."""
        if not self.steps:
            return self.begin_with
        most, too_many = self.most, self._too_many
        if too_many is not None:
            middle = (most + too_many.joined) // 2
            asked = any(step.streams == middle for step in self.steps)  # and fewer joined: no more are let in
            return None if asked or too_many.joined - most <= 1 else middle
        return None if self._refused or most >= MOST else min(2 * most, MOST)

    @property
    def limit(self) -> Limit | None:
        """Why no more; None while that is not known."""
        too_many = self._too_many
        if self.following is not None:
            return None
        if too_many is None:
            return "admission" if self._refused else "most"
        if too_many.client_late:
            return "client"
        return "underrun" if too_many.underruns else "loss"

    def as_dict(self) -> dict[str, Any]:
        """For programs."""
        return {"most": self.most, "limit": self.limit, "steps": [step.as_dict() for step in self.steps]}

    @property
    def _too_many(self) -> LoadReport | None:
        """The step of the fewest streams that did not go well."""
        return min((step for step in self.steps if not step.gapless), key=lambda step: step.joined, default=None)

    @property
    def _refused(self) -> bool:
        return any(step.refused for step in self.steps)


async def climb(
    plan: LoadPlan, ramp: Ramp, stepped: Callable[[LoadReport], None], tell: Callable[[LoadReport], None]
) -> None:
    """Take step after step against a server, of the plan's length each, until the search is over.

    `stepped` gets the report of each step, `tell` that of the running one. It stops where nobody joins.
    """
    while (streams := ramp.following) is not None:
        load = Load(replace(plan, streams=streams))
        await load.play(tell)
        report = load.report()
        ramp.steps.append(report)
        stepped(report)
        if not report.joined:
            return
        await asyncio.sleep(REST_S)
