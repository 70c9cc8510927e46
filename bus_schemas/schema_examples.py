"""The stored examples: what was once written must always be read."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.codec import decode_body, encode_body
from bus_schemas.errors import CodecError
from bus_schemas.events import VERSIONS
from bus_schemas.schema_compat import Schema


def faults(path: Path, name: str, version: int, schema: Schema) -> Iterator[str]:
    """What is wrong with the examples of one version of a type.

    Each must decode, by the upcasters where it is old, and come back as the same JSON. Together they show
    every field, and every optional one also left out, so that none can be taken away unnoticed.
    """
    try:
        examples = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]])
    except FileNotFoundError:
        yield f"{path.name}: the examples are missing; a type without a stored example is not checked"
        return
    except msgspec.MsgspecError as error:
        yield f"{path.name}: not an array of bodies: {error}"
        return
    if not examples:
        yield f"{path.name}: there is no example"
    for number, example in enumerate(examples, 1):
        fault = _fault(name, version, example)
        if fault:
            yield f"{path.name}, example {number}: {fault}"
    yield from (f"{path.name}: {fault}" for fault in _uncovered(schema, examples))


def _fault(name: str, version: int, example: dict[str, Any]) -> str:
    try:
        body = decode_body(name.encode(), str(version).encode(), msgspec.json.encode(example))
        again = encode_body(body)
        if decode_body(name.encode(), str(VERSIONS[name]).encode(), again) != body:
            return "the body is another one after encoding and decoding"
    except CodecError as error:
        return f"no longer decodes: {error}"
    if version < VERSIONS[name]:
        return ""
    returned = msgspec.json.decode(again)
    changed = sorted(key for key in example.keys() | returned.keys() if example.get(key) != returned.get(key))
    changed = changed or sorted(example.keys() ^ returned.keys())
    return f"comes back with another {', '.join(changed)}" if changed else ""


def _uncovered(schema: Schema, examples: list[dict[str, Any]]) -> Iterator[str]:
    """Fields that no example has, also inside parts; optional fields that every example has."""
    shown: set[str] = set()
    for example in examples:
        _walk(schema, example, schema.get("$defs", {}), "", shown)
    for place, fields in _fields_of(schema):
        for field in fields:
            if f"{place}.{field}" not in shown:
                yield f"no example has `{place}.{field}`"
    place, fields = next(iter(_fields_of(schema)), ("", {}))
    required = schema.get("$defs", {}).get(place, {}).get("required", ())
    for field in fields:
        if field not in required and examples and all(field in example for example in examples):
            yield f"every example has the optional `{place}.{field}`; one must leave it out"


def _fields_of(schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Each object type of a schema with its fields, the event itself first."""
    own = schema.get("$ref", "").rpartition("/")[2]
    definitions = schema.get("$defs", {})
    for name in sorted(definitions, key=lambda name: (name != own, name)):
        if "properties" in definitions[name]:
            yield name, definitions[name]["properties"]


def _walk(schema: Schema, value: Any, definitions: Schema, place: str, shown: set[str]) -> None:
    if "$ref" in schema:
        place = schema["$ref"].rpartition("/")[2]
        _walk(definitions[place], value, definitions, place, shown)
        return
    for choice in schema.get("anyOf", ()):
        _walk(choice, value, definitions, place, shown)
    if isinstance(value, dict):
        properties = schema.get("properties", {})
        for key, item in value.items():
            if key in properties:
                shown.add(f"{place}.{key}")
            below = properties.get(key, schema.get("additionalProperties"))
            if isinstance(below, dict):
                _walk(below, item, definitions, place, shown)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for item in value:
            _walk(schema["items"], item, definitions, place, shown)
