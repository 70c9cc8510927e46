"""Settings of execution and the paper venue."""

from __future__ import annotations

from bus_schemas.settings.section import Section


class ExecutionSettings(Section):
    """How orders are kept."""


class PaperSettings(Section):
    """Assumptions of the paper venue."""
