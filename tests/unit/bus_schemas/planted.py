"""Event types that a test plants in the registry for its duration."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from bus_schemas import codec
from bus_schemas.events import EVENT_TYPES, VERSIONS, Body


def plant(
    monkeypatch: pytest.MonkeyPatch, name: str, fields: Mapping[str, Any], version: int = 1
) -> type[Body]:
    """Register a type under a name and version, as `bus_schemas.events` would.

    Args:
        fields: type by name, or type and default.
    """
    type_ = msgspec.defstruct(
        name,
        [(key, *value) if isinstance(value, tuple) else (key, value) for key, value in fields.items()],
        bases=(Body,),
        frozen=True,
        kw_only=True,
        omit_defaults=True,
    )
    assert issubclass(type_, Body)
    head = (name.encode(), str(version).encode())
    monkeypatch.setitem(EVENT_TYPES, name, type_)
    monkeypatch.setitem(VERSIONS, name, version)
    monkeypatch.setitem(codec._decoders, head[0], msgspec.json.Decoder(type_))
    monkeypatch.setitem(codec._versions, *head)
    monkeypatch.setitem(codec._heads, type_, head)
    return type_
