"""Settings of health: HTTP, thresholds, ledger."""

from __future__ import annotations

from bus_schemas.settings.section import Section


class HealthSettings(Section):
    """What is served, when it counts as unhealthy, and where the ledger is."""
