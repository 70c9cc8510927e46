"""What a change of a JSON Schema breaks for bodies that were written before it.

The rules are those of reading: a body that fits the old schema must fit the new one and mean the same. The
subset of JSON Schema is the one that `msgspec.json.schema` writes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

Schema = dict[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_EXACT = ("format", "pattern", "multipleOf", "const", "contentEncoding")


def breaks(old: Schema, new: Schema) -> list[str]:
    """Every change that breaks stored bodies, one sentence each, with the field's path."""
    return list(_Comparison(old.get("$defs", {}), new.get("$defs", {}), set()).of(old, new, "$"))


class _Comparison:
    """The definitions of both schemas, and the pairs of them that were compared."""

    def __init__(self, old: Schema, new: Schema, seen: set[tuple[str, str]]) -> None:
        self._old = old
        self._new = new
        self._seen = seen

    def of(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        refs = (old.get("$ref", ""), new.get("$ref", ""))
        if all(refs):
            if refs in self._seen:
                return
            self._seen.add(refs)
        old, new = _resolved(old, self._old), _resolved(new, self._new)
        if "anyOf" in old or "anyOf" in new:
            yield from self._choices(old, new, path)
        elif "enum" in old or "enum" in new:
            yield from _enum(old, new, path)
        elif not _same_type(old.get("type"), new.get("type")):
            yield f"{path}: the type changed from {_shown(old)} to {_shown(new)}"
        else:
            yield from _bounds(old, new, path)
            yield from self._fields(old, new, path)
            yield from self._items(old, new, path)

    def _choices(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        """Each form that was allowed must fit one that is; where none does, told of the likeliest."""
        forms = [_resolved(form, self._new) for form in new.get("anyOf", [new])]
        for form in (_resolved(form, self._old) for form in old.get("anyOf", [old])):
            likely = [other for other in forms if _same_type(_type(form), _type(other))]
            trials = [
                list(_Comparison(self._old, self._new, set(self._seen)).of(form, other, path))
                for other in likely
            ]
            if not trials:
                taken = " or ".join(map(_shown, forms))
                yield f"{path}: narrowed, {_shown(form)} is no longer taken, only {taken}"
            elif all(trials):
                yield from min(trials, key=len)

    def _fields(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("properties", {}), new.get("properties", {})
        was_required, required = set(old.get("required", ())), set(new.get("required", ()))
        added = [name for name in after if name not in before]
        for name, schema in before.items():
            if name not in after:
                twins = [other for other in added if after[other] == schema]
                hint = f" (renamed to `{twins[0]}`?)" if len(twins) == 1 else ""
                yield f"{path}.{name}: the field was removed{hint}"
                continue
            if name in required and name not in was_required:
                yield f"{path}.{name}: the field is newly required"
            elif name not in was_required and schema.get("default") != after[name].get("default"):
                yield (
                    f"{path}.{name}: the default changed from {schema.get('default')!r} to "
                    f"{after[name].get('default')!r}, and stored bodies leave defaults out"
                )
            yield from self.of(schema, after[name], f"{path}.{name}")
        for name in added:
            if name in required:
                yield f"{path}.{name}: a required field was added; give it a default"
        if new.get("additionalProperties") is False and old.get("additionalProperties") is not False:
            yield f"{path}: unknown fields are no longer taken"
        yield from self._open(old, new, "additionalProperties", f"{path}[…]")

    def _items(self, old: Schema, new: Schema, path: str) -> Iterator[str]:
        before, after = old.get("prefixItems", []), new.get("prefixItems", [])
        rest_before, rest_after = old.get("items"), new.get("items")
        for place in range(max(len(before), len(after))):
            left = before[place] if place < len(before) else rest_before
            right = after[place] if place < len(after) else rest_after
            if isinstance(left, dict) and isinstance(right, dict):
                yield from self.of(left, right, f"{path}[{place}]")
        if not before and not after:
            yield from self._open(old, new, "items", f"{path}[]")

    def _open(self, old: Schema, new: Schema, key: str, path: str) -> Iterator[str]:
        """Values of a dictionary or of an array; a missing schema takes everything."""
        before, after = old.get(key), new.get(key)
        if isinstance(after, dict) and "properties" not in old:
            yield from self.of(before if isinstance(before, dict) else {}, after, path)


def _enum(old: Schema, new: Schema, path: str) -> Iterator[str]:
    if "enum" not in new:
        if not (new.get("type") == "string" and "format" not in new and "pattern" not in new):
            yield f"{path}: the type changed from {_shown(old)} to {_shown(new)}"
    elif "enum" not in old:
        yield f"{path}: narrowed from {_shown(old)} to {_shown(new)}"
    else:
        gone = [value for value in old["enum"] if value not in new["enum"]]
        if gone:
            yield f"{path}: narrowed, {', '.join(map(str, gone))} is no longer taken"


def _bounds(old: Schema, new: Schema, path: str) -> Iterator[str]:
    for key in _LOWER_BOUNDS:
        if key in new and (key not in old or new[key] > old[key]):
            yield f"{path}: narrowed, {key} is now {new[key]}"
    for key in _UPPER_BOUNDS:
        if key in new and (key not in old or new[key] < old[key]):
            yield f"{path}: narrowed, {key} is now {new[key]}"
    for key in _EXACT:
        if key in new and new[key] != old.get(key):
            yield f"{path}: narrowed, {key} is now {new[key]}"


def _same_type(old: Any, new: Any) -> bool:
    return bool(old == new or new is None or (old == "integer" and new == "number"))


def _type(schema: Schema) -> Any:
    return "string" if "enum" in schema else schema.get("type")


def _resolved(schema: Schema, definitions: Schema) -> Schema:
    while "$ref" in schema:
        schema = definitions[schema["$ref"].rpartition("/")[2]]
    return schema


def _shown(schema: Schema) -> str:
    kind = schema.get("title") or schema.get("type") or "anything"
    return f"{schema['format']} {kind}" if "format" in schema else str(kind)
