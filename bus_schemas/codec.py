"""Bytes to events and back: one JSON body by msgspec, envelope fields beside it.

Changes to a type are additive. Where one cannot be, its version in `events.VERSIONS` goes up and an
upcaster here turns the old JSON object into the new one; a stored example of every version is a test.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from bus_schemas.envelope import Event
from bus_schemas.errors import CodecError
from bus_schemas.events import EVENT_TYPES, VERSIONS, Body
from bus_schemas.topology import Place

Upcaster = Callable[[dict[str, Any]], dict[str, Any]]

UPCASTERS: dict[tuple[str, int], Upcaster] = {}
"""By (type, version): a pure function from that version's JSON object to the next version's."""

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
    """The body as JSON: fields in declaration order, Decimals as strings, defaults left out."""
    return _encoder.encode(body)


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
        if version == _versions[type_]:
            return decoder.decode(body)
        return _upcast(type_.decode(), version, body)
    except (msgspec.MsgspecError, UnicodeDecodeError, ValueError, ArithmeticError) as error:
        raise CodecError(f"body of {_shown(type_)} v{_shown(version)}: {error}") from error


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
    except (UnicodeDecodeError, ValueError) as error:
        raise CodecError(f"{place}.{seq}: envelope: {error}") from error


def key_of(fields: Fields) -> str:
    """The symbol of an entry that does not decode; `*` where even that is unreadable."""
    raw = fields.get(b"key", b"")
    return raw.decode() if raw and raw.isascii() and raw.decode().isalnum() else "*"


def _upcast(name: str, version: bytes, body: bytes) -> Body:
    number, newest = int(version), VERSIONS[name]
    if not 0 < number < newest:
        raise ValueError(f"this release knows versions 1 to {newest}")
    data = msgspec.json.decode(body, type=dict[str, Any])
    for step in range(number, newest):
        data = UPCASTERS[(name, step)](data)
    return msgspec.convert(data, EVENT_TYPES[name], strict=False)


def _shown(raw: bytes) -> str:
    return raw[:40].decode("utf-8", "backslashreplace")
