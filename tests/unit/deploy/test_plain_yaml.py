"""The reader of our part of YAML reads it right and refuses the rest."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.deploy.deployed import DEPLOY
from tests.unit.deploy.plain_yaml import YamlError, load_all, parse

GOOD: list[tuple[str, Any]] = [
    ("a: 1\nb: 1.5\nc: x9\nd:\n", {"a": 1, "b": 1.5, "c": "x9", "d": None}),
    ("a: true # why\nb: 'it''s # this'\nc: \"q\\n\"\n", {"a": True, "b": "it's # this", "c": "q\n"}),
    ('- a\n- b: 1\n  c: [x, "y, z", 3]\n- []\n', ["a", {"b": 1, "c": ["x", "y, z", 3]}, []]),
    ("x: &x\n  p: 1\n  q: 2\ny:\n  <<: *x\n  q: 3\n", {"x": {"p": 1, "q": 2}, "y": {"p": 1, "q": 3}}),
    ("a:\n  b:\n    - c: {}\n      d: u:p@h:6379/0\n", {"a": {"b": [{"c": {}, "d": "u:p@h:6379/0"}]}}),
    ("a:\n- 1\n- 2\nb: z#y\n", {"a": [1, 2], "b": "z#y"}),
]
BAD = {
    "a: 1\na: 2\n": "again",
    "a:\n\tb: 1\n": "tab",
    "a: yes\n": "truth value",
    "a: |\n  text\n": "quote it",
    "a: b: c\n": "quote it",
    "a: *x\n": "not defined",
    "a: [1, 2\n": "does not end",
    "a: 'b\n": "does not end",
    "a: 1\n  b: 2\n": "deeper",
    "  a: 1\nb: 2\n": "indented like nothing",
    "just words\n": "no `key: value`",
}


@pytest.mark.parametrize(("text", "value"), GOOD)
def test_what_it_reads(text: str, value: Any) -> None:
    assert parse(text) == [value]


@pytest.mark.parametrize("text", BAD)
def test_what_it_refuses(text: str) -> None:
    with pytest.raises(YamlError, match=BAD[text]):
        parse(text)


def test_documents() -> None:
    assert parse("# one\na: 1\n---\nb: 2\n") == [{"a": 1}, {"b": 2}]


def test_every_file_of_deploy_parses() -> None:
    files = sorted(path for path in DEPLOY.rglob("*") if path.suffix in (".yaml", ".yml"))
    assert len(files) > 10
    for path in files:
        assert all(load_all(path)), path
