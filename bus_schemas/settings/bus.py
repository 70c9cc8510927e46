"""Settings of the bus and the service runtime."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, SecretStr

from bus_schemas.settings.section import Section, spelled

Name = Annotated[str, spelled(r"[A-Za-z0-9_-]{1,64}", "1 to 64 letters, digits, - and _")]


class BusSettings(Section):
    """Where the bus is and how it is shared."""

    url: SecretStr = Field(
        SecretStr("redis://127.0.0.1:6379/0"),
        description="Redis or Valkey, 7.0 or newer: redis://, rediss:// or unix://. May hold a password. "
        "Default: $REDIS_URL, else this machine.",
    )
    namespace: Name = Field(
        "paper",
        description="Separates paper, live, test and replay. Default where [venue] names one: live-<venue>.",
    )
    partitions: int = Field(8, ge=1, le=1024, description="Fixed when the namespace is created.")
    account: Name = Field("MAIN", description="Name of the trading account.")
    lockstep: bool = Field(False, description="One reader at a time, by turns: same input, same bytes.")
    lease_ms: int = Field(5000, ge=200, description="Expiry of a partition lease; every commit renews it.")
    batch: int = Field(500, ge=1, le=5000, description="Most events that one batch takes from a stream.")
    backlog: int = Field(1_000_000, ge=1000, description="Most unread entries before a writer must wait.")
    keep_events: int = Field(
        1_000_000, ge=0, description="Replay horizon: entries of each stream that the janitor leaves."
    )
    timeout_s: float = Field(5.0, gt=0, description="Socket timeout. A blocking read waits less.")


class RuntimeSettings(Section):
    """How a service process behaves."""

    slot: Name = Field("0", description="Name of this replica, stable over restarts.")
    shutdown_s: float = Field(10.0, gt=0, description="Budget that all steps of a shutdown share.")
    attempts: int = Field(3, ge=1, description="Tries of an event before it goes to the dead letters.")
    dead_in_row: int = Field(5, ge=1, description="Dead letters in a row that stop the service.")
    dead_share: float = Field(0.1, gt=0, le=1, description="Share of dead letters that stops the service,")
    dead_window: int = Field(200, ge=10, description="measured over this many events.")
    http_host: str = Field("127.0.0.1", description="Address of the service's own endpoint.")
    http_port: int = Field(0, ge=0, le=65535, description="Its port; 0 takes a free one.")
    heartbeat_s: float = Field(1.0, gt=0, description="Time between signs of life.")
    log_level: str = Field("INFO", pattern="^(DEBUG|INFO|WARNING|ERROR)$")
    log_format: str = Field("json", pattern="^(json|console)$")
    delay_ms: float = Field(0, ge=0, description="Test aid: random delay before each commit, up to this.")
