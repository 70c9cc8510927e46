"""JSON Schema of every event type and version: `python -m bus_schemas.schema_export [--check]`.

Writes `schemas/<Type>.v<N>.json` beside this file, for other languages and for people, and as the memory of
what was once written. `--check` fails when a stored schema differs from the code, or when a stored example
of any version no longer decodes. A type whose change breaks stored bodies gets a new version, an upcaster
in `bus_schemas.codec` and examples; its old schema and examples stay.
"""

from __future__ import annotations

import argparse
import inspect
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas import schema_examples
from bus_schemas.events import EVENT_TYPES, VERSIONS, Body
from bus_schemas.schema_compat import Schema, breaks

HOME = Path(__file__).parent
DRAFT = "https://json-schema.org/draft/2020-12/schema"
BREAKING = (
    "A change that breaks stored events needs a new version in bus_schemas.events, an upcaster in\n"
    "bus_schemas.codec and an example. Only a type that was never released may change in place: delete its\n"
    "schema file and export again.\n"
)
COMMAND = "python -m bus_schemas.schema_export"

_NAME = re.compile(r"(?P<type>\w+)\.v(?P<version>[1-9][0-9]*)\.json")


def schema_of(type_: type[Body]) -> Schema:
    """The JSON Schema of an event type as the code has it; Decimals are strings of format `decimal`."""
    schema = msgspec.json.schema(type_)
    definitions = {name: _tidy(schema["$defs"][name]) for name in sorted(schema["$defs"])}
    plain: Schema = msgspec.json.decode(
        msgspec.json.encode({"$schema": DRAFT, "$ref": schema["$ref"], "$defs": definitions})
    )
    return plain


def export(home: Path = HOME) -> tuple[list[Path], list[str]]:
    """Write the newest schema of every type. Returns the files that changed, and the refusals.

    A stored schema is not overwritten by one that breaks it.
    """
    written, refused = [], []
    (home / "schemas").mkdir(parents=True, exist_ok=True)
    for name in sorted(EVENT_TYPES):
        path = _path(home, "schemas", name, VERSIONS[name])
        new = schema_of(EVENT_TYPES[name])
        old = _stored(path)
        broken = breaks(old, new) if old else []
        if broken:
            refused += [f"{path.name}: {text}" for text in broken]
        elif old != new:
            path.write_bytes(msgspec.json.format(msgspec.json.encode(new), indent=2) + b"\n")
            written.append(path)
    return written, refused


def check(home: Path = HOME) -> list[str]:
    """Everything that differs between the code and what is stored; empty if nothing does."""
    faults: list[str] = []
    for name in sorted(EVENT_TYPES):
        for version in range(1, VERSIONS[name] + 1):
            faults += _check_version(home, name, version)
    return faults + list(_strangers(home))


def _check_version(home: Path, name: str, version: int) -> Iterator[str]:
    path = _path(home, "schemas", name, version)
    stored = _stored(path)
    if stored is None:
        how = (
            f"run `{COMMAND}`" if version == VERSIONS[name] else "it must stay for as long as its events may"
        )
        yield f"{path.name}: the schema is missing; {how}"
    elif version == VERSIONS[name]:
        new = schema_of(EVENT_TYPES[name])
        broken = breaks(stored, new)
        if broken:
            yield from (f"{path.name}: {text}" for text in broken)
        elif stored != new:
            yield f"{path.name}: differs from the code, compatibly; run `{COMMAND}`"
    examples = _path(home, "examples", name, version)
    yield from schema_examples.faults(examples, name, version, stored or {})


def _strangers(home: Path) -> Iterator[str]:
    """Files of types or versions that the code does not have: something was removed."""
    for folder in ("schemas", "examples"):
        for path in sorted((home / folder).glob("*.json")):
            match = _NAME.fullmatch(path.name)
            if match is None:
                yield f"{folder}/{path.name}: the name is not <Type>.v<N>.json"
            elif match["type"] not in EVENT_TYPES:
                yield f"{folder}/{path.name}: the type was removed, but its events may be stored"
            elif int(match["version"]) > VERSIONS[match["type"]]:
                yield f"{folder}/{path.name}: the code only has version {VERSIONS[match['type']]}"


def _path(home: Path, folder: str, name: str, version: int) -> Path:
    return home / folder / f"{name}.v{version}.json"


def _stored(path: Path) -> Schema | None:
    try:
        schema: Schema = msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except FileNotFoundError:
        return None
    except msgspec.MsgspecError:
        return {}
    return schema


def _tidy(definition: Schema) -> Schema:
    """Without the docstring's indentation, which depends on the version of Python."""
    if "description" in definition:
        definition = definition | {"description": inspect.cleandoc(definition["description"])}
    return definition


def main(arguments: list[str] | None = None) -> int:
    """Entry point. 0: all is well, 1: something differs or was refused."""
    parser = argparse.ArgumentParser(prog=COMMAND, description="JSON Schema of every event type.")
    parser.add_argument("--check", action="store_true", help="write nothing; fail where something differs")
    say = sys.stdout.write
    if parser.parse_args(arguments).check:
        faults = check()
        say("".join(f"{fault}\n" for fault in faults))
        say(f"schemas: {len(EVENT_TYPES)} types, {len(faults)} faults\n")
        if any(COMMAND not in fault for fault in faults):
            say(BREAKING)
        return 1 if faults else 0
    written, refused = export()
    say("".join(f"wrote {path.name}\n" for path in written))
    say("".join(f"refused: {text}\n" for text in refused))
    if refused:
        say(BREAKING)
    return 1 if refused else 0


if __name__ == "__main__":
    sys.exit(main())
