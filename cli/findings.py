"""What a check found, and how it is shown."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

import msgspec
from rich.console import Console
from rich.markup import escape

_MARKS = {"ok": "[green]ok   [/]", "note": "[yellow]note [/]", "wrong": "[red]wrong[/]"}


class Finding(msgspec.Struct, frozen=True):
    """One check.

    Attributes:
        level: `wrong` must be mended; `note` should be known.
        mend: how, for what is not right.
    """

    level: Literal["ok", "note", "wrong"]
    what: str
    mend: str = ""


class Gate(Finding, frozen=True):
    """One look at a gate before live orders.

    Attributes:
        code: exit code where the gate is closed, which `wrong` means.
    """

    code: int = 0


def show(findings: Iterable[Finding], console: Console) -> None:
    """Print findings for a person."""
    for finding in findings:
        console.print(f"{_MARKS[finding.level]} {escape(finding.what)}", highlight=False)
        if finding.mend:
            console.print(f"      → {finding.mend}", highlight=False, markup=False)
