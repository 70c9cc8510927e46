"""Bytes to events and back: one JSON body by msgspec, envelope fields beside it.

Changes to a type are additive. Where one cannot be, its version in `events.VERSIONS` goes up and an
upcaster here turns the old JSON object into the new one; a stored example of every version is a test.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from decimal import Decimal
from math import isfinite
from typing import Any

import msgspec
import msgspec.inspect

from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.events import EVENT_TYPES, VERSIONS, Body
from bus_schemas.topology import Place

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""By (type, version): a pure function from that version's JSON object to the next version's."""

MAX_EXPONENT = 64
"""Largest exponent of a Decimal that is written with one, either way. Beyond it lies a fault, and a
number that fills the memory when it is written out."""

MAX_TIME = 2**53
"""Event times stay exact in every JSON reader and in Lua."""

_MIN_TIME = -MAX_TIME

_SYMBOL = re.compile(rb"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")

_NAN = re.compile(rb"n(?:an|f)").search
_EXPONENT = re.compile(rb"e[-+0-9]").search
_NULL = re.compile(rb"null").search
_ESCAPE = re.compile(rb"\\").search


def _leaves(info: msgspec.inspect.Type) -> Iterator[type[msgspec.inspect.Type]]:
    """The kinds of value that a type's JSON form is made of."""
    match info:
        case msgspec.inspect.StructType(fields=fields):
            inner: Iterable[msgspec.inspect.Type] = (field.type for field in fields)
        case msgspec.inspect.UnionType(types=types):
            inner = types
        case msgspec.inspect.VarTupleType(item_type=item):
            inner = (item,)
        case msgspec.inspect.TupleType(item_types=items):
            inner = items
        case msgspec.inspect.DictType(key_type=key, value_type=value):
            inner = (key, value)
        case _:
            yield type(info)
            return
    for part in inner:
        yield from _leaves(part)


_kinds = {type_: set(_leaves(msgspec.inspect.type_info(type_))) for type_ in EVENT_TYPES.values()}
_no_decimals = {type_ for type_, kinds in _kinds.items() if msgspec.inspect.DecimalType not in kinds}
_no_floats = {type_ for type_, kinds in _kinds.items() if msgspec.inspect.FloatType not in kinds}
"""What need not be looked at for numbers that are not sane. JSON itself has no float that is not finite,
so floats are looked at only where they are written."""

_encoder = msgspec.json.Encoder(decimal_format="string")
_decoders: dict[bytes, msgspec.json.Decoder[Body]] = {
    name.encode(): msgspec.json.Decoder(type_) for name, type_ in EVENT_TYPES.items()
}
_versions: dict[bytes, bytes] = {name.encode(): str(v).encode() for name, v in VERSIONS.items()}
_heads: dict[type[Body], tuple[bytes, bytes]] = {
    type_: (name.encode(), _versions[name.encode()]) for name, type_ in EVENT_TYPES.items()
}

Fields = Mapping[bytes, bytes]
"""One stream entry as the server gives it."""


def encode_body(body: Body) -> bytes:
    """The body as JSON: fields in declaration order, Decimals as strings, defaults left out.

    Raises:
        CodecError: a number is not finite, or a value has no JSON form. What no reader could decode
            is never written.
    """
    try:
        encoded = _encoder.encode(body)
    except (ValueError, TypeError, OverflowError, RecursionError) as error:
        raise CodecError(f"{type(body).__name__}: {error}") from error
    type_ = type(body)
    null = type_ not in _no_floats and bool(_NULL(encoded))  # a float's NaN becomes null
    fault = _fault(body, null or (type_ not in _no_decimals and _suspect(encoded)))
    if fault:
        raise CodecError(f"{type(body).__name__}: {fault}")
    return encoded


def head(body: Body) -> tuple[bytes, bytes]:
    """The envelope's type and version for this body.

    Raises:
        CodecError: the class is not registered.
    """
    try:
        return _heads[type(body)]
    except KeyError:
        raise CodecError(f"{type(body).__name__} is not an event type") from None


def decode_body(type_: bytes, version: bytes, body: bytes) -> Body:
    """The body of an entry, brought to the newest version.

    Raises:
        CodecError: unknown type or version, or a body that does not fit its type.
    """
    decoder = _decoders.get(type_)
    if decoder is None:
        raise CodecError(f"unknown event type {_shown(type_)}")
    try:
        current = version == _versions[type_]
        decoded = decoder.decode(body) if current else _upcast(type_.decode(), version, body)
    except (msgspec.MsgspecError, ValueError, ArithmeticError, RecursionError) as error:
        raise CodecError(f"body of {_shown(type_)} v{_shown(version)}: {error}") from error
    suspect = not current or (type(decoded) not in _no_decimals and _suspect(body))
    if not suspect and _MIN_TIME < decoded.time < MAX_TIME:
        return decoded
    fault = _fault(decoded, suspect)
    if fault:
        raise CodecError(f"body of {_shown(type_)} v{_shown(version)}: {fault}")
    return decoded


def decode(place: Place, seq: int, fields: Fields) -> Event:
    """The event of a stream entry.

    Raises:
        CodecError: a field is missing or wrong, or the body does not decode.
    """
    try:
        type_, version, key, body = fields[b"type"], fields[b"v"], fields[b"key"], fields[b"body"]
    except KeyError as error:
        raise CodecError(f"{place}.{seq} has no field {error.args[0].decode()!r}") from None
    try:
        return Event(
            place,
            seq,
            key.decode(),
            decode_body(type_, version, body),
            fields.get(b"cause", b"").decode(),
            fields.get(b"trace", b"").decode(),
            int(fields.get(b"sent", b"0")),
        )
    except CodecError as error:
        raise CodecError(f"{place}.{seq}: {error}") from error
    except ValueError as error:
        raise CodecError(f"{place}.{seq}: envelope: {error}") from error


def key_of(fields: Fields) -> str:
    """The key of an entry that does not decode; `*` where even that is not a plausible name.

    Never raises. A symbol or an account is up to 64 ASCII letters, digits, `-` and `_`.
    """
    raw = fields.get(b"key", b"")
    return raw.decode() if _SYMBOL.fullmatch(raw) else "*"


def _upcast(name: str, version: bytes, body: bytes) -> Body:
    number, newest = int(version), VERSIONS[name]
    if not 0 < number < newest:
        raise ValueError(f"this release knows versions 1 to {newest}")
    data = msgspec.json.decode(body, type=dict[str, Any])
    for step in range(number, newest):
        upcaster = UPCASTERS.get((name, step))
        if upcaster is None:
            raise ValueError(f"there is no upcaster from version {step}")
        try:
            data = upcaster(data)
        except Exception as error:  # an upcaster trusts its input; whatever it trips over is in the body
            raise ValueError(f"the upcaster from version {step} failed: {error!r}") from error
    return msgspec.convert(data, EVENT_TYPES[name])


def _suspect(body: bytes) -> bool:
    """Whether the text may hold a Decimal that is not finite or has an exponent.

    Looking at the text first keeps the walk over the values, twice as dear as decoding, off the hot path.
    """
    lower = body.lower()
    return bool(_NAN(lower) or _EXPONENT(lower) or _ESCAPE(lower)) or not lower.isascii()


def _fault(body: Body, suspect: bool) -> str:
    """What is wrong with the numbers of a body; empty if nothing is."""
    if not _MIN_TIME < body.time < MAX_TIME:
        return "time is not a moment - at `$.time`"
    if suspect:
        for name in body.__struct_fields__:
            if not _sound(getattr(body, name)):
                return f"not a finite number of sane size - at `$.{name}`"
    return ""


def _sound(value: object) -> bool:
    if isinstance(value, Decimal):
        return value.is_finite() and -MAX_EXPONENT <= value.adjusted() <= MAX_EXPONENT
    if isinstance(value, float):
        return isfinite(value)
    if isinstance(value, tuple):
        return all(map(_sound, value))
    if isinstance(value, dict):
        return all(map(_sound, value.values()))
    if isinstance(value, msgspec.Struct):
        return all(_sound(getattr(value, name)) for name in value.__struct_fields__)
    return True


def _shown(raw: bytes) -> str:
    return raw[:40].decode("utf-8", "backslashreplace")
