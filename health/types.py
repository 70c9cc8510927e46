"""Column types of the ledger: what goes in comes out, on SQLite and on PostgreSQL."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB

NUL = "\x00"
REPLACEMENT = "�"


class Money(sa.types.TypeDecorator[Decimal]):
    """An exact Decimal: NUMERIC without a precision on PostgreSQL, text on SQLite.

    SQLite has no decimal type and would make a binary float of it. As text its order is not that of
    the numbers, so sums and maxima are taken in Python.
    """

    impl = sa.Text
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        exact = dialect.name == "postgresql"
        return dialect.type_descriptor(sa.Numeric(asdecimal=True) if exact else sa.Text())

    def process_bind_param(self, value: Decimal | None, dialect: sa.Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal) or not value.is_finite():
            raise ValueError(f"money must be a finite Decimal, not {value!r}")
        return value if dialect.name == "postgresql" else format(value, "f")

    def process_result_value(self, value: Any, dialect: sa.Dialect) -> Decimal | None:  # noqa: ARG002
        return None if value is None else Decimal(value)


class Words(sa.types.TypeDecorator[str]):
    """Text from outside. PostgreSQL cannot hold a NUL, which JSON can: it is replaced."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: sa.Dialect) -> str | None:  # noqa: ARG002
        return None if value is None else value.replace(NUL, REPLACEMENT)


class Document(sa.types.TypeDecorator[Any]):
    """A JSON value: JSONB on PostgreSQL, text on SQLite. A NUL is replaced as in `Words`."""

    impl = sa.JSON
    cache_ok = True

    def load_dialect_impl(self, dialect: sa.Dialect) -> sa.types.TypeEngine[Any]:
        kind = JSONB(none_as_null=True) if dialect.name == "postgresql" else sa.JSON(none_as_null=True)
        return dialect.type_descriptor(kind)

    def process_bind_param(self, value: Any, dialect: sa.Dialect) -> Any:  # noqa: ARG002
        return without_nul(value)


def without_nul(value: Any) -> Any:
    """The same JSON value with every NUL replaced, in keys as well."""
    if isinstance(value, str):
        return value.replace(NUL, REPLACEMENT)
    if isinstance(value, dict):
        return {without_nul(key): without_nul(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [without_nul(item) for item in value]
    return value


def dumps(value: Any) -> str:
    """JSON for the engine: compact, so that evidence takes little room."""
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
