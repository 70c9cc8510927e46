"""Parameters of the engine as a user gives them: a TOML or JSON file, or `name=value,name=value`."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from enum import Enum
from pathlib import Path
from typing import Any

import msgspec

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings.sources import from_file
from strategy.smc import Parameters
from strategy.smc.rules import rules

_FIELDS = {field.name: field for field in msgspec.structs.fields(Parameters)}
_WORDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}


def read(given: Sequence[str], timeframe: str) -> Parameters:
    """The parameters that these texts make; of several a later one wins.

    Args:
        given: each the path of a file, or `name=value,name=value`.
        timeframe: of the candles; the parameters may name no other.

    Raises:
        ConfigurationError: naming every parameter that is unknown or cannot be, and what there is.
    """
    values: dict[str, Any] = {}
    for text in given:
        values |= _one(text)
    if values.setdefault("timeframe", timeframe) != timeframe:
        raise ConfigurationError(
            f"--params: timeframe {values['timeframe']} contradicts the candles, which are {timeframe}; "
            "leave it out, or use --timeframe or --resample"
        )
    try:
        params = Parameters(**values)
    except ConfigurationError as error:
        raise ConfigurationError(f"--params: {error}") from None
    try:
        rules(params)
    except ConfigurationError as error:
        raise ConfigurationError(f"--params: session_zone: {error}") from None
    return params


def _one(text: str) -> dict[str, Any]:
    path = Path(text)
    if _is_file(path):
        found, faults = from_file(path)
        if faults:
            raise ConfigurationError(f"--params: {'; '.join(faults)}")
        return _converted(found, path.name, strict=True)
    if "=" not in text:
        raise ConfigurationError(
            f"--params {text!r} is neither a file nor name=value,name=value "
            "such as swing_length=20,break_by=wick"
        )
    return _converted(_pairs(text), "", strict=False)


def _is_file(path: Path) -> bool:
    try:
        return path.exists() and not path.is_dir()
    except (OSError, ValueError):  # too long for a name, or with a NUL: it is name=value then
        return False


def _pairs(text: str) -> dict[str, Any]:
    """Names and texts of `name=value,name=value`; a value in brackets is TOML and may hold commas."""
    found: dict[str, Any] = {}
    for part in _parts(text):
        name, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals or not name or not value:
            raise ConfigurationError(f"--params: {part.strip()!r} is not name=value")
        if name in found:
            raise ConfigurationError(f"--params: {name} is there twice")
        found[name] = _listed(name, value) if value.startswith("[") else value
    return found


def _parts(text: str) -> list[str]:
    parts, depth = [""], 0
    for char in text:
        depth += (char in "[{") - (char in "]}")
        if char == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += char
    return parts


def _listed(name: str, value: str) -> Any:
    try:
        return tomllib.loads(f"x = {value}")["x"]
    except tomllib.TOMLDecodeError as error:
        raise ConfigurationError(f"--params: {name} is no TOML list: {error}") from None


def _converted(found: Mapping[str, Any], where: str, strict: bool) -> dict[str, Any]:
    source = f"--params {where}:" if where else "--params:"
    faults, values = [], {}
    for name, value in found.items():
        field = _FIELDS.get(name)
        if field is None:
            faults.append(f"{name} is no parameter{_perhaps(name)}; there are {', '.join(_FIELDS)}")
            continue
        try:
            values[name] = msgspec.convert(value, field.type, strict=strict)
        except msgspec.ValidationError as error:
            faults.append(f"{name} must be {_wanted(field.type)}, not {value!r}{_detail(value, error)}")
    if faults:
        raise ConfigurationError(f"{source} {'; '.join(faults)}")
    return values


def _perhaps(name: str) -> str:
    close = get_close_matches(name, _FIELDS, 1)
    return f" (perhaps {close[0]}?)" if close else ""


def _wanted(kind: Any) -> str:
    if isinstance(kind, type) and issubclass(kind, Enum):
        return " or ".join(str(member.value) for member in kind)
    return _WORDS.get(kind, 'a list such as [{name = "london", start = "02:00", end = "05:00"}]')


def _detail(value: Any, error: msgspec.ValidationError) -> str:
    return f": {error}" if isinstance(value, list) else ""
