"""What anybody may look at, on Redis."""

from __future__ import annotations

from typing import Any

import msgspec
import redis

from bus_schemas.bus.port import DeadLetter, Entry, Observer
from bus_schemas.bus.records import dead_letter, place_of
from bus_schemas.bus.redis_link import Link, Script, lua, translated
from bus_schemas.codec import encode_body, head
from bus_schemas.errors import TopologyMismatch
from bus_schemas.events import Body
from bus_schemas.names import Names
from bus_schemas.topology import Place, Stream, Topology, Unit

HEARTBEATS_KEPT = 5000
"""Heartbeats are the only stream with a cap: they tell of now."""


class RedisObserver(Observer):
    """Read-only view of one namespace, and the door for controls and heartbeats.

    Args:
        link: connections; each thread needs an observer, and so a link, of its own.
        namespace: see `bus_schemas.names`.
        topology: must be the one that the namespace was created with.
    """

    def __init__(self, link: Link, namespace: str, topology: Topology) -> None:
        self.topology = topology
        self.names = Names(namespace)
        self._link = link
        self._client = link.client()
        self._post = Script(lua("post").replace("--TURN--", ""))
        self._post_in_turn = Script(with_turn("post", self.names, topology))

    def declared(self) -> Topology | None:
        """The topology that the namespace was created with; None where there is no such namespace.

        Raises:
            TopologyMismatch: another release created it, and its declaration cannot be read.
        """
        with translated():
            stored = self._client.execute_command("GET", self.names.topology)
        if stored is None:
            return None
        try:
            return msgspec.json.decode(stored, type=Topology)
        except msgspec.MsgspecError as error:
            raise TopologyMismatch(f"the namespace was created by another release: {error}") from None

    def tip(self, place: Place) -> int:
        with translated():
            return stream_tip(self._client, self.names.stream(place))

    def range(self, place: Place, after: int, limit: int) -> list[Entry]:
        key = self.names.stream(place)
        with translated():
            rows = self._client.execute_command("XRANGE", key, f"({after}-0", "+", "COUNT", limit)
        return entries(place, rows)

    def positions(self, unit: Unit) -> dict[Place, int]:
        with translated():
            stored = flat(self._client.execute_command("HGETALL", self.names.positions(unit)))
        read = {place_of(name.decode()): int(value) for name, value in stored.items()}
        return {place: read.get(place, 0) for place in self.topology.inputs(unit)}

    def state(self, unit: Unit) -> dict[str, bytes]:
        with translated():
            stored = flat(self._client.execute_command("HGETALL", self.names.state(unit)))
        return {name.decode(): value for name, value in stored.items()}

    def dead_letters(self, unit: Unit, limit: int = 100) -> list[DeadLetter]:
        with translated():
            rows = self._client.execute_command("XREVRANGE", self.names.dead(unit), "+", "-", "COUNT", limit)
        return [dead_letter(flat(fields)) for _, fields in reversed(rows)]

    def dead_count(self, unit: Unit) -> int:
        with translated():
            return int(self._client.execute_command("XLEN", self.names.dead(unit)))

    def journal(self, unit: Unit, after: int, limit: int) -> list[tuple[int, str]]:
        key = self.names.journal(unit)
        with translated():
            rows = self._client.execute_command("XRANGE", key, f"({after}-0", "+", "COUNT", limit)
        return [(int(id_[:-2]), flat(fields)[b"took"].decode()) for id_, fields in rows]

    def post(self, stream: Stream, key: str, body: Body) -> int:
        place = self.topology.places(stream)[0]
        type_, version = head(body)
        cap: int | str = HEARTBEATS_KEPT if stream is Stream.HEARTBEATS else ""
        in_turn = self.topology.lockstep and stream is Stream.CONTROLS
        script = self._post_in_turn if in_turn else self._post
        with translated():
            return int(
                script(
                    self._client, [self.names.stream(place)], [cap, type_, version, key, encode_body(body)]
                )
            )

    def close(self) -> None:
        self._link.close()


def with_turn(name: str, names: Names, topology: Topology) -> str:
    """The script's text with the end-of-commit look of lockstep, where the topology asks for it."""
    source = lua(name)
    if not topology.lockstep:
        return source.replace("--TURN--", "")
    look = turn_slots(names, topology) + lua("turn")
    return look + source.replace("--TURN--", lua(f"{name}_turn"))


def turn_table(names: Names, topology: Topology) -> str:
    """The turn order as Lua literals, for the look at the streams themselves."""
    rows = []
    for unit in topology.turn_order:
        inputs = topology.inputs(unit)
        keys = ",".join(f"'{names.stream(place)}'" for place in inputs)
        places = ",".join(f"'{place}'" for place in inputs)
        rows.append(
            f"{{name='{unit}',positions='{names.positions(unit)}',keys={{{keys}}},places={{{places}}}}}"
        )
    return "\n".join(("local UNITS = {", ",\n".join(rows), "}\n"))


def turn_slots(names: Names, topology: Topology) -> str:
    """The turn order as Lua functions, for the look at the end of each commit.

    Chains of comparisons, because a table with all names is dearer to make than all else in a commit.
    """
    slots: dict[str, list[str]] = {}
    ranges, units = [], []
    first = 1
    for unit in topology.turn_order:
        keys = [names.stream(place) for place in topology.inputs(unit)]
        last = first + len(keys) - 1
        for slot, key in enumerate(keys, first):
            slots.setdefault(key, []).append(str(slot))
        quoted = ",".join(f"'{key}'" for key in keys)
        channel = names.turn(unit.reader)
        ranges.append(f"if positions == '{names.positions(unit)}' then return {first}, {last} end")
        units.append(
            f"if slot <= {last} then return "
            f"{{name='{unit}',channel='{channel}',first={first},keys={{{quoted}}}}} end"
        )
        first = last + 1
    readers = [f"if key == '{key}' then return {{{','.join(own)}}} end" for key, own in slots.items()]
    lines = [
        f"local LIMIT, SLOTS = {HINT_LIMIT}, {first - 1}",
        f"local FEED, STEP, TURNS = '{names.turn('market_data')}', '{names.feed_step}', '{names.turns}'",
        *("local function slots_of(key)", *readers, "return {} end"),
        *("local function slots_by(positions)", *ranges, "return 1, 0 end"),
        *("local function unit_at(slot)", *units, "end\n"),
    ]
    return "\n".join(lines)


HINT_LIMIT = 64
"""Most entries of one stream that lockstep puts into a hint; more are read by the reader."""


def stream_tip(client: redis.Redis, key: str) -> int:
    """Number of a stream's last entry, 0 where there is no stream."""
    try:
        info = flat(client.execute_command("XINFO", "STREAM", key))
    except redis.exceptions.ResponseError as error:
        if "no such key" in str(error):
            return 0
        raise
    return int(info[b"last-generated-id"].split(b"-")[0])


def flat(values: list[Any]) -> dict[bytes, Any]:
    """A reply of names and values in turn as a dict."""
    turns = iter(values)
    return dict(zip(turns, turns, strict=False))


def entries(place: Place, rows: list[Any]) -> list[Entry]:
    """The server's rows of one stream. A row whose number is foreign to us has fraction digits."""
    return [Entry(place, int(id_.partition(b"-")[0]), _named(fields)) for id_, fields in rows]


def _named(row: list[Any]) -> dict[bytes, Any]:
    """An entry's fields. One that a commit wrote has seven, and is spelled out: that takes half the time."""
    if len(row) != 14:
        return flat(row)
    a, b, c, d, e, f, g, h, i, j, k, l, m, n = row  # noqa: E741
    return {a: b, c: d, e: f, g: h, i: j, k: l, m: n}
