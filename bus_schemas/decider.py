"""The decider port: a pure function with memory, `(state, event) -> events`.

A decider reads no clock, no chance, no environment and no network. The runtime calls, in order:

1. `load` once after the lease was taken, and again after any `Reload`;
2. `handle` for each event, in the order of the batch;
3. `changes` at the end of the batch, for the commit that stores them beside the outputs.

A decider that raises is dropped with everything it changed since the last commit; the runtime loads
its state again and repeats the batch, at last without the event at fault.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Generic, TypeVar

import msgspec

from bus_schemas.envelope import Event, Output

S = TypeVar("S")


class Decider(ABC):
    """One unit's judgement. Instances are single-threaded and own their state."""

    @abstractmethod
    def load(self, state: Mapping[str, bytes]) -> None:
        """Replace all memory by the stored state. An empty mapping is a fresh start."""

    @abstractmethod
    def handle(self, event: Event) -> Sequence[Output]:
        """Take one event, change the state, return what follows from it.

        Raises:
            Exception: the event could not be handled. The runtime tries a bounded number of times.
        """

    @abstractmethod
    def changes(self) -> Mapping[str, bytes | None]:
        """Encoded state of the keys that changed since the last call; None deletes a key."""

    @abstractmethod
    def poisoned(self, symbol: str, origin: str, detail: str) -> Sequence[Output]:
        """The event `origin` of this symbol went to the dead letters: say that the symbol is halted.

        `symbol` is `*` where the entry does not tell it. Must not raise.
        """


class Keyed(Generic[S]):
    """State by key with a note of what changed: the usual memory of a decider.

    Values are msgspec structs. A value that was taken by `edit` is written by the next `drain`. Floats
    in them must be finite: JSON has no other.

    Args:
        prefix: namespace inside the unit's state hash, for example `symbol`.
        type_: class of the values.
        make: the value of a key that was never seen.
    """

    def __init__(self, prefix: str, type_: type[S], make: Callable[[str], S]) -> None:
        if ":" in prefix:
            raise ValueError(f"a colon in the prefix {prefix!r} would mix its keys with another's")
        self._prefix = prefix + ":"
        self._make = make
        self._decoder = msgspec.json.Decoder(type_)
        self._values: dict[str, S] = {}
        self._unborn: dict[str, S] = {}
        self._changed: set[str] = set()

    def load(self, state: Mapping[str, bytes]) -> None:
        """Take this prefix's keys out of a stored state and forget everything else."""
        cut = len(self._prefix)
        self._values = {
            key[cut:]: self._decoder.decode(value)
            for key, value in state.items()
            if key.startswith(self._prefix)
        }
        self._unborn.clear()
        self._changed.clear()

    def get(self, key: str) -> S:
        """The value to look at. To change it, use `edit`.

        A key that was only looked at is not known: it would not be there after a restart either.
        """
        value = self._values.get(key)
        if value is None:
            value = self._unborn.get(key)
            if value is None:
                value = self._unborn[key] = self._make(key)
        return value

    def edit(self, key: str) -> S:
        """The value to change in place."""
        value = self._values.get(key)
        if value is None:
            value = self._values[key] = self.get(key)
            del self._unborn[key]
        self._changed.add(key)
        return value

    def put(self, key: str, value: S) -> None:
        """Replace a value."""
        self._values[key] = value
        self._unborn.pop(key, None)
        self._changed.add(key)

    def drop(self, key: str) -> None:
        """Forget a key; the next `drain` deletes it."""
        self._values.pop(key, None)
        self._unborn.pop(key, None)
        self._changed.add(key)

    def __contains__(self, key: str) -> bool:
        """Whether the key is known: was edited or put, and not dropped."""
        return key in self._values

    def known(self) -> tuple[str, ...]:
        """Keys with a value, sorted: iteration order must not depend on history."""
        return tuple(sorted(self._values))

    def drain(self) -> dict[str, bytes | None]:
        """Encoded values of the keys that changed since the last call."""
        out: dict[str, bytes | None] = {}
        if not self._changed:
            return out
        for key in sorted(self._changed):
            value = self._values.get(key)
            out[self._prefix + key] = None if value is None else msgspec.json.encode(value)
        self._changed.clear()
        return out
