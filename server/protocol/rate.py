"""How often something may be done: the rule behind `limits.messages_per_s`, which both sides count by alike."""

from __future__ import annotations


class Allowance:
    """A token bucket: `burst` at once, full at first, and `per_s` a second in the long run."""

    def __init__(self, per_s: float, burst: float, now: float) -> None:
        self._per_s, self._burst = per_s, burst
        self._left, self._at = float(burst), now

    def take(self, now: float) -> float:
        """Take one: 0.0; or, where none is left, the seconds until one is, with nothing taken."""
        self._left = min(self._burst, self._left + (now - self._at) * self._per_s)
        self._at = now
        if self._left < 1.0:
            return (1.0 - self._left) / self._per_s
        self._left -= 1.0
        return 0.0
