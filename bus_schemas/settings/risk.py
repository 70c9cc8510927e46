"""Settings of risk: the limits."""

from __future__ import annotations

from bus_schemas.settings.section import Section


class RiskSettings(Section):
    """Limits. Percentages are of equity unless a description says otherwise."""
