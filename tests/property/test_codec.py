"""Any event comes back from the codec as it was; anything else is a CodecError and nothing worse."""

from __future__ import annotations

import json
from contextlib import suppress
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bus_schemas import codec
from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.events import EVENT_TYPES, Body, ClockTick, FundingPaid
from bus_schemas.topology import Place, Stream
from tests.unit.bus_schemas.planted import plant

PLACE = Place(Stream.EXECUTIONS, "MAIN")
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=20)
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, min_value=-(10**40), max_value=10**40).filter(
    lambda value: abs(value.adjusted()) <= codec.MAX_EXPONENT
)
LEAVES: dict[Any, st.SearchStrategy[Any]] = {
    str: TEXT,
    bool: st.booleans(),
    int: st.integers(-(2**53) + 1, 2**53 - 1),
    float: st.floats(allow_nan=False, allow_infinity=False),
    Decimal: DECIMALS,
    NoneType: st.none(),
}


def values(annotation: Any) -> st.SearchStrategy[Any]:
    """Values of a field's type. Raises for a type that it does not know, so that no field is left out."""
    if annotation in LEAVES:
        return LEAVES[annotation]
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin in (UnionType, Union):
        return st.one_of(*map(values, inner))
    if origin is tuple and inner[1:] == (...,):
        return st.lists(values(inner[0]), max_size=3).map(tuple)
    if origin is tuple:
        return st.tuples(*map(values, inner))
    if origin is dict:
        return st.dictionaries(values(inner[0]), values(inner[1]), max_size=3)
    if isinstance(annotation, type) and issubclass(annotation, msgspec.Struct):
        return structs(annotation)
    return st.sampled_from(annotation)


def structs(type_: type[Any]) -> st.SearchStrategy[Any]:
    """Instances of a struct: required fields always, those with a default now and then."""
    fields = msgspec.structs.fields(type_)
    required = {field.name: values(field.type) for field in fields if field.required}
    optional = {field.name: values(field.type) for field in fields if not field.required}
    return st.fixed_dictionaries(required, optional=optional).map(lambda given: type_(**given))


STRATEGIES = {name: structs(type_) for name, type_ in EVENT_TYPES.items()}
BODIES = st.one_of(*STRATEGIES.values())


def entry(body: Body, **more: bytes) -> dict[bytes, bytes]:
    type_, version = codec.head(body)
    fields = {b"type": type_, b"v": version, b"key": b"BTCUSDT", b"body": codec.encode_body(body)}
    return fields | {name.encode(): value for name, value in more.items()}


@pytest.mark.parametrize("name", sorted(EVENT_TYPES))
def test_every_type_comes_back(name: str) -> None:
    @settings(max_examples=10, deadline=None)
    @given(STRATEGIES[name])
    def holds(body: Body) -> None:
        encoded = codec.encode_body(body)
        assert codec.decode_body(*codec.head(body), encoded) == body
        assert codec.encode_body(codec.decode_body(*codec.head(body), encoded)) == encoded

    holds()


@settings(max_examples=100, deadline=None)
@given(BODIES, st.integers(1, 2**63 - 1), TEXT, TEXT, TEXT, st.integers(0, 2**62))
def test_an_event_comes_back(body: Body, seq: int, key: str, cause: str, trace: str, sent: int) -> None:
    fields = entry(body, cause=cause.encode(), trace=trace.encode(), sent=b"%d" % sent)
    fields[b"key"] = key.encode()
    assert codec.decode(PLACE, seq, fields) == Event(PLACE, seq, key, body, cause, trace, sent)


def tries(fields: dict[bytes, bytes]) -> Event | None:
    """The decoded event, or None after a CodecError. Anything else fails the test."""
    key = codec.key_of(fields)
    assert key == "*" or key.replace("-", "").replace("_", "").isalnum()
    try:
        return codec.decode(PLACE, 1, fields)
    except CodecError:
        return None


@settings(max_examples=120, deadline=None)
@given(BODIES, st.data())
def test_corrupted_bytes_raise_only_codec_errors(body: Body, data: st.DataObject) -> None:
    fields = entry(body, cause=b"marks.p0.1", trace=b"0" * 32, sent=b"17")
    name = data.draw(st.sampled_from(sorted(fields)))
    raw = bytearray(fields[name])
    match data.draw(st.sampled_from(["flip", "cut", "insert", "replace", "drop"])):
        case "flip" if raw:
            place = data.draw(st.integers(0, len(raw) - 1))
            raw[place] ^= data.draw(st.integers(1, 255))
        case "cut":
            raw = raw[: data.draw(st.integers(0, len(raw)))]
        case "insert":
            place = data.draw(st.integers(0, len(raw)))
            raw[place:place] = data.draw(st.binary(min_size=1, max_size=4))
        case "replace":
            raw = bytearray(data.draw(st.binary(max_size=30)))
        case _:
            del fields[name]
    if name in fields:
        fields[name] = bytes(raw)
    event = tries(fields)
    if event is not None:
        codec.encode_body(event.body)  # what was accepted can be written again


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | TEXT
    | st.sampled_from(["NaN", "-inf", "1e999", "sNaN"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=5,
)


@settings(max_examples=120, deadline=None)
@given(BODIES, st.data(), JSON)
def test_a_field_of_another_type_raises_only_codec_errors(
    body: Body, data: st.DataObject, value: Any
) -> None:
    fields = entry(body)
    plain = json.loads(fields[b"body"])
    plain[data.draw(st.sampled_from(body.__struct_fields__))] = value
    fields[b"body"] = json.dumps(plain).encode()
    event = tries(fields)
    if event is not None:
        codec.encode_body(event.body)


@given(
    st.dictionaries(st.binary(max_size=6) | st.sampled_from([b"type", b"v", b"key", b"body"]), st.binary())
)
def test_any_entry_raises_only_codec_errors(fields: dict[bytes, bytes]) -> None:
    tries(fields)


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        (b"BTCUSDT", "BTCUSDT"),
        (b"1000PEPEUSDT", "1000PEPEUSDT"),
        (b"my_account-2", "my_account-2"),
        (b"", "*"),
        (b"*", "*"),
        (b"\xff\xfe", "*"),
        ("Ä".encode(), "*"),
        ("²".encode(), "*"),
        (b"BTC\nUSDT", "*"),
        (b"BTCUSDT\n", "*"),
        (b"{p0}", "*"),
        (b"-", "*"),
        (b"A" * 65, "*"),
    ],
)
def test_key_of(key: bytes, expected: str) -> None:
    assert codec.key_of({b"key": key}) == expected


def test_key_of_a_missing_key() -> None:
    assert codec.key_of({}) == "*"


DEEP = b"[" * 200_000 + b"]" * 200_000
GOOD = b'{"time":1,"symbol":"X","amount":"1","rate":"0.1"}'


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        (b'"1"', b'"NaN"', "$.amount"),
        (b'"1"', b'"-Infinity"', "$.amount"),
        (b'"1"', b'"sNaN123"', "$.amount"),
        (b'"1"', b'"\\u004eaN"', "$.amount"),
        (b'"1"', b'"1e99999"', "$.amount"),
        (b'"1"', b'"1E-99999"', "$.amount"),
        (b'"1"', '"1e٩٩٩"'.encode(), "$.amount"),
        (b'"1"', b"1e999", "$.amount"),
        (b'"1"', b"null", "$.amount"),
        (b'"time":1', b'"time":9007199254740992', "time is not a moment"),
        (b'"time":1', b'"time":' + b"9" * 400, "time is not a moment"),
        (b'"time":1', b'"time":1.5', "$.time"),
        (b'"time":1', b'"time":' + DEEP, "$.time"),
        (b'"time":1', b'"time":1,"x":' + DEEP, "recursion"),
        (b'"X"', b'"\xff"', "utf-8"),
        (b'"X"', b'"\\ud800"', "surrogate"),
    ],
)
def test_known_bad_bodies(old: bytes, new: bytes, expected: str) -> None:
    assert isinstance(codec.decode_body(b"FundingPaid", b"1", GOOD), FundingPaid)
    with pytest.raises(CodecError, match=expected.replace("$", "[$]").replace(".", "[.]")):
        codec.decode_body(b"FundingPaid", b"1", GOOD.replace(old, new))


@pytest.mark.parametrize("version", [b"0", b"2", b"-1", b"", b"x", b"1.0", b"9" * 5000, b"\xff", b" 1"])
def test_unknown_versions(version: bytes) -> None:
    with pytest.raises(CodecError, match="v"):
        codec.decode_body(b"FundingPaid", version, GOOD)


@pytest.mark.parametrize("value", ["NaN", "sNaN", "Infinity", "-Infinity", "1E+65", "1E-65"])
def test_what_no_reader_takes_is_not_written(value: str) -> None:
    with pytest.raises(CodecError, match=r"FundingPaid: .*\$\.rate"):
        codec.encode_body(FundingPaid(time=1, symbol="X", amount=Decimal(1), rate=Decimal(value)))


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), -float("inf")])
@settings(max_examples=10, deadline=None)
@given(body=STRATEGIES["Candle"], name=st.sampled_from(["open", "high", "low", "close", "volume"]))
def test_a_float_that_is_not_finite_is_not_written(body: Body, name: str, bad: float) -> None:
    with pytest.raises(CodecError, match="finite"):
        codec.encode_body(msgspec.structs.replace(body, **{name: bad}))


def test_what_is_no_event_or_no_text_is_not_written() -> None:
    class Stranger(Body, frozen=True, kw_only=True):
        pass

    with pytest.raises(CodecError, match="Stranger is not an event type"):
        codec.head(Stranger(time=1))
    with pytest.raises(CodecError, match="surrogates"):
        codec.encode_body(EVENT_TYPES["Mismatch"](time=1, symbol="X", detail="\udc80"))
    with pytest.raises(CodecError, match="not a moment"):
        codec.encode_body(ClockTick(time=2**53))


def _second(old: dict[str, Any]) -> dict[str, Any]:
    return {"time": old["time"], "amount": str(Decimal(old["cents"]) / 100)}


def _third(old: dict[str, Any]) -> dict[str, Any]:
    return old | {"currency": "USDT"}


@pytest.fixture
def paid(monkeypatch: pytest.MonkeyPatch) -> type[Body]:
    """A type in its third version with both upcasters."""
    monkeypatch.setitem(codec.UPCASTERS, ("Paid", 1), _second)
    monkeypatch.setitem(codec.UPCASTERS, ("Paid", 2), _third)
    return plant(monkeypatch, "Paid", {"amount": Decimal, "currency": str}, version=3)


def test_old_versions_are_brought_to_the_newest(paid: type[Body]) -> None:
    newest = paid(time=1, amount=Decimal("12.5"), currency="USDT")
    assert codec.decode_body(b"Paid", b"1", b'{"time":1,"cents":1250}') == newest
    assert codec.decode_body(b"Paid", b"2", b'{"time":1,"amount":"12.5"}') == newest
    assert codec.decode_body(b"Paid", b"3", codec.encode_body(newest)) == newest
    assert codec.head(newest) == (b"Paid", b"3")


@pytest.mark.parametrize(
    ("version", "body", "expected"),
    [
        (b"1", b'{"time":1}', "upcaster from version 1 failed: KeyError"),
        (b"1", b'{"time":1,"cents":"x"}', "upcaster from version 1 failed: InvalidOperation"),
        (b"1", b'{"time":1,"cents":[]}', "upcaster from version 1 failed"),
        (b"1", b"[]", "Expected `object`"),
        (b"1", b"{", "truncated"),
        (b"1", DEEP, "Expected `object`"),
        (b"1", b'{"time":1,"cents":' + DEEP + b"}", "recursion"),
        (b"2", b'{"time":"1","amount":"12.5"}', "Expected `int`"),
        (b"2", b'{"time":1,"amount":"NaN"}', "finite"),
        (b"4", b"{}", "knows versions 1 to 3"),
    ],
)
def test_old_bodies_that_do_not_fit(paid: type[Body], version: bytes, body: bytes, expected: str) -> None:
    with pytest.raises(CodecError, match=expected):
        codec.decode_body(b"Paid", version, body)


def test_a_missing_upcaster_is_a_codec_error(monkeypatch: pytest.MonkeyPatch, paid: type[Body]) -> None:
    monkeypatch.delitem(codec.UPCASTERS, ("Paid", 2))
    with pytest.raises(CodecError, match="no upcaster from version 2"):
        codec.decode_body(b"Paid", b"1", b'{"time":1,"cents":1250}')


@given(JSON)
def test_old_bodies_raise_only_codec_errors(value: Any) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(codec.UPCASTERS, ("Paid", 1), _second)
        plant(patch, "Paid", {"amount": Decimal}, version=2)
        with suppress(CodecError):
            codec.decode_body(b"Paid", b"1", json.dumps({"time": 1, "cents": value}).encode())
