"""What every section of the settings shares."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Section(BaseModel):
    """A group of settings. Unknown keys are refused; values do not change after the start."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
