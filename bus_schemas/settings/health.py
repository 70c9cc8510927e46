"""Settings of health: HTTP, thresholds, ledger."""

from __future__ import annotations

from pydantic import Field, SecretStr

from bus_schemas.settings.section import Section


class HealthSettings(Section):
    """What is served, when it counts as unhealthy, and where the ledger is."""

    host: str = Field(
        "127.0.0.1", description="Address of the HTTP server. There is no password: keep it in."
    )
    port: int = Field(8080, ge=0, le=65535, description="Its port; 0 takes a free one and logs which.")
    database: SecretStr | None = Field(
        None,
        description="The SQL ledger: sqlite:///path or postgresql://... May hold a password. "
        "Default: $DATABASE_URL, else sqlite:///var/causeway.db.",
    )
    migrate: str = Field(
        "sqlite",
        pattern="^(sqlite|always|never)$",
        description="Which ledgers are brought to the newest schema at start. Others must be there already: "
        "python migrate_schema.py.",
    )
    expect: tuple[str, ...] = Field(
        ("market_data", "strategy", "risk", "execution"),
        description="Services without which the system is not healthy.",
    )
    sample_s: float = Field(
        1.0, gt=0, description="Time between two looks at heartbeats, lags, dead letters."
    )
    poll_s: float = Field(0.25, gt=0, description="Time between two looks at the event streams when idle.")
    batch: int = Field(500, ge=1, le=10_000, description="Most events of a stream in one ledger transaction.")
    silent_after_s: float = Field(
        5.0, gt=0, description="A service without a heartbeat for so long is silent."
    )
    forget_after_s: float = Field(
        300.0, gt=0, description="A silent replica is forgotten after this if another one of it lives."
    )
    lag_events: int = Field(5000, ge=1, description="More unread events of a unit are unhealthy.")
    lag_growing: int = Field(10, ge=2, description="So many looks in a row with a growing lag are unhealthy,")
    lag_floor: int = Field(100, ge=0, description="once the lag is above this.")
    unprotected_s: float = Field(
        10.0, ge=0, description="Longest time that a position may be without a stop."
    )
    venue_silent_s: float = Field(
        30.0, gt=0, description="Longest time for which a live venue's account may not have been seen."
    )
    ledger_behind: int = Field(10_000, ge=1, description="More events that the ledger lacks are unhealthy.")
