"""What starts outside of Python: the server with its users, the Procfile, the scripts' syntax."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from bus_schemas.bus.embedded import server_binary
from tests.unit.deploy.deployed import DEPLOY, ROOT, compose, dotenv, new_env, settings_of

COMPOSE = compose(dotenv(new_env()))
PASSWORDS = COMPOSE["services"]["valkey"]["environment"]


@pytest.fixture(scope="module")
def bus() -> Iterator[Path]:
    """The server as it is deployed, but for its folders and its port; the path is its socket."""
    folder = Path(tempfile.mkdtemp(prefix="deploy-"))
    (folder / "bin").mkdir()
    (folder / "bin" / "valkey-server").symlink_to(server_binary())
    environment = {
        **PASSWORDS,
        "PATH": f"{folder}/bin:{os.environ['PATH']}",
        "RUN_DIR": str(folder),
        "DATA_DIR": str(folder),
    }
    command = ["sh", str(DEPLOY / "redis" / "start.sh"), "--port", "0", "--unixsocket", str(folder / "s")]
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=log)
    deadline = time.monotonic() + 10
    while not (folder / "s").exists():
        assert process.poll() is None, (folder / "log").read_text()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    yield folder / "s"
    process.terminate()
    assert process.wait(10) == 0
    shutil.rmtree(folder)


def _user(bus: Path, name: str) -> redis.Redis:
    password = PASSWORDS[f"CAUSEWAY_PASSWORD_{name.upper()}"]
    return _client(bus, username=name, password=password)


def _client(bus: Path, **who: Any) -> redis.Redis:
    once = Retry(NoBackoff(), 0)
    return redis.Redis(unix_socket_path=str(bus), retry=once, decode_responses=True, **who)


def test_the_server_is_durable_and_evicts_nothing(bus: Path) -> None:
    with _user(bus, "operator") as client:
        found = client.config_get("*")
    wanted = {"appendonly": "yes", "appendfsync": "always", "maxmemory-policy": "noeviction", "save": ""}
    assert wanted.items() <= found.items()
    limit = int(found["maxmemory"])
    assert 0 < limit <= 2 * 1024**3
    assert COMPOSE["services"]["valkey"]["mem_limit"] == "4g", (
        "a rewrite of the log needs room above maxmemory"
    )


def test_nobody_comes_in_without_a_password(bus: Path) -> None:
    with _client(bus) as client, pytest.raises(redis.AuthenticationError):
        client.ping()
    with _user(bus, "strategy") as client, pytest.raises(redis.exceptions.NoPermissionError):
        client.xadd("cw:paper:{MAIN}:orders", {"a": "b"})
    with _user(bus, "risk") as client:
        assert client.xadd("cw:paper:{MAIN}:orders", {"a": "b"})


def test_the_server_keeps_no_password_in_its_environment(bus: Path) -> None:
    with _user(bus, "operator") as client:
        pid = client.info("server")["process_id"]
    environment = Path(f"/proc/{pid}/environ")
    if not environment.exists():
        pytest.skip("this system shows no process's environment")
    assert b"PASSWORD" not in environment.read_bytes()


def test_a_server_without_its_passwords_does_not_start(tmp_path: Path) -> None:
    environment = {"PATH": os.environ["PATH"], "RUN_DIR": str(tmp_path), "DATA_DIR": str(tmp_path)}
    command = ["sh", str(DEPLOY / "redis" / "start.sh")]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode != 0
    assert "CAUSEWAY_NAMESPACE" in run.stderr


PROCFILE = dict(line.split(": ", 1) for line in (ROOT / "Procfile").read_text().splitlines())


@pytest.fixture
def said(tmp_path: Path) -> Path:
    """A folder with a `python` that says how it was called instead of doing it."""
    python = tmp_path / "python"
    python.write_text('#!/bin/sh\necho "$@"\nenv | grep ^CAUSEWAY_ | sort\n')
    python.chmod(0o755)
    return tmp_path


def _run(line: str, said: Path, **variables: str) -> list[str]:
    environment = {"PATH": f"{said}:{os.environ['PATH']}"} | variables
    run = subprocess.run(["sh", "-c", line], env=environment, capture_output=True, text=True, check=True)
    return run.stdout.splitlines()


def test_the_procfile_has_one_worker_for_all_or_a_worker_beside_the_web(said: Path) -> None:
    called = {name: _run(line, said) for name, line in PROCFILE.items()}
    assert called["live"] == ["migrate_schema.py", "run.py live --force --with-health"]
    assert {name: lines[0] for name, lines in called.items() if name != "live"} == {
        "release": "migrate_schema.py",
        "worker": "run.py live --force",
        "web": "-m health",
    }


def test_the_platform_gives_the_port(said: Path) -> None:
    assert _run(PROCFILE["web"], said, PORT="5123")[1:] == [
        "CAUSEWAY_HEALTH__HOST=0.0.0.0",
        "CAUSEWAY_HEALTH__PORT=5123",
    ]
    assert "CAUSEWAY_HEALTH__PORT=8080" in _run(PROCFILE["web"], said)


def test_what_the_procfile_sets_are_settings(said: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, *variables = _run(PROCFILE["web"], said)
    settings = settings_of(dict(line.split("=", 1) for line in variables), monkeypatch)
    assert settings.runtime.http_port == 0, "several workers may share one machine"


def test_strategys_slot_in_compose_is_the_containers_name(said: Path) -> None:
    shell, flag, line = COMPOSE["services"]["strategy"]["command"]
    assert (shell, flag) == ("sh", "-c")
    host = subprocess.run(["hostname"], capture_output=True, text=True, check=True).stdout.strip()
    assert f"CAUSEWAY_RUNTIME__SLOT={host}" in _run(line, said)


@pytest.mark.parametrize(
    "script", ["deploy/new-env.sh", "deploy/redis/start.sh", "deploy/redis/render-acl.sh", ".ci/run"]
)
def test_scripts_parse_and_may_be_run(script: str) -> None:
    path = ROOT / script
    shell = "bash" if script == ".ci/run" else "sh"
    assert subprocess.run([shell, "-n", str(path)], check=False).returncode == 0
    assert os.access(path, os.X_OK)
