"""The schema check catches every change that would break stored events."""

from __future__ import annotations

import json
import shutil
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import jsonschema
import msgspec
import pytest

from bus_schemas import codec, schema_export
from bus_schemas.events import EVENT_TYPES, VERSIONS, Part, Side
from bus_schemas.schema_compat import breaks
from tests.unit.bus_schemas.planted import plant

formats = jsonschema.FormatChecker(formats=())


@formats.checks("decimal", raises=InvalidOperation)
def _is_decimal(value: object) -> bool:
    return not isinstance(value, str) or Decimal(value).is_finite()


@pytest.fixture
def home(tmp_path: Path) -> Path:
    for folder in ("schemas", "examples"):
        shutil.copytree(schema_export.HOME / folder, tmp_path / folder)
    schema_export.export(tmp_path)
    return tmp_path


def read(path: Path) -> Any:
    return json.loads(path.read_text())


def test_what_is_stored_is_what_the_code_says() -> None:
    assert schema_export.check() == []


@pytest.mark.parametrize(
    "path", sorted((schema_export.HOME / "examples").glob("*.json")), ids=lambda p: p.stem
)
def test_examples_fit_their_schema(path: Path) -> None:
    schema = read(schema_export.HOME / "schemas" / path.name)
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema, format_checker=formats)
    for example in read(path):
        validator.validate(example)
        with pytest.raises(jsonschema.ValidationError):
            validator.validate({key: value for key, value in example.items() if key != "time"})


def test_a_decimal_that_is_no_number_does_not_fit() -> None:
    schema = read(schema_export.HOME / "schemas" / "AmendOrder.v1.json")
    example = read(schema_export.HOME / "examples" / "AmendOrder.v1.json")[0]
    validator = jsonschema.Draft202012Validator(schema, format_checker=formats)
    with pytest.raises(jsonschema.ValidationError, match="decimal"):
        validator.validate(example | {"quantity": "much"})


def test_export_writes_nothing_twice(home: Path) -> None:
    assert schema_export.export(home) == ([], [])
    (home / "schemas" / "Mark.v1.json").unlink()
    assert schema_export.export(home) == ([home / "schemas" / "Mark.v1.json"], [])
    assert schema_export.check(home) == []


BASE: dict[str, Any] = {"symbol": str, "reason": str, "detail": str, "until": (int | None, None)}


def changed(*removed: str, **fields: Any) -> dict[str, Any]:
    """The fields of `TradingHalted` with changes."""
    return {name: type_ for name, type_ in (BASE | fields).items() if name not in removed}


REMOVED = changed("detail")
RENAMED = changed("detail", text=str)
ADDED = changed(account=str)
RETYPED = changed(detail=int)
NARROWED = changed(reason=Side)

CHANGES = [
    (REMOVED, "$.detail: the field was removed"),
    (RENAMED, "$.detail: the field was removed (renamed to `text`?)"),
    (RENAMED, "$.text: a required field was added"),
    (changed(until=int | None), "$.until: the field is newly required"),
    (ADDED, "$.account: a required field was added"),
    (RETYPED, "$.detail: the type changed from string to integer"),
    (NARROWED, "$.reason: narrowed"),
    (changed(until=(int, 0)), "$.until: the default changed from None to 0"),
    (changed(until=(int, 0)), "$.until: narrowed, null is no longer taken"),
]


@pytest.mark.parametrize(("fields", "expected"), CHANGES)
def test_check_names_a_breaking_change(
    monkeypatch: pytest.MonkeyPatch, home: Path, fields: dict[str, Any], expected: str
) -> None:
    plant(monkeypatch, "TradingHalted", fields)
    faults = schema_export.check(home)
    assert any(expected in fault and fault.startswith("TradingHalted.v1.json") for fault in faults), faults
    before = (home / "schemas" / "TradingHalted.v1.json").read_bytes()
    _, refused = schema_export.export(home)
    assert any(expected in text for text in refused)
    assert (home / "schemas" / "TradingHalted.v1.json").read_bytes() == before


@pytest.mark.parametrize("fields", [REMOVED, ADDED, RETYPED, NARROWED])
def test_examples_catch_what_an_overwritten_schema_hides(
    monkeypatch: pytest.MonkeyPatch, home: Path, fields: dict[str, Any]
) -> None:
    plant(monkeypatch, "TradingHalted", fields)
    (home / "schemas" / "TradingHalted.v1.json").unlink()
    schema_export.export(home)
    faults = schema_export.check(home)
    assert any(fault.startswith("TradingHalted.v1.json, example 1") for fault in faults), faults


def test_an_additive_change_asks_for_an_export_and_an_example(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    fields = {"client_id": str, "symbol": str, "quantity": Decimal, "note": (str, "")}
    plant(monkeypatch, "AmendOrder", fields)
    assert schema_export.check(home) == [
        "AmendOrder.v1.json: differs from the code, compatibly; run `python -m bus_schemas.schema_export`"
    ]
    written, refused = schema_export.export(home)
    assert ([path.name for path in written], refused) == (["AmendOrder.v1.json"], [])
    assert schema_export.check(home) == ["AmendOrder.v1.json: no example has `AmendOrder.note`"]


def test_deleted_example_files_are_missed(home: Path) -> None:
    shutil.rmtree(home / "examples")
    faults = schema_export.check(home)
    assert [fault.partition(".")[0] for fault in faults] == sorted(EVENT_TYPES)
    assert all("the examples are missing" in fault for fault in faults)


@pytest.mark.parametrize("keep", [slice(0, 1), slice(1, 2), slice(0, 0)], ids=["full", "minimal", "all"])
def test_a_deleted_example_is_missed(home: Path, keep: slice) -> None:
    path = home / "examples" / "Mark.v1.json"
    path.write_text(json.dumps(read(path)[keep]))
    assert any(fault.startswith("Mark.v1.json: ") for fault in schema_export.check(home))


@pytest.mark.parametrize(
    ("file", "text", "expected"),
    [
        ("examples/Mark.v1.json", "{}", "not an array of bodies"),
        ("examples/Mark.v1.json", "[", "not an array of bodies"),
        ("schemas/Mark.v1.json", "[", "type changed"),
        ("schemas/Gone.v1.json", "{}", "the type was removed"),
        ("examples/Mark.v2.json", "[]", "the code only has version 1"),
        ("schemas/notes.json", "{}", "the name is not"),
    ],
)
def test_files_that_do_not_belong(home: Path, file: str, text: str, expected: str) -> None:
    (home / file).write_text(text)
    assert any(expected in fault for fault in schema_export.check(home))


def test_a_new_version_needs_an_upcaster_and_keeps_the_old_examples(
    monkeypatch: pytest.MonkeyPatch, home: Path
) -> None:
    plant(monkeypatch, "TradingHalted", RENAMED, version=2)
    examples = home / "examples"
    renamed = [
        {("text" if k == "detail" else k): v for k, v in e.items()}
        for e in read(examples / "TradingHalted.v1.json")
    ]
    (examples / "TradingHalted.v2.json").write_text(json.dumps(renamed))
    assert schema_export.export(home)[1] == []
    faults = schema_export.check(home)
    assert len(faults) == 2
    assert all("no upcaster from version 1" in fault for fault in faults)
    monkeypatch.setitem(
        codec.UPCASTERS,
        ("TradingHalted", 1),
        lambda old: {("text" if k == "detail" else k): v for k, v in old.items()},
    )
    assert schema_export.check(home) == []
    (home / "schemas" / "TradingHalted.v1.json").unlink()
    assert "it must stay" in schema_export.check(home)[0]


def test_the_command_says_what_is_wrong(
    monkeypatch: pytest.MonkeyPatch, home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(schema_export.check, "__defaults__", (home,))
    assert schema_export.main(["--check"]) == 0
    assert "0 faults" in capsys.readouterr().out
    plant(monkeypatch, "TradingHalted", REMOVED)
    assert schema_export.main(["--check"]) == 1
    out = capsys.readouterr().out
    assert "TradingHalted.v1.json: $.detail: the field was removed" in out
    assert "upcaster" in out


class Small(Part, frozen=True, kw_only=True):
    a: int
    b: tuple[int, ...] = ()


def _schema(**fields: Any) -> dict[str, Any]:
    base = {
        "one": Side | None,
        "many": dict[str, int],
        "pair": tuple[int, float],
        "part": Small,
        "loose": list[int],
    }
    return msgspec.json.schema(msgspec.defstruct("Old", list((base | fields).items())))


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, []),
        ({"many": dict[str, float]}, []),
        ({"pair": tuple[float, float]}, []),
        ({"one": str | None}, []),
        ({"one": Side}, ["$.one: narrowed, null is no longer taken, only Side"]),
        ({"many": dict[str, str]}, ["$.many[…]: the type changed from integer to string"]),
        ({"pair": tuple[int, int]}, ["$.pair[1]: the type changed from number to integer"]),
        ({"loose": list[str]}, ["$.loose[]: the type changed from integer to string"]),
        ({"part": int}, ["$.part: the type changed from Small to integer"]),
        ({"many": Decimal}, ["$.many: the type changed from object to decimal string"]),
    ],
)
def test_comparison(change: dict[str, Any], expected: list[str]) -> None:
    assert breaks(_schema(), _schema(**change)) == expected


@pytest.mark.parametrize(
    ("old", "new", "count"),
    [
        ({"type": "integer", "minimum": 0}, {"type": "integer", "minimum": 1}, 1),
        ({"type": "integer", "minimum": 1}, {"type": "integer", "minimum": 0}, 0),
        ({"type": "string", "maxLength": 9}, {"type": "string", "maxLength": 8}, 1),
        ({"type": "string"}, {"type": "string", "pattern": "a"}, 1),
        ({"type": "string", "format": "decimal"}, {"type": "string"}, 0),
        ({"type": "object"}, {"type": "object", "additionalProperties": {"type": "integer"}}, 1),
        ({"enum": ["a", "b"]}, {"enum": ["a"]}, 1),
        ({"enum": ["a"]}, {"enum": ["a", "b"]}, 0),
        ({"type": "string"}, {"enum": ["a"]}, 1),
        ({}, {"type": "string"}, 1),
        ({"type": "string"}, {}, 0),
    ],
)
def test_bounds(old: dict[str, Any], new: dict[str, Any], count: int) -> None:
    assert len(breaks(old, new)) == count


def test_every_type_has_a_version() -> None:
    assert VERSIONS.keys() == EVENT_TYPES.keys()
