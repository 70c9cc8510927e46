"""The arithmetic of one position, the same in the order manager and in the paper venue.

The value at entry is kept, not an average price: averages do not divide evenly, values add up to the
last digit. So cash at the end equals cash at the start plus profits, minus fees, minus funding.
"""

from __future__ import annotations

from decimal import Decimal

import msgspec

ZERO = Decimal(0)
_SHARE = Decimal("1E-10")
_MONEY = Decimal("1E-8")
_ONE = Decimal(1)


def money(amount: Decimal) -> Decimal:
    """The amount in settle currency, to eight places."""
    return tidy(amount.quantize(_MONEY))


def tidy(value: Decimal) -> Decimal:
    """The same value without trailing zeros, and never with a positive exponent."""
    short = value.normalize()
    return short if short.as_tuple().exponent <= 0 else short.quantize(_ONE)  # type: ignore[operator]


class Book(msgspec.Struct, kw_only=True, omit_defaults=True):
    """Contracts and money of one position. The side is kept by the owner.

    Attributes:
        quantity: open contracts, never below zero.
        cost: value at entry of the open contracts, in settle currency.
        opened, exited: contracts in all.
        entry_value, exit_value: what they were worth when they were traded.
        profit: realised before costs.
        fees, funding: above zero were paid.
        forgotten: contracts that left without a fill of ours; the books cannot be final then.
    """

    quantity: Decimal = ZERO
    cost: Decimal = ZERO
    opened: Decimal = ZERO
    exited: Decimal = ZERO
    entry_value: Decimal = ZERO
    exit_value: Decimal = ZERO
    profit: Decimal = ZERO
    fees: Decimal = ZERO
    funding: Decimal = ZERO
    forgotten: Decimal = ZERO

    def enter(self, quantity: Decimal, price: Decimal, size: Decimal) -> None:
        """Add contracts of `size` base currency each."""
        value = quantity * price * size
        self.quantity += quantity
        self.opened += quantity
        self.cost += value
        self.entry_value += value

    def leave(self, quantity: Decimal, price: Decimal, size: Decimal, sign: int) -> Decimal:
        """Take contracts out and return the profit that this realised, before costs.

        Args:
            quantity: at most the open contracts.
            sign: +1 for a long position, -1 for a short one.
        """
        value = quantity * price * size
        profit = sign * (value - self._release(quantity))
        self.exited += quantity
        self.exit_value += value
        self.profit += profit
        return profit

    def forget(self, quantity: Decimal) -> None:
        """Drop contracts of whose end we have no fill."""
        self._release(quantity)
        self.forgotten += quantity

    def _release(self, quantity: Decimal) -> Decimal:
        whole = quantity >= self.quantity
        share = self.cost if whole else tidy((self.cost * quantity / self.quantity).quantize(_SHARE))
        self.quantity = ZERO if whole else self.quantity - quantity
        self.cost = ZERO if whole else self.cost - share
        return share

    def open_profit(self, mark: Decimal, size: Decimal, sign: int) -> Decimal:
        """Profit of the open contracts at the mark price, before costs."""
        return sign * (self.quantity * mark * size - self.cost)

    def average(self, size: Decimal) -> Decimal:
        """Average entry price of the open contracts; 0 while there are none."""
        return _price(self.cost, self.quantity * size)

    def average_entry(self, size: Decimal) -> Decimal:
        """Average price of every contract that was opened."""
        return _price(self.entry_value, self.opened * size)

    def average_exit(self, size: Decimal) -> Decimal:
        """Average price of every contract that was closed."""
        return _price(self.exit_value, self.exited * size)


def _price(value: Decimal, base: Decimal) -> Decimal:
    if not base:
        return ZERO
    return tidy((value / base).quantize(_SHARE))
