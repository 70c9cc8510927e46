"""The error tree. Each docstring says who recovers, and how.

A process maps an error to its exit code through `exit_code`; `run.py` documents the codes and does
not restart a process that left with a code from `FINAL_EXIT_CODES`.
"""

from __future__ import annotations

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_BAD_DATA = 3
EXIT_POISONED = 4
EXIT_KEEPS_DYING = 5
EXIT_UNREACHABLE = 6
EXIT_NO_KEYS = 10
EXIT_MAY_WITHDRAW = 11
EXIT_NO_CONSENT = 12
EXIT_NO_RECORD = 13
EXIT_CLOCK = 14
EXIT_NOT_DURABLE = 15
EXIT_SCHEMA = 16
EXIT_ACCOUNT_TAKEN = 17
EXIT_INTERRUPTED = 130

GATE_EXIT_CODES = {
    EXIT_NO_KEYS: "no usable API key",
    EXIT_MAY_WITHDRAW: "the key may withdraw",
    EXIT_NO_CONSENT: "nobody has agreed to live orders",
    EXIT_NO_RECORD: "no good paper record of this configuration",
    EXIT_CLOCK: "clock too far from the venue's",
    EXIT_NOT_DURABLE: "the server may lose what it was told",
    EXIT_SCHEMA: "the ledger's schema is not this release's",
    EXIT_ACCOUNT_TAKEN: "another worker has the account",
}
"""What each gate before live orders says by its exit code, in the order in which they are asked."""

FINAL_EXIT_CODES = frozenset({EXIT_USAGE, EXIT_BAD_DATA, EXIT_POISONED, *GATE_EXIT_CODES})
"""Codes after which a restart would meet the same fault again."""


class CausewayError(Exception):
    """Root of every error that this project raises on purpose. The message is fit for a user."""

    exit_code = EXIT_FAILED


class ConfigurationError(CausewayError):
    """Settings are wrong or contradict each other. A person mends them; nothing starts before."""

    exit_code = EXIT_USAGE


class DataError(CausewayError):
    """A data file holds an impossible row. A person mends the file; the message has file and line."""

    exit_code = EXIT_BAD_DATA


class GateClosed(CausewayError):
    """A condition of live orders is not met. A person sees to it; no order leaves before.

    Args:
        message: which, and what to do about it.
        exit_code: of `GATE_EXIT_CODES`.
    """

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class CodecError(CausewayError):
    """An entry of a stream cannot be decoded. The runtime moves it to the dead letters."""


class BusError(CausewayError):
    """Root of what a bus may raise."""


class Reload(BusError):
    """The owner's memory may differ from what is stored. The runtime drops it and loads again.

    A commit is never retried: whether it was applied is read from the store.
    """


class Fenced(Reload):
    """Another owner holds the partition, or the lease has run out. The runtime asks for it again."""


class CounterMismatch(Reload):
    """The stored commit counter is not the one before this commit."""


class NumberMismatch(Reload):
    """An output's number does not follow its stream's tip, or a position lies beyond a tip."""


class SequenceGap(Reload):
    """A reader met a number that does not follow its position."""


class Disconnected(Reload):
    """The connection failed, timed out, or came back to another server process."""


class TopologyMismatch(BusError):
    """The namespace was created with another topology or partition count. A person picks another
    namespace, or runs the release that created this one."""

    exit_code = EXIT_USAGE


class Poisoned(BusError):
    """Too many events could not be handled. The service stops; a person looks at the dead letters."""

    exit_code = EXIT_POISONED


class Unreachable(BusError):
    """The server cannot be reached or lacks a command that we need. A person mends it."""

    exit_code = EXIT_UNREACHABLE


class DecisionError(CausewayError):
    """A decider met an event that contradicts its state. The runtime retries a bounded number of
    times, then moves the event to the dead letters and halts the symbol."""


class IllegalTransition(DecisionError):
    """A state machine was asked for a transition that its table does not have."""


class InvalidOrder(DecisionError):
    """An order breaks the instrument's rules: tick, step, minimum, or a price not above zero."""
