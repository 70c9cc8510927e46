"""Fault plans: what goes wrong, when, and how often. The same plan over the same requests is the same faults.

    seed = 7

    [[fault]]
    kind = "lost_reply"           # executed, and the connection is cut before the answer
    protocol = "binanceusdm"      # patterns: protocol, method, path, operation; for websockets topic
    operation = "place"
    nth = 2                       # from the second match on; or every = 5, or probability = 0.1; else each
    times = 1                     # at most so often; where it is not given: once for nth, else without end
    from_s = 0                    # active in this time after the plan was loaded, seconds of ours
    until_s = 60

| kind | what happens | more keys (default) |
|---|---|---|
| `lost_reply` | executed, connection cut before the answer | |
| `lost_request` | connection cut, nothing executed | |
| `status` | a server error | `status` (503), `executed` (false) |
| `rate_limit` | the venue's "too many requests" | `retry_after_s` (no header), `status` (the venue's own) |
| `maintenance` | the venue's "in maintenance" | `status` (503) |
| `slow` | the request waits | `delay_s` (1), `executed` (false: waits before it is executed) |
| `refuse` | the venue refuses the order | `code` (margin): one of `orders.Code` |
| `partial_fills` | a limit order fills in parts, one a tick | `pieces` (3) |
| `thin_market` | a market order or triggered stop fills in part and ends | `share` (0.5), `order` (both) |
| `fill_before_ack` | filled and told by websocket, then answered | `delay_s` (1) |
| `not_found` | queries do not show the new order at first | `for_ms` (1000, the venue's time) |
| `ws_drop`, `ws_duplicate`, `ws_reorder` | a message is lost, comes twice, comes after the next one | |
| `ws_cut` | the connection is cut instead of a message | |
| `silent_socket` | from this message on the socket says nothing but pongs | `for_s` (for ever) |
| `clock_skew` | the venue's clock is wrong while the fault is active | `skew_ms` |

`operation` is one of place, amend, cancel, look_up, open_orders, orders, fills, positions, account, funding,
leverage, keys, time, instruments, tickers, candles, listen_key, other. `topic` is one of order, fill,
balance, ticker, candle, trade. A thin market counts orders as they meet the price, not as they are placed;
its `order` is a pattern of market or stop, and its `share`, rounded down to the step, may come to nothing.
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Iterator, Mapping
from decimal import Decimal
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from execution.simulator.orders import Code
from execution.simulator.protocol import Operation


class FaultKind(StrEnum):
    """See the module."""

    LOST_REPLY = "lost_reply"
    LOST_REQUEST = "lost_request"
    STATUS = "status"
    RATE_LIMIT = "rate_limit"
    MAINTENANCE = "maintenance"
    SLOW = "slow"
    REFUSE = "refuse"
    PARTIAL_FILLS = "partial_fills"
    THIN_MARKET = "thin_market"
    FILL_BEFORE_ACK = "fill_before_ack"
    NOT_FOUND = "not_found"
    WS_DROP = "ws_drop"
    WS_DUPLICATE = "ws_duplicate"
    WS_REORDER = "ws_reorder"
    WS_CUT = "ws_cut"
    SILENT_SOCKET = "silent_socket"
    CLOCK_SKEW = "clock_skew"


class Rule(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault of a plan; see the module."""

    kind: FaultKind
    protocol: str = "*"
    method: str = "*"
    path: str = "*"
    operation: str = "*"
    topic: str = "*"
    nth: int | None = None
    every: int | None = None
    probability: float | None = None
    times: int | None = None
    from_s: float = 0.0
    until_s: float | None = None
    status: int | None = None
    executed: bool = False
    retry_after_s: float | None = None
    delay_s: float = 1.0
    code: Code = Code.MARGIN
    pieces: int = 3
    share: Decimal = Decimal("0.5")
    order: str = "*"
    for_ms: int = 1000
    for_s: float | None = None
    skew_ms: int = 0


class Plan(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A fault plan."""

    seed: int = 0
    fault: tuple[Rule, ...] = ()


_WHEN = {"protocol", "times", "from_s", "until_s", "nth", "every", "probability"}
_REST = _WHEN | {"method", "path", "operation"}
_PLACING = _WHEN
_SOCKET = _WHEN | {"topic"}

_KEYS: dict[FaultKind, set[str]] = {
    FaultKind.LOST_REPLY: _REST,
    FaultKind.LOST_REQUEST: _REST,
    FaultKind.STATUS: _REST | {"status", "executed"},
    FaultKind.RATE_LIMIT: _REST | {"retry_after_s", "status"},
    FaultKind.MAINTENANCE: _REST | {"status"},
    FaultKind.SLOW: _REST | {"delay_s", "executed"},
    FaultKind.REFUSE: _PLACING | {"code"},
    FaultKind.PARTIAL_FILLS: _PLACING | {"pieces"},
    FaultKind.THIN_MARKET: _WHEN | {"share", "order"},
    FaultKind.FILL_BEFORE_ACK: _PLACING | {"delay_s"},
    FaultKind.NOT_FOUND: _PLACING | {"for_ms"},
    FaultKind.WS_DROP: _SOCKET,
    FaultKind.WS_DUPLICATE: _SOCKET,
    FaultKind.WS_REORDER: _SOCKET,
    FaultKind.WS_CUT: _SOCKET,
    FaultKind.SILENT_SOCKET: _SOCKET | {"for_s"},
    FaultKind.CLOCK_SKEW: {"from_s", "until_s", "skew_ms"},
}
SOCKET_KINDS = frozenset(kind for kind, keys in _KEYS.items() if "topic" in keys)
"""Those that happen to a websocket message."""
REQUEST_KINDS = frozenset(FaultKind) - SOCKET_KINDS - {FaultKind.CLOCK_SKEW, FaultKind.THIN_MARKET}
"""Those that happen to a request."""
PLACING_KINDS = frozenset(kind for kind in REQUEST_KINDS if "path" not in _KEYS[kind])
"""Those of them that happen to the placing of an order alone."""
MARKET, STOP = "market", "stop"
"""What a thin market may fill in part."""
_TOPICS = ("order", "fill", "balance", "ticker", "candle", "trade")


def read_plan(path: Path, protocols: Collection[str] = ()) -> Plan:
    """The plan of a TOML file, or a JSON file by its suffix.

    Args:
        protocols: names that a rule may mean; empty leaves them unchecked.

    Raises:
        ConfigurationError: the file cannot be read, or says something that no plan can say.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        words = getattr(error, "strerror", None) or "not UTF-8 text"
        raise ConfigurationError(f"the fault plan {path} cannot be read: {words}") from None
    try:
        data = msgspec.json.decode(text) if path.suffix == ".json" else tomllib.loads(text)
        return parse_plan(data, protocols)
    except (msgspec.DecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"the fault plan {path} cannot be read: {error}") from None
    except ConfigurationError as error:
        raise ConfigurationError(f"{path}: {error}") from None


def parse_plan(data: Any, protocols: Collection[str] = ()) -> Plan:
    """A plan from what JSON or TOML gave.

    Args:
        protocols: names that a rule may mean; empty leaves them unchecked.

    Raises:
        ConfigurationError: a word that means nothing, a key that its kind lacks, a value out of range.
    """
    rules = data.get("fault") if isinstance(data, Mapping) else None
    for number, given in enumerate(rules if isinstance(rules, list) else [], 1):
        for sentence in _wrong_words(given, protocols) if isinstance(given, Mapping) else ():
            raise ConfigurationError(f"fault plan: {_named(number, given.get('kind'))}: {sentence}")
    try:
        plan = msgspec.convert(data, Plan)
    except msgspec.ValidationError as error:
        # msgspec counts from 0, people and every other sentence here from 1
        words = re.sub(r"\$\.fault\[(\d+)\]", lambda found: f"fault {int(found[1]) + 1}", str(error))
        raise ConfigurationError(f"fault plan: {words}") from None
    for number, rule in enumerate(plan.fault, 1):
        for sentence in _faults_of(rule):
            raise ConfigurationError(f"fault plan: {_named(number, rule.kind)}: {sentence}")
    return plan


def _named(number: int, kind: object) -> str:
    return f"fault {number} ({kind})" if kind in tuple(FaultKind) else f"fault {number}"


def _wrong_words(given: Mapping[str, Any], protocols: Collection[str]) -> Iterator[str]:
    """What a rule says with a word that means nothing; each with the words that do."""
    kinds = ", ".join(FaultKind)
    kind = given.get("kind")
    if kind is None:
        yield f"it has no kind; there are {kinds}"
    elif kind not in tuple(FaultKind):
        yield f"there is no kind {kind!r}; there are {kinds}"
    else:
        keys = _KEYS[FaultKind(kind)]
        wrong = sorted(given.keys() - keys - {"kind"})
        yield from (f"it has no {name}; it may have {', '.join(sorted(keys))}" for name in wrong)
    # a topic that is empty means the protocol's own talk
    patterns: dict[str, Collection[str]] = {
        "protocol": protocols,
        "operation": tuple(Operation),
        "topic": _TOPICS if given.get("topic") else (),
        "order": (MARKET, STOP),
    }
    for key, known in patterns.items():
        word = given.get(key)
        if isinstance(word, str) and known and not any(fnmatchcase(each, word) for each in known):
            yield f"there is no {key} {word!r}; there are {', '.join(known)}"
    code = given.get("code")
    if isinstance(code, str) and code not in tuple(Code):
        yield f"there is no code {code!r}; there are {', '.join(Code)}"


def _faults_of(rule: Rule) -> list[str]:
    found = []
    if sum(value is not None for value in (rule.nth, rule.every, rule.probability)) > 1:
        found.append("only one of nth, every and probability")
    for name in ("nth", "every", "times", "pieces"):
        value = getattr(rule, name)
        if value is not None and value < 1:
            found.append(f"{name} must be at least 1")
    for name in ("from_s", "until_s", "retry_after_s", "delay_s", "for_ms", "for_s"):
        value = getattr(rule, name)
        if value is not None and not 0 <= value < float("inf"):
            found.append(f"{name} must not be below 0")
    if rule.probability is not None and not 0 <= rule.probability <= 1:
        found.append("probability must be from 0 to 1")
    if not (rule.share.is_finite() and 0 <= rule.share <= 1):
        found.append("share must be from 0 to 1")
    if rule.status is not None and not 400 <= rule.status <= 599:
        found.append("status must be from 400 to 599")
    return found
