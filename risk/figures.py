"""Figures for people: how a Decimal is shown in a refusal or a halt."""

from __future__ import annotations

from decimal import ROUND_HALF_EVEN, Decimal

_PLACES = Decimal("1e-8")
_VAST = 18
HUNDRED = Decimal(100)
ZERO = Decimal(0)


def figure(value: Decimal | int) -> Decimal:
    """The value to eight places, without an exponent or trailing zeros; a vast one as it is."""
    if Decimal(value).adjusted() > _VAST:
        return Decimal(value)
    rounded = Decimal(value).quantize(_PLACES, ROUND_HALF_EVEN)
    text = f"{rounded:f}".rstrip("0").rstrip(".")
    return Decimal(text) if text not in ("-0", "") else ZERO


def money(value: Decimal) -> str:
    """An amount to the cent, with thousands set apart."""
    return f"{value:,.2f}"


def percent(share: Decimal) -> str:
    """A fraction as a percentage with two places."""
    return f"{share * HUNDRED:.2f} %"
