"""The lint that keeps clocks, chance and the environment out of the core: `python -m tests.lint_purity`.

A line that is an edge says so and why, in a comment on the same line: `# edge: <reason>`. A marker without
a reason, or on a line that needs none, is a fault as well.
"""

from __future__ import annotations

import ast
import io
import re
import sys
import tokenize
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ("bus_schemas", "strategy", "risk", "execution", "market_data")

_CLOCK, _WAIT, _CHANCE, _OUTSIDE = (
    "reads the clock",
    "waits for the clock",
    "takes chance",
    "reads the environment",
)
_TIMERS = ("time", "monotonic", "perf_counter", "process_time", "thread_time")

BANNED = {
    **dict.fromkeys((f"datetime.datetime.{name}" for name in ("now", "utcnow", "today")), _CLOCK),
    "datetime.date.today": _CLOCK,
    **dict.fromkeys((f"time.{name}{unit}" for name in _TIMERS for unit in ("", "_ns")), _CLOCK),
    **dict.fromkeys((f"time.{name}" for name in ("localtime", "gmtime", "ctime", "strftime")), _CLOCK),
    **dict.fromkeys(("time.clock_gettime", "time.clock_gettime_ns"), _CLOCK),
    "time.sleep": _WAIT,
    **dict.fromkeys(("random", "secrets", "numpy.random", "os.urandom", "os.getrandom"), _CHANCE),
    **dict.fromkeys(("uuid.uuid1", "uuid.uuid4"), _CHANCE),
    **dict.fromkeys(("os.environ", "os.environb", "os.getenv", "os.putenv"), _OUTSIDE),
}
"""Dotted names, and everything below them, with what is wrong with them."""

_MARKER = re.compile(r"#\s*edge\b(?::[ \t]*(?P<reason>.*))?")


class Fault(NamedTuple):
    """One finding."""

    path: str
    line: int
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.text}"


def check(source: str, path: str) -> list[Fault]:
    """Faults of one module, in order of lines."""
    try:
        tree = ast.parse(source, path)
    except SyntaxError as error:
        return [Fault(path, error.lineno or 1, f"does not parse: {error.msg}")]
    names = dict(_imports(tree))
    markers = dict(_markers(source))
    faults = [Fault(path, line, text) for line, text in _star_imports(tree)]
    used: set[int] = set()
    for node, why in _uses(tree, names):
        lines = range(node.lineno, (node.end_lineno or node.lineno) + 1)
        marked = [line for line in lines if line in markers]
        used.update(marked)
        if not marked:
            faults.append(Fault(path, node.lineno, f"{why}; an edge says `# edge: <reason>` on this line"))
    for line, reason in markers.items():
        if not reason:
            faults.append(Fault(path, line, "`# edge` without a reason"))
        elif line not in used:
            faults.append(Fault(path, line, "`# edge` on a line that needs none"))
    return sorted(set(faults))


def check_tree(root: Path = ROOT, packages: Sequence[str] = PACKAGES) -> list[Fault]:
    """Faults of every module of the packages."""
    return [
        fault
        for package in packages
        for file in sorted((root / package).rglob("*.py"))
        for fault in check(file.read_text(encoding="utf-8"), file.relative_to(root).as_posix())
    ]


def _imports(tree: ast.AST) -> Iterator[tuple[str, str]]:
    """Local names and the dotted names that they stand for."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                head = alias.name.partition(".")[0]
                yield (alias.asname, alias.name) if alias.asname else (head, head)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            for alias in node.names:
                yield alias.asname or alias.name, f"{node.module}.{alias.name}"


def _star_imports(tree: ast.AST) -> Iterator[tuple[int, str]]:
    roots = {name.partition(".")[0] for name in BANNED}
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module in roots and node.names[0].name == "*":
            yield node.lineno, f"`from {node.module} import *` hides what it takes"


def _uses(tree: ast.AST, names: dict[str, str]) -> Iterator[tuple[ast.expr, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name | ast.Attribute):
            dotted = _dotted(node, names)
            if dotted in BANNED:
                yield node, f"{dotted} {BANNED[dotted]}"
            elif isinstance(node, ast.Name) and dotted:
                # `from random import choice`: the name stands for something below a banned one
                parent = dotted.rpartition(".")[0]
                if parent in BANNED:
                    yield node, f"{dotted} {BANNED[parent]}"


def _dotted(node: ast.expr, names: dict[str, str]) -> str:
    if isinstance(node, ast.Name):
        return names.get(node.id, "")
    if isinstance(node, ast.Attribute):
        base = _dotted(node.value, names)
        return f"{base}.{node.attr}" if base else ""
    return ""


def _markers(source: str) -> Iterator[tuple[int, str]]:
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            match = _MARKER.search(token.string)
            if match:
                yield token.start[0], (match["reason"] or "").strip()


def main() -> int:
    """Print every fault; 1 if there is one."""
    faults = check_tree()
    for fault in faults:
        print(fault)
    print(f"purity: {len(faults)} faults in {', '.join(PACKAGES)}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
