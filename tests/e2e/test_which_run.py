"""Which run a command means where it names none."""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

import pytest

from cli import folder
from tests.support.shell import invoke


def test_several_runs_must_be_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    notes = folder.notes_folder()
    for pid, namespace in ((os.getpid(), "one"), (os.getppid(), "two")):
        (notes / f"{namespace}.json").write_text(
            f'{{"pid":{pid},"url":"unix://{tmp_path}/nobody","namespace":"{namespace}"}}'
        )
    code, _, err = invoke("kill", "--reason", "which one?")
    assert code == 2
    assert f"one (process {os.getpid()})" in err
    assert f"two (process {os.getppid()})" in err
    assert "choose with --pid" in err
    code, _, err = invoke("status", "--pid", os.getpid())
    assert (code, "the server does not answer" in err) == (6, True)
    code, _, err = invoke("status", "--pid", 1)
    assert (code, err) == (2, "error: process 1 is no run of yours on this machine\n")


def test_in_a_container_the_environment_says_where_the_bus_is(tmp_path: Path) -> None:
    code, _, err = invoke("status", env={"CAUSEWAY_BUS__URL": f"unix://{tmp_path}/nobody"})
    assert (code, "the server does not answer" in err) == (6, True)


def test_a_folder_of_notes_that_is_somebody_elses_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (tmp_path / f"causeway-runs-{os.getuid()}").symlink_to(elsewhere)
    code, _, err = invoke("status")
    assert code == 2
    assert "is not yours; remove it, or set TMPDIR" in err
