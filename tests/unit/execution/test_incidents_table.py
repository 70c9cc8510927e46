"""The table of incidents names a test for every row and every test that is there, and what the conformance
suite of venues covers."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from bus_schemas.errors import ConfigurationError
from bus_schemas.settings import load
from bus_schemas.settings.venue import PAPER, PROVEN, gone_sandbox
from tests.unit.execution import test_incidents_live

TESTS = Path(__file__).resolve().parents[2]
FILES = {
    "here": "unit/execution/test_incidents_live",
    "inc": "unit/execution/test_incidents",
    "risk": "unit/risk/test_incidents",
    "else": "unit/test_incidents_elsewhere",
    "chain": "unit/test_safety_chain",
    "table": "unit/execution/test_incidents_table",
    "venue": "integration/test_incidents_venue",
    "trading": "integration/test_incidents_trading",
    "data": "integration/test_incidents_data",
}
ROWS = {
    *(f"live {n}" for n in (*range(1, 16), "+")),
    *(f"defect {n}" for n in range(1, 11)),
    *(f"issue {n}" for n in range(1, 21)),
    *(f"asked {n}" for n in range(1, 4)),
}
_ROW = re.compile(r"^ (?P<row>(?:live|defect|issue|asked) \S+), [^:]+: (?P<tests>.+(?:\n {4}.+)*)$", re.M)


@cache
def names_in(file: str) -> frozenset[str]:
    """Every test of a file, those in classes too."""
    tree = ast.parse((TESTS / f"{file}.py").read_text())
    found = (node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef))
    return frozenset(name for name in found if name.startswith("test_"))


def table() -> dict[str, list[tuple[str, str]]]:
    """By row: files and parts of names."""
    found: dict[str, list[tuple[str, str]]] = {}
    for match in _ROW.finditer(test_incidents_live.__doc__ or ""):
        for group in match["tests"].split(";"):
            file, *parts = group.split()
            found.setdefault(match["row"], []).extend((FILES.get(file, file), part) for part in parts)
    return found


def test_every_row_is_in_the_table() -> None:
    assert table().keys() == ROWS


@pytest.mark.parametrize("row", sorted(ROWS))
def test_every_row_names_tests_that_exist(row: str) -> None:
    named = table()[row]
    assert named
    assert [(file, part) for file, part in named if not any(part in name for name in names_in(file))] == []


@pytest.mark.parametrize("file", [FILES[name] for name in ("venue", "trading", "data")])
def test_every_test_at_the_venue_is_of_a_row(file: str) -> None:
    parts = [part for named in table().values() for where, part in named if where == file]
    assert [name for name in names_in(file) if not any(part in name for part in parts)] == []


def test_ft_5489_one_suite_runs_over_paper_and_every_proven_venue() -> None:
    """Dry run and live cannot differ in what the suite looks at: it is the same suite."""
    tree = ast.parse((TESTS / "contract/test_venue.py").read_text())
    functions = {node.name: node for node in tree.body if isinstance(node, ast.FunctionDef)}
    (marker,) = functions["world"].decorator_list
    assert isinstance(marker, ast.Call)
    (params,) = (ast.literal_eval(word.value) for word in marker.keywords if word.arg == "params")
    assert set(params) == {PAPER, *PROVEN}
    tests = [node for name, node in functions.items() if name.startswith("test_")]
    assert len(tests) >= 10
    assert all(node.args.args[0].arg == "world" for node in tests)


@pytest.mark.parametrize("name", PROVEN)
def test_live_system_14_live_orders_and_paper_runs_share_no_namespace(name: str) -> None:
    real, simulated = {"name": name}, {"name": name, "rest_url": "http://127.0.0.1:8900"}
    with pytest.raises(ConfigurationError, match="is for paper runs"):
        load(None, {"venue": real, "bus": {"namespace": load().bus.namespace}})
    runs: list[dict[str, Any]] = [{}, real, simulated]
    if not gone_sandbox(name):
        runs.append({"name": name, "sandbox": True})
    assert len({load(None, {"venue": venue}).bus.namespace for venue in runs}) == len(runs)
