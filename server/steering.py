"""What a session's controls are set to: names and values checked, ramps followed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ostinato.models.config import Instrument
from ostinato.models.controls import ControlError, ControlSpec, Trajectory
from ostinato.server.protocol import ProtocolError

SUSTAINS_FROM = 0.5


class Steering:
    """The controls of one session, and the checks that each value passes before it is set."""

    def __init__(
        self, specs: Sequence[ControlSpec], instruments: Sequence[Instrument], initial: Mapping[str, float | str]
    ) -> None:
        self._specs = {spec.name: spec for spec in specs}
        self._instruments = [instrument.name for instrument in instruments]
        values = {spec.name: spec.default for spec in specs} | self.check(initial, field="controls")
        self._courses = {name: Trajectory.constant(value) for name, value in values.items()}

    def check(
        self,
        params: Mapping[str, float | str],
        *,
        field: str = "params",
        voice_id: str | None = None,
        event_id: str | None = None,
    ) -> dict[str, float]:
        """The values as numbers, an instrument's name as its index. Raises ProtocolError naming the control."""
        return {
            name: self._value(name, value, f"{field}.{name}", voice_id is not None, event_id)
            for name, value in params.items()
        }

    def __getitem__(self, name: str) -> Trajectory:
        return self._courses[name]

    def ramped(self, name: str) -> bool:
        """Whether the control follows a ramp; else it switches."""
        return self._specs[name].ramped

    @property
    def instrument(self) -> int:
        """What the next note.on plays."""
        return int(self._courses["instrument"].target)

    @property
    def sustain(self) -> bool:
        """Whether the pedal is down."""
        return self._courses["sustain"].target >= SUSTAINS_FROM

    def _value(self, name: str, value: float | str, param: str, of_voice: bool, event_id: str | None) -> float:
        def refused(message: str) -> ProtocolError:
            return ProtocolError("invalid_value", f"{param}: {message}", param=param, event_id=event_id)

        spec = self._specs.get(name)
        if spec is None:
            raise refused(f"no such control; there are {', '.join(self._specs)}")
        if of_voice and not spec.per_voice:
            raise refused("is of the whole session; leave voice_id out")
        if isinstance(value, str):
            if name != "instrument":
                raise refused(f"{value!r} is not a number")
            if value not in self._instruments:
                raise refused(f"{value!r} is not known; there are {', '.join(self._instruments)}")
            return float(self._instruments.index(value))
        if name == "instrument" and value != int(value):
            raise refused(f"{value} is not a whole number")
        try:
            return spec.check(value)
        except ControlError as error:
            raise refused(str(error).removeprefix(f"{name}: ")) from None
