"""Reads the plain part of YAML that deploy/ is written in, and refuses the rest.

No YAML library is among the dependencies, and the manifests need little: mappings, sequences, scalars on
one line, flow sequences, comments, anchors with merge keys, documents. What is outside that, and a key
that stands twice in one mapping, is an error: tools disagree about such things.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any, NamedTuple

_KEY = re.compile(r"""(?P<key>"[^"]*"|[A-Za-z0-9_.<$/-][^\s:#]*):(?:\s+(?P<value>.*))?$""")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?$")
_WORDS: dict[str, Any] = {"": None, "null": None, "~": None, "true": True, "false": False}
_AMBIGUOUS = ("yes", "no", "on", "off", "y", "n")


class YamlError(ValueError):
    """The text is not in our part of YAML."""


class _Line(NamedTuple):
    number: int
    indent: int
    text: str


def load(path: Path) -> Any:
    """The only document of a file."""
    (document,) = load_all(path)
    return document


def load_all(path: Path) -> list[Any]:
    """Every document of a file; a faulty one names file and line."""
    try:
        return parse(path.read_text(encoding="utf-8"))
    except YamlError as error:
        raise YamlError(f"{path.name}: {error}") from None


def parse(text: str) -> list[Any]:
    """Every document of a text.

    Raises:
        YamlError: with the line.
    """
    documents: list[list[_Line]] = [[]]
    for number, raw in enumerate(text.splitlines(), 1):
        if "\t" in raw:
            raise YamlError(f"line {number}: a tab")
        if raw.rstrip() == "---":
            documents.append([])
            continue
        content = _without_comment(raw).rstrip()
        if content.strip():
            indent = len(content) - len(content.lstrip())
            documents[-1].append(_Line(number, indent, content.strip()))
    return [_Document(lines).whole() for lines in documents if lines]


class _Document:
    def __init__(self, lines: list[_Line]) -> None:
        self._lines = lines
        self._at = 0
        self._anchors: dict[str, Any] = {}

    def whole(self) -> Any:
        value = self._block(self._lines[0].indent)
        if self._at < len(self._lines):
            raise self._fault("is indented like nothing above it")
        return value

    def _block(self, indent: int) -> Any:
        is_sequence = self._lines[self._at].text.startswith("-")
        return self._sequence(indent) if is_sequence else self._mapping(indent)

    def _sequence(self, indent: int) -> list[Any]:
        items: list[Any] = []
        while (line := self._here(indent)) and line.text.startswith("-"):
            rest = line.text[1:].lstrip()
            if line.text != "-" and not line.text.startswith("- "):
                raise self._fault("is no item of a sequence")
            if _KEY.match(rest):  # a mapping that begins on the item's line
                inner = indent + len(line.text) - len(rest)
                self._lines[self._at] = _Line(line.number, inner, rest)
                items.append(self._mapping(inner))
            else:
                self._at += 1
                items.append(self._value(rest, indent))
        return items

    def _mapping(self, indent: int) -> dict[str, Any]:
        found: dict[str, Any] = {}
        merged: dict[str, Any] = {}
        while line := self._here(indent):
            match = _KEY.match(line.text)
            if not match:
                raise self._fault("is no `key: value`")
            key = match["key"].strip('"')
            if key in found:
                raise self._fault(f"gives {key!r} again")
            self._at += 1
            value = self._value(match["value"] or "", indent)
            if key == "<<":
                merged |= value
            else:
                found[key] = value
        return merged | found

    def _value(self, text: str, indent: int) -> Any:
        anchor = re.match(r"&([a-z]+)\s*(.*)$", text)
        rest = anchor[2] if anchor else text
        value = self._scalar(rest) if rest else self._below(indent)
        if anchor:
            self._anchors[anchor[1]] = value
        return value

    def _below(self, indent: int) -> Any:
        if self._at == len(self._lines):
            return None
        following = self._lines[self._at]
        if following.indent > indent:
            return self._block(following.indent)
        if following.indent == indent and following.text.startswith("- "):
            previous = self._lines[self._at - 1]
            return self._block(indent) if previous.text.endswith(":") else None
        return None

    def _scalar(self, text: str) -> Any:
        if text.startswith("*"):
            if text[1:] not in self._anchors:
                raise self._fault(f"names {text}, which is not defined above", back=1)
            return self._anchors[text[1:]]
        if text.startswith("["):
            if not text.endswith("]"):
                raise self._fault("does not end its list", back=1)
            return [self._scalar(part.strip()) for part in _split(text[1:-1])]
        if text == "{}":
            return {}
        try:
            return _plain(text)
        except ValueError as error:
            raise self._fault(str(error), back=1) from None

    def _here(self, indent: int) -> _Line | None:
        if self._at == len(self._lines) or self._lines[self._at].indent < indent:
            return None
        if self._lines[self._at].indent > indent:
            raise self._fault("is indented deeper than its neighbours")
        return self._lines[self._at]

    def _fault(self, what: str, back: int = 0) -> YamlError:
        line = self._lines[self._at - back]
        return YamlError(f"line {line.number}: {line.text!r} {what}")


def _plain(text: str) -> Any:
    if text.startswith('"'):
        return json.loads(text)
    if text.startswith("'"):
        if len(text) < 2 or not text.endswith("'"):
            raise ValueError("does not end its quote")
        return text[1:-1].replace("''", "'")
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.match(text):
        return float(text) if "." in text else int(text)
    if text.lower() in _AMBIGUOUS:
        raise ValueError("is a truth value to some tools: quote it")
    if text[0] in "[]{}&*!|>%@`,?" or ": " in text or text.endswith(":"):
        raise ValueError("is not plain YAML: quote it")
    return text


def _without_comment(line: str) -> str:
    quote = ""
    for place, letter in enumerate(line):
        if quote:
            quote = "" if letter == quote and line[place - 1] != "\\" else quote
        elif letter in "\"'" and (place == 0 or line[place - 1] in " [,'"):  # '' inside '…' goes on
            quote = letter
        elif letter == "#" and (place == 0 or line[place - 1] == " "):
            return line[:place]
    return line


def _split(text: str) -> list[str]:
    """Items of a flow sequence; a comma inside quotes separates nothing."""
    return re.findall(r"""(?:"(?:[^"\\]|\\.)*"|'[^']*'|[^,"'])+""", text)
