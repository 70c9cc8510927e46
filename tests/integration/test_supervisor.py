"""The supervisor keeps services alive, gives up on those it cannot, and leaves none behind."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.errors import EXIT_BAD_DATA, EXIT_KEEPS_DYING, EXIT_POISONED, EXIT_USAGE
from bus_schemas.names import Names
from bus_schemas.settings import child_environment
from bus_schemas.topology import SERVICES, Topology, Unit
from cli import supervisor
from cli.supervisor import KeepsDying, Supervisor
from tests.support.shell import World, config, eventually, short_data

PUPPET = "tests.support.puppet"
TOPOLOGY = Topology(partitions=2)
NS = "kept"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    own = World()
    yield own
    own.close()


@pytest.fixture
def said() -> list[str]:
    return []


Make = Callable[..., Supervisor]


@pytest.fixture
def make(tmp_path: Path, said: list[str]) -> Iterator[Make]:
    """Supervisors that are stopped in the end."""
    made: list[Supervisor] = []

    def a_supervisor(
        *services: str, bus: RedisBus | None = None, spare: bool = False, **more: str
    ) -> Supervisor:
        environment = child_environment(os.environ) | more
        made.append(Supervisor(services, environment, tmp_path, bus, said.append, spare))
        return made[-1]

    yield a_supervisor
    for one in made:
        one.stop(2)


def check_until(one: Supervisor, so: Callable[[], object], within_s: float = 20) -> None:
    def look() -> object:
        one.check()
        return so()

    eventually(look, within_s)


def gives_up(one: Supervisor, within_s: float = 20) -> KeepsDying:
    with pytest.raises(KeepsDying) as caught:
        check_until(one, lambda: False, within_s)
    return caught.value


def title(pid: int) -> str:
    return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode().strip()


def test_a_dead_service_is_replaced_by_the_warm_spare(
    world: World, make: Make, said: list[str], embedded: EmbeddedServer
) -> None:
    bus = RedisBus(Link(embedded.url, 5), NS, TOPOLOGY, 60_000)
    more = {
        "CAUSEWAY_BUS__URL": embedded.url,
        "CAUSEWAY_BUS__NAMESPACE": NS,
        "CAUSEWAY_BUS__PARTITIONS": "2",
        "CAUSEWAY_BUS__LEASE_MS": "60000",  # so that only the supervisor can have freed them
    }
    one = make("risk", bus=bus, spare=True, **more)
    one.start()
    lease = Names(NS).lease(Unit("risk", "MAIN"))
    fence = eventually(lambda: bus._client.execute_command("HGET", lease, "fence"))
    (slot,) = one.slots
    spare = one._spare
    assert slot.process is not None
    assert spare is not None
    eventually(lambda: title(spare.pid).endswith("-m cli.spare (warm)"))
    old = slot.process

    began = time.monotonic()
    old.kill()
    old.wait()
    check_until(one, lambda: bus._client.execute_command("HGET", lease, "fence") not in (None, fence), 5)
    took = time.monotonic() - began

    assert slot.process is spare
    assert title(spare.pid).endswith("-m risk")
    assert took < 1.5, f"{took:.2f} s with a warm spare"
    assert said == ["risk died (by SIGKILL); restart now"]
    assert one._spare is not None
    assert one._spare is not spare
    assert (slot.restarts, slot.failures) == (1, 1)


def test_leases_of_a_dead_service_are_freed_when_it_is_reaped(make: Make, embedded: EmbeddedServer) -> None:
    bus = RedisBus(Link(embedded.url, 5), NS, TOPOLOGY, 60_000)
    one = make(PUPPET, bus=bus, PUPPET="stay")
    freed: list[tuple[str, str]] = []
    bus.release_slot = lambda service, _host, slot: freed.append((service, slot)) or 0  # type: ignore[assignment,func-returns-value,method-assign]
    one.start()
    process = one.slots[0].process
    assert process is not None
    one.check()
    assert freed == []
    process.kill()
    check_until(one, lambda: freed)
    assert freed == [(PUPPET, "0")]


def test_a_server_that_is_away_does_not_keep_a_service_from_its_restart(make: Make, tmp_path: Path) -> None:
    bus = RedisBus(Link(f"unix://{tmp_path}/nobody", 1), NS, TOPOLOGY, 1000)
    one = make(PUPPET, bus=bus, PUPPET="stay")
    one.start()
    process = one.slots[0].process
    assert process is not None
    process.kill()
    check_until(one, lambda: one.slots[0].restarts == 1 and one.slots[0].process)


def test_one_that_keeps_dying_is_given_up_with_its_last_words(
    make: Make, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0, 0.05))
    error = gives_up(make_and_start(make, "exit 1 it hurts"))
    assert error.exit_code == EXIT_KEEPS_DYING
    assert str(error).startswith(f"{PUPPET} died 3 times in a row (exit code 1). Its last words: it hurts\n")
    assert said == [
        f"{PUPPET} died (exit code 1); restart now",
        f"{PUPPET} died (exit code 1); restart in 0.05 s",
    ]


def make_and_start(make: Make, what: str) -> Supervisor:
    one = make(PUPPET, PUPPET=what)
    one.start()
    return one


def test_leaving_by_itself_every_few_seconds_counts_as_dying_too(
    make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0, 0.0))
    monkeypatch.setattr(supervisor, "HEALTHY_S", 0.0)
    assert gives_up(make_and_start(make, "exit 6 no database")).exit_code == EXIT_KEEPS_DYING


def test_being_killed_now_and_then_does_not(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supervisor, "BACKOFF_S", (0.0,))
    monkeypatch.setattr(supervisor, "HEALTHY_S", 0.0)
    one = make_and_start(make, "stay")
    for restarts in (1, 2, 3):
        process = one.slots[0].process
        assert process is not None
        process.kill()
        check_until(one, lambda n=restarts: one.slots[0].restarts == n and one.slots[0].process)  # type: ignore[misc]


@pytest.mark.parametrize("code", [EXIT_USAGE, EXIT_BAD_DATA, EXIT_POISONED])
def test_what_a_restart_does_not_mend_is_not_restarted(make: Make, said: list[str], code: int) -> None:
    error = gives_up(make_and_start(make, f"exit {code} error: BTC.csv:3: high is below low"))
    assert error.exit_code == code
    assert str(error) == f"{PUPPET} stopped: BTC.csv:3: high is below low"
    assert said == []


def test_what_was_mended_is_restarted(make: Make, said: list[str]) -> None:
    asked: list[tuple[str, str]] = []
    one = make(PUPPET, PUPPET=f"exit {EXIT_USAGE} error: cannot listen on :1")

    def mend(service: str, words: str) -> bool:
        asked.append((service, words))
        return len(asked) < 3

    one._mend = mend
    one.start()
    assert gives_up(one).exit_code == EXIT_USAGE
    assert asked == [(PUPPET, "cannot listen on :1")] * 3
    assert said[0] == f"{PUPPET} died (exit code 2); restart now"


def test_last_words_are_those_of_the_last_life_in_plain_words(make: Make, tmp_path: Path) -> None:
    one = make(PUPPET, PUPPET="stay")
    (slot,) = one.slots
    slot.log.write_text("error: long ago\n")
    slot.said = slot.log.stat().st_size
    assert one.last_words(slot) == "none"
    with slot.log.open("a") as log:
        log.write('{"message":"reload","reason":"it is gone","level":"warning"}\n')
    assert one.last_words(slot) == "reload: it is gone"
    with slot.log.open("a") as log:
        log.write("error: the configuration is wrong:\n  - bus.url: bad\n")
    assert one.last_words(slot) == "the configuration is wrong:\n  - bus.url: bad"


def test_replicas_have_slots_of_their_own(make: Make) -> None:
    one = make("risk", "strategy", "strategy")
    assert [str(slot) for slot in one.slots] == ["risk", "strategy", "strategy/1"]
    assert len({slot.log for slot in one.slots}) == 3


def test_stop_has_one_budget_also_for_the_frozen_and_the_stubborn(make: Make) -> None:
    one = make(PUPPET, PUPPET, PUPPET="stubborn")
    one.start()
    processes = [slot.process for slot in one.slots if slot.process]
    eventually(lambda: all(slot.log.read_text() == "stubborn\n" for slot in one.slots))
    processes[0].send_signal(signal.SIGSTOP)
    began = time.monotonic()
    one.stop(0.5)
    assert time.monotonic() - began < 2
    assert [process.returncode for process in processes] == [-signal.SIGKILL] * 2


# --- the whole of run.py


@pytest.mark.parametrize(
    ("number", "code"),
    [(signal.SIGINT, 130), (signal.SIGTERM, 130), (signal.SIGKILL, -9)],
    ids=lambda n: str(n),
)
def test_no_process_outlives_run_py(world: World, number: int, code: int) -> None:
    data = world.path / "data"
    if not data.exists():
        short_data(data)
    settings = config(world.path / "run.json", market_data={"data": str(data)})
    run = world.start("paper", "--config", settings, "--pace", "realtime", "--replicas", "2")

    def all_there() -> bool:
        assert run.process.poll() is None, run.said
        titles = " ".join(world.processes().values())
        return all(f"-m {service}" in titles for service in SERVICES) and "cli.spare" in titles

    eventually(all_there, what="the start of every process")
    assert len(world.processes()) == 9  # run.py, server, six services, spare
    assert len(world.notes()) == 1
    assert run.end(number) == code
    eventually(lambda: not world.processes(), 15, "the end of every process")
    assert "Traceback" not in run.said
    if number != signal.SIGKILL:
        assert f"stopped by {signal.Signals(number).name}" in run.stderr
        assert world.notes() == []
        assert world.folders() == []


def test_the_note_of_a_run_that_was_killed_misleads_nobody() -> None:
    own = World()
    try:
        gone = subprocess.Popen(["true"])
        gone.wait()
        folder = own.path / f"causeway-runs-{os.getuid()}"
        folder.mkdir(mode=0o700)
        (folder / "paper-1.json").write_text(f'{{"pid":{gone.pid},"url":"unix:///x","namespace":"paper"}}')
        (folder / "paper-2.json").write_text('{"of": "another release"}')
        found = own.run("status")
        assert found.returncode == 2
        assert found.stderr == "error: no run of yours is going on here; name its server with --redis URL\n"
        assert own.notes() == []
    finally:
        own.close()
