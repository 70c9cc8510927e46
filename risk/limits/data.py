"""Limits on what is known: the instrument, the signal, the age of data, the distance of mark to spot."""

from __future__ import annotations

from bus_schemas.events import Refusal
from bus_schemas.timeframes import iso
from risk.figures import HUNDRED, figure, percent
from risk.limits.base import Context, Limit, Refused


class KnownInstrument(Limit):
    """Only contracts whose terms are configured."""

    code = Refusal.UNKNOWN_INSTRUMENT

    def check(self, context: Context) -> Refused | None:
        if context.terms is not None:
            return None
        return Refused(detail=f"no contract terms are configured for {context.symbol}")


class FirstAnswer(Limit):
    """A signal is answered once; a second order under one id would share its client order ids."""

    code = Refusal.DUPLICATE_SIGNAL

    def check(self, context: Context) -> Refused | None:
        if not context.counters.answered(context.symbol, context.signal.id):
            return None
        return Refused(detail=f"signal {context.signal.id} has been answered before")


class FreshData(Limit):
    """The account must be known, and the signal and its symbol's mark must be recent.

    Age is measured against the latest event time of any symbol, so a feed that fell silent for one
    symbol shows, and so does a signal that lay in the stream while nobody read it.
    """

    code = Refusal.STALE_DATA

    def check(self, context: Context) -> Refused | None:
        now = context.counters.now
        if context.equity_or_none is None:
            return Refused(detail="the venue has not reported the account yet")
        if context.signal.expires <= now:
            return Refused(detail=f"the signal expired at {iso(context.signal.expires)}; it is {iso(now)}")
        mark = context.portfolio.quote(context.symbol).time
        if not mark:
            return Refused(detail=f"there has been no mark of {context.symbol} yet")
        age, limit = now - min(mark, context.time), context.settings.data_age_s
        if age <= limit * 1000:
            return None
        what = "the last mark" if mark <= context.time else "the signal"
        return Refused(
            detail=f"{what} of {context.symbol} is {age // 1000} s old; the limit is {limit} s",
            numbers={"age_s": figure(age // 1000), "limit_s": figure(limit)},
        )


class Basis(Limit):
    """Mark and spot must agree: signals are drawn on spot, positions are valued at mark."""

    code = Refusal.BASIS

    def check(self, context: Context) -> Refused | None:
        quote = context.portfolio.quote(context.symbol)
        limit = context.settings.basis_pct / HUNDRED
        basis = abs(quote.mark / quote.spot - 1)
        if basis <= limit:
            return None
        return Refused(
            detail=(
                f"mark {quote.mark} and spot {quote.spot} are {percent(basis)} apart; "
                f"the limit is {percent(limit)}"
            ),
            numbers={
                "mark": quote.mark,
                "spot": quote.spot,
                "basis_pct": figure(basis * HUNDRED),
                "limit_pct": context.settings.basis_pct,
            },
        )
