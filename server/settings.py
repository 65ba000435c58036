"""Every setting of the server, from arguments or from the environment as OSTINATO_..., refused where malformed."""

from __future__ import annotations

import ipaddress
import os
from typing import Annotated, Any, Final, Literal

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ostinato.models.sampling.choose import DeviceName, EngineName, PrecisionName
from ostinato.server.logs import LogFormat
from ostinato.server.protocol import LEAST_LEAD_MS

PREFIX: Final = "OSTINATO_"
ELSEWHERE: Final = frozenset({"OSTINATO_ISA", "OSTINATO_URL"})  # read by the kernel, and by clients


class SettingsError(ValueError):
    """Settings that can't be; the message names each with its value."""


class Settings(BaseSettings):
    """How a server is run."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True)

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)  # 0: any that is free
    models: Annotated[tuple[str, ...], NoDecode] = Field(("default",), min_length=1)  # names, or checkpoint folders
    engine: EngineName = "auto"
    device: DeviceName = "auto"
    precision: PrecisionName = "auto"
    threads: int | None = Field(None, ge=1, le=1024)  # of the native engine; None: every core but one, for the rest
    slots: int = Field(32, ge=1, le=4096)  # voices of each model at once
    lead_ms: float = Field(200.0, ge=LEAST_LEAD_MS, le=10_000.0)  # where a session names none
    start_s: float = Field(10.0, gt=0.0)  # a socket waits so long for session.start
    idle_s: float = Field(600.0, gt=0.0)  # a session without a word or a sound
    stall_s: float = Field(10.0, gt=0.0)  # a client that takes no byte
    queue: int = Field(32, ge=0, le=10_000)  # listeners that may wait for room
    queue_s: float = Field(60.0, gt=0.0)  # how long each waits
    resume_window_s: float = Field(30.0, ge=0.0, le=3600.0)  # a dropped listener may come back within; 0: never
    drain_s: float = Field(30.0, ge=0.0, le=3600.0)  # sessions have so long to finish once SIGTERM came
    api_key: SecretStr | None = Field(None, min_length=8)
    allow_no_key: bool = False  # to be reachable from elsewhere without one
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: LogFormat = "text"

    @field_validator("models", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Names separated by commas."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @model_validator(mode="after")
    def _keep_strangers_out(self) -> Settings:
        if self.api_key is None and not self.allow_no_key and not _is_loopback(self.host):
            raise ValueError(
                f"host: {self.host!r} can be reached from elsewhere; set {PREFIX}API_KEY, or {PREFIX}ALLOW_NO_KEY=true"
            )
        return self


def refuse_unknown_variables() -> None:
    """Raise a SettingsError that names every OSTINATO_ variable which nothing reads."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | ELSEWHERE
    unknown = [name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known]
    if unknown:
        faults = [f"{name}: no such setting (value: {os.environ[name]!r})" for name in sorted(unknown)]
        raise SettingsError("\n".join([*faults, f"there are {', '.join(sorted(known))}"]))


def read_settings(**arguments: Any) -> Settings:  # noqa: ANN401
    """Settings from the environment, arguments going first; those that are None are left to the environment.

    Raises:
        SettingsError: naming every unknown OSTINATO_ variable, and every malformed value.
    """
    refuse_unknown_variables()
    try:
        return Settings(**{name: value for name, value in arguments.items() if value is not None})
    except ValidationError as error:
        raise SettingsError("\n".join(_explain(fault) for fault in error.errors())) from None


def _explain(fault: Any) -> str:  # noqa: ANN401
    message = fault["msg"].removeprefix("Value error, ")
    if not fault["loc"]:
        return str(message)
    name = str(fault["loc"][0])
    value = "a secret" if name == "api_key" else repr(fault["input"])
    return f"{name} ({PREFIX}{name.upper()}): {message} (value: {value})"


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
