"""The image: what is copied exists, what is installed is locked, and the probe tells the truth."""

from __future__ import annotations

import re
import subprocess
import sys
import threading
import tomllib
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.unit.deploy.deployed import DEPLOY, ROOT, settings_of

DOCKERFILE = (DEPLOY / "Dockerfile").read_text().replace("\\\n", " ")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
_PIN = re.compile(r"^([a-z0-9-]+)==(\S+)", re.MULTILINE)


def _copied() -> list[str]:
    lines = re.findall(r"^COPY (?!--from)(.*)$", DOCKERFILE, re.MULTILINE)
    return [source for line in lines for source in line.split()[:-1]]


def test_what_is_copied_exists_and_is_let_in() -> None:
    let_in = {
        line[1:]
        for line in (DEPLOY / "Dockerfile.dockerignore").read_text().splitlines()
        if line.startswith("!")
    }
    assert set(_copied()) == let_in
    assert all((ROOT / source).exists() for source in _copied())


def test_every_package_and_script_is_copied() -> None:
    setuptools = PROJECT["tool"]["setuptools"]
    packages = {pattern.rstrip("*") for pattern in setuptools["packages"]["find"]["include"]}
    scripts = {f"{module}.py" for module in setuptools["py-modules"]}
    assert packages | scripts <= set(_copied())


def test_it_runs_as_nobody_in_particular_under_an_init() -> None:
    final = DOCKERFILE.rsplit("\nFROM ", 1)[1]
    assert re.search(r"^USER (\d+):\1$", final, re.MULTILINE)
    assert 'ENTRYPOINT ["tini", "--"]' in final
    assert "STOPSIGNAL SIGTERM" in final
    assert re.search(r'^HEALTHCHECK .* CMD \["python", "probe.py"\]$', final, re.MULTILINE)


def test_its_variables_are_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    environment = dict(re.findall(r"\b(CAUSEWAY_\w+)=(\S+)", DOCKERFILE))
    settings = settings_of(environment, monkeypatch)
    exposed = re.findall(r"^EXPOSE (.*)$", DOCKERFILE, re.MULTILINE)[0].split()
    assert {settings.health.port, settings.runtime.http_port} == {int(port) for port in exposed}
    assert settings.health.host == settings.runtime.http_host == "0.0.0.0"


def _pins(text: str) -> dict[str, str]:
    return dict(_PIN.findall(text))


def test_the_images_lock_is_a_part_of_ours() -> None:
    text = (DEPLOY / "requirements.lock").read_text()
    image, whole = _pins(text), _pins((ROOT / "requirements.lock").read_text())
    assert image.items() <= whole.items()
    declared = {re.split(r"[\[=]", entry)[0] for entry in PROJECT["project"]["dependencies"]}
    assert declared <= set(image)
    tools = {re.split(r"[\[=]", entry)[0] for entry in PROJECT["project"]["optional-dependencies"]["dev"]}
    assert not tools & set(image)


@pytest.mark.parametrize("lock", ["requirements.lock", "deploy/requirements.lock"])
def test_a_lock_has_hashes_and_names_no_host_and_no_path(lock: str) -> None:
    text = (ROOT / lock).read_text()
    assert not re.search(r"://|^-|file:| /|index", text, re.MULTILINE)
    entries = re.split(r"^(?=[a-z0-9-]+==)", text, flags=re.MULTILINE)[1:]
    assert len(entries) == len(_pins(text)) > 20
    assert all("--hash=sha256:" in entry for entry in entries)


class _Answer(BaseHTTPRequestHandler):
    status = 200

    def do_GET(self) -> None:
        self.send_response(self.status if self.path == "/healthz" else 404)
        self.end_headers()

    def log_message(self, *args: object) -> None: ...


@pytest.fixture
def served() -> Iterator[tuple[type[_Answer], int]]:
    handler = type("Handler", (_Answer,), {})
    with HTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield handler, server.server_address[1]
        server.shutdown()


def _probe(**ports: int) -> int:
    environment = {f"CAUSEWAY_{name}": str(port) for name, port in ports.items()}
    return subprocess.run(
        [sys.executable, DEPLOY / "probe.py"], env=environment, capture_output=True, check=False
    ).returncode


def test_the_probe_tells_who_lives(served: tuple[type[_Answer], int]) -> None:
    handler, port = served
    with HTTPServer(("127.0.0.1", 0), _Answer) as other:
        free = other.server_address[1]
    assert _probe(RUNTIME__HTTP_PORT=port, HEALTH__PORT=free) == 0
    assert _probe(RUNTIME__HTTP_PORT=free, HEALTH__PORT=port) == 0, "health has no endpoint but its own"
    assert _probe(RUNTIME__HTTP_PORT=free, HEALTH__PORT=free) == 1
    assert _probe() == 1
    handler.status = 503
    assert _probe(RUNTIME__HTTP_PORT=port) == 1
