"""Every setting of the server, from arguments or from the environment as OSTINATO_..., refused where malformed."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Final, Literal

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from ostinato.models.sampling.choose import DeviceName, EngineName, PrecisionName
from ostinato.server.batches.config import BatchConfig
from ostinato.server.keys import SINGLE, joined, parse_keys, read_keys, well_formed
from ostinato.server.limits import SessionLimits
from ostinato.server.logs import LogFormat
from ostinato.server.origins import well_formed_host, well_formed_origin
from ostinato.server.protocol import DURATION_S, ITEMS, LEAST_LEAD_MS, MESSAGE_BYTES, MESSAGES_BURST, MESSAGES_PER_S

PREFIX: Final = "OSTINATO_"
SECRET: Final = frozenset({"api_key", "api_keys"})
LEAST_BURST: Final = 8192  # twice the events that a client of ours has under way
ELSEWHERE: Final = frozenset({"OSTINATO_ISA", "OSTINATO_URL"})  # read by the kernel, and by clients


def state_folder() -> Path:
    """Where programs keep what outlives them (XDG base directories)."""
    return Path(os.environ.get("XDG_STATE_HOME") or "~/.local/state") / "ostinato"


class SettingsError(ValueError):
    """Settings that can't be; the message names each with its value."""


class Settings(BaseSettings):
    """How a server is run."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", env_ignore_empty=True, hide_input_in_errors=True
    )

    host: str = "127.0.0.1"
    port: int = Field(8000, ge=0, le=65535)  # 0: any that is free
    models: Annotated[tuple[str, ...], NoDecode] = Field(("default",), min_length=1)  # names, or checkpoint folders
    engine: EngineName = "auto"
    device: DeviceName = "auto"
    precision: PrecisionName = "auto"
    threads: int | None = Field(None, ge=1, le=1024)  # of the native engine; None: every core but one, for the rest
    slots: int = Field(32, ge=1, le=4096)  # voices of each model at once
    lead_ms: float = Field(200.0, ge=LEAST_LEAD_MS, le=10_000.0)  # where a session names none
    paced: bool = True  # live audio leaves by the clock; else as soon as it is drawn, which tells what drawing it took
    start_s: float = Field(10.0, gt=0.0)  # a socket waits so long for session.start
    idle_s: float = Field(600.0, gt=0.0)  # a session without a word or a sound
    stall_s: float = Field(10.0, gt=0.0)  # a client that takes no byte
    queue: int = Field(32, ge=0, le=10_000)  # listeners that may wait for room
    queue_s: float = Field(60.0, gt=0.0)  # how long each waits
    resume_window_s: float = Field(30.0, ge=0.0, le=3600.0)  # a dropped listener may come back within; 0: never
    drain_s: float = Field(30.0, ge=0.0, le=3600.0)  # sessions have so long to finish once SIGTERM came
    api_key: Annotated[SecretStr, AfterValidator(well_formed)] | None = None
    api_keys: Annotated[Mapping[str, SecretStr], NoDecode] = Field(default_factory=dict)  # by owner
    api_keys_file: Annotated[Mapping[str, SecretStr], NoDecode] = Field(default_factory=dict)  # what the file holds
    allow_no_key: bool = False  # to be reachable from elsewhere without one
    monitors: Annotated[tuple[str, ...], NoDecode] = ()  # owners of keys that may read the monitor; none: all
    token_s: float = Field(60.0, ge=1.0, le=3600.0)  # that a browser's token lasts
    allowed_hosts: Annotated[tuple[str, ...], NoDecode] = ()  # names that the server answers to, beside its own
    allowed_origins: Annotated[tuple[str, ...], NoDecode] = ()  # sites whose pages may call, beside its own
    connections: int = Field(1024, ge=1)  # requests and sockets open at once
    requests_per_s: float = Field(
        100.0, gt=0.0, allow_inf_nan=False
    )  # with one key, sockets that are opened among them
    requests_burst: int = Field(1000, ge=1)
    sessions_per_key: int = Field(32, ge=1)
    voices_per_session: int = Field(64, ge=1, le=64)
    duration_s: float = Field(DURATION_S, gt=0.0, le=DURATION_S)  # the longest session
    message_bytes: int = Field(MESSAGE_BYTES, ge=1024, le=1 << 20)
    messages_per_s: float = Field(MESSAGES_PER_S, gt=0.0, allow_inf_nan=False)  # of a session
    messages_burst: int = Field(MESSAGES_BURST, ge=LEAST_BURST)
    data: Path = Field(default_factory=state_folder)  # where batches are kept
    batch_items: int = Field(ITEMS, ge=1, le=ITEMS)  # of a batch
    batch_bytes: int = Field(32 * 2**20, ge=1024, le=1 << 30)  # of a request for one
    batches_per_key: int = Field(100, ge=1)  # that are not over
    batch_at_once: int = Field(4, ge=1, le=256)  # items that are drawn together
    batch_expiry_s: float = Field(7 * 86_400.0, gt=0.0, le=10 * 365 * 86_400.0)  # after a batch is over
    least_free_bytes: int = Field(2**30, ge=0)  # of the disk, that no batch may take
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    log_format: LogFormat = "text"

    @property
    def keys(self) -> Mapping[str, SecretStr]:
        """Every API key, by its owner."""
        single = {} if self.api_key is None else {SINGLE: self.api_key}
        return joined(single, self.api_keys, self.api_keys_file)

    @property
    def limits(self) -> SessionLimits:
        """What a session may take."""
        return SessionLimits(
            self.sessions_per_key,
            self.voices_per_session,
            self.duration_s,
            self.message_bytes,
            self.messages_per_s,
            self.messages_burst,
        )

    @property
    def batches(self) -> BatchConfig:
        """What batches may take."""
        return BatchConfig(
            self.data,
            self.batch_items,
            self.batch_bytes,
            self.batches_per_key,
            self.batch_at_once,
            self.batch_expiry_s,
            self.least_free_bytes,
        )

    @field_validator("models", "monitors", "allowed_hosts", "allowed_origins", mode="before")
    @classmethod
    def _split(cls, value: object) -> object:
        """Names separated by commas."""
        return tuple(name.strip() for name in value.split(",") if name.strip()) if isinstance(value, str) else value

    @field_validator("api_keys", mode="before")
    @classmethod
    def _parse_keys(cls, value: object) -> object:
        return parse_keys(value.split(",")) if isinstance(value, str) else value

    @field_validator("api_keys_file", mode="before")
    @classmethod
    def _read_keys(cls, value: object) -> object:
        return read_keys(Path(value)) if isinstance(value, str | Path) else value

    @field_validator("allowed_hosts")
    @classmethod
    def _check_hosts(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(well_formed_host, value))

    @field_validator("allowed_origins")
    @classmethod
    def _check_origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        return tuple(map(well_formed_origin, value))

    @model_validator(mode="after")
    def _keep_strangers_out(self) -> Settings:
        try:
            keys = self.keys
        except ValueError as error:
            raise ValueError(f"api_keys ({PREFIX}API_KEYS, with _FILE and {PREFIX}API_KEY): {error}") from None
        for name in self.monitors:
            if name not in keys:
                raise ValueError(f"monitors: {name!r} has no key; there are those of {', '.join(keys) or 'nobody'}")
        if not keys and not self.allow_no_key and not _is_loopback(self.host):
            raise ValueError(
                f"host: {self.host!r} can be reached from elsewhere; set {PREFIX}API_KEY, or {PREFIX}ALLOW_NO_KEY=true"
            )
        return self


def refuse_unknown_variables() -> None:
    """Raise a SettingsError that names every OSTINATO_ variable which nothing reads."""
    known = {f"{PREFIX}{name.upper()}" for name in Settings.model_fields} | ELSEWHERE
    unknown = [name for name in os.environ if name.upper().startswith(PREFIX) and name.upper() not in known]
    if unknown:
        faults = [f"{name}: no such setting (value: {_guarded(name)})" for name in sorted(unknown)]
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
    value = "a secret" if name in SECRET else repr(fault["input"])
    return f"{name} ({PREFIX}{name.upper()}): {message} (value: {value})"


def _guarded(variable: str) -> str:
    """The value of an unknown variable, unless it may be a secret whose name is misspelt."""
    return "a secret" if re.search("API|KEY|TOKEN|SECRET", variable, re.IGNORECASE) else repr(os.environ[variable])


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
