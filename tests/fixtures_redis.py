"""Where the tests' Redis comes from: `CAUSEWAY_TEST_REDIS`, else a container, else the embedded server.

Every test has a namespace of its own. A test that kills or reconfigures the server uses `embedded`.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer

IMAGE = "valkey/valkey:8-alpine"
_SOCKET = Path("/var/run/docker.sock")


def docker_answers() -> bool:
    """Whether a Docker engine can be reached; quick where there is none."""
    if "DOCKER_HOST" not in os.environ and not _SOCKET.exists():
        return False
    import docker

    try:
        return bool(docker.from_env(timeout=3).ping())
    except (docker.errors.DockerException, OSError):
        return False


def _source() -> str:
    if os.environ.get("CAUSEWAY_TEST_REDIS"):
        return "CAUSEWAY_TEST_REDIS"
    return f"container {IMAGE}" if docker_answers() else "embedded server"


def pytest_configure(config: pytest.Config) -> None:
    config.stash[SOURCE] = _source()


SOURCE: pytest.StashKey[str] = pytest.StashKey()


def pytest_report_header(config: pytest.Config) -> str:
    return f"redis: {config.stash[SOURCE]}"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    if not terminalreporter.showheader:  # with -q there is no header
        terminalreporter.write_line(f"redis: {config.stash[SOURCE]}")


def _container() -> Iterator[str]:
    from testcontainers.core.container import DockerContainer

    with DockerContainer(IMAGE).with_exposed_ports(6379) as container:
        url = f"redis://{container.get_container_host_ip()}:{container.get_exposed_port(6379)}/0"
        deadline = time.monotonic() + 30
        while not _answers(url):
            assert time.monotonic() < deadline, f"{IMAGE} does not answer at {url}"
            time.sleep(0.1)
        yield url


def _answers(url: str) -> bool:
    try:
        with redis.Redis.from_url(url, socket_timeout=1) as client:
            return bool(client.ping())
    except redis.exceptions.RedisError:
        return False


@pytest.fixture(scope="session")
def redis_url(pytestconfig: pytest.Config) -> Iterator[str]:
    """URL of the session's server."""
    source = pytestconfig.stash[SOURCE]
    if source == "CAUSEWAY_TEST_REDIS":
        yield os.environ["CAUSEWAY_TEST_REDIS"]
    elif source.startswith("container"):
        yield from _container()
    else:
        with EmbeddedServer(fsync="everysec") as server:
            yield server.url


@pytest.fixture
def namespace(redis_url: str) -> Iterator[str]:
    """A namespace that nobody else uses, emptied afterwards."""
    name = f"test-{secrets.token_hex(6)}"
    yield name
    forget(redis_url, name)


def forget(url: str, namespace: str) -> None:
    """Delete every key of a namespace."""
    with redis.Redis.from_url(url) as client:
        keys = list(client.scan_iter(match=f"cw:{namespace}:*", count=1000))
        if keys:
            client.delete(*keys)


@pytest.fixture
def embedded() -> Iterator[EmbeddedServer]:
    """A server of the test's own, to be killed, restarted and reconfigured."""
    with EmbeddedServer() as server:
        yield server
