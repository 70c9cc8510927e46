"""Whole files checked before anything is published, so that a person sees every fault at once."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path

from bus_schemas.errors import DataError
from market_data.files import DataFile, Folder, Kind
from market_data.reader import read_bars, read_funding

MOST_PROBLEMS = 20


class _Enough(Exception):
    """The list is full."""


def validate_folder(
    folder: Path, timeframe: str | None = None, symbols: Sequence[str] = (), limit: int = MOST_PROBLEMS
) -> list[str]:
    """What is wrong with the files of a folder, `file:line: sentence`, at most `limit` of them.

    Args:
        timeframe: check the files that a run on this timeframe reads; None checks every file.
        symbols: only these; empty means all.

    Raises:
        ConfigurationError: the folder has no such files, or several fit.
    """
    found = Folder(folder)
    if timeframe is not None:
        selected = found.select(timeframe, symbols)
        return problems([file for files in selected.values() for file in files.all()], limit)
    return problems([file for file in found.files if not symbols or file.symbol in symbols], limit)


def problems(files: Iterable[DataFile], limit: int = MOST_PROBLEMS) -> list[str]:
    """As `validate_folder`, of these files."""
    found: list[str] = []
    try:
        for file in files:
            _check(file, found, limit)
    except _Enough:
        return found
    return found


def require_sound(files: Iterable[DataFile]) -> None:
    """Refuse files with faults.

    Raises:
        DataError: with up to `MOST_PROBLEMS` of them, one a line.
    """
    found = problems(files)
    if len(found) == 1:
        raise DataError(found[0])
    if found:
        count = f"at least {len(found)}" if len(found) == MOST_PROBLEMS else str(len(found))
        raise DataError(f"the data files have {count} faults:\n  - " + "\n  - ".join(found))


def _check(file: DataFile, found: list[str], limit: int) -> None:
    before = len(found)

    def report(line: int, text: str) -> None:
        found.append(f"{file.where(line)}: {text}")
        if len(found) >= limit:
            raise _Enough

    read = read_funding if file.kind is Kind.FUNDING else read_bars
    rows = sum(1 for _ in read(file, 0, report))
    if rows == 0 and len(found) == before:
        report(1, "there are no rows below the header")
