"""Every kind of broken file, option and server: a clear sentence, the right exit code, no traceback."""

from __future__ import annotations

import gzip
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from bus_schemas.bus.embedded import EmbeddedServer
from bus_schemas.bus.redis_bus import RedisBus
from bus_schemas.bus.redis_link import Link
from bus_schemas.topology import Topology
from tests.support.shell import FIRST, TRADED, World, config, invoke, short_data

T = f"{FIRST}T00:15:00Z"


@pytest.fixture(scope="module")
def good(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sound candles of one symbol, and settings for so few of them."""
    folder = short_data(tmp_path_factory.mktemp("good"), {"BTCUSDT": "BTCUSDT"})
    config(folder / "run.json")
    return folder


@pytest.fixture
def data(good: Path, tmp_path: Path) -> Path:
    """A copy to break."""
    folder = tmp_path / "data"
    shutil.copytree(good, folder)
    return folder


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Runs make their folders here; whatever fails, none is left."""
    own = tmp_path / "runs"
    own.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(own))
    yield own
    assert list(own.glob("causeway-*/*")) == []


def paper(data: Path, *more: object) -> tuple[int, str, str]:
    return invoke("paper", "--config", data / "run.json", "--data", data, "--trade-from", TRADED, *more)


def candles(data: Path) -> Path:
    return data / "BTCUSDT-15m.csv"


def edit(data: Path, change: Callable[[list[str]], None]) -> None:
    """Change the lines of the candle file; line 1 of the file is the first."""
    lines = candles(data).read_text().splitlines()
    change(lines)
    candles(data).write_text("\n".join(lines) + "\n")


def row(text: str) -> Callable[[Path], None]:
    """Line 3 becomes this."""
    return lambda data: edit(data, lambda lines: lines.__setitem__(2, text))


def rename(name: str) -> Callable[[Path], None]:
    return lambda data: candles(data).rename(data / name) and None


def cut_off(data: Path) -> None:
    packed = gzip.compress(candles(data).read_bytes())
    candles(data).unlink()
    (data / "BTCUSDT-15m.csv.gz").write_bytes(packed[: len(packed) // 2])


def not_gzip(data: Path) -> None:
    candles(data).rename(data / "BTCUSDT-15m.csv.gz")


def not_parquet(data: Path) -> None:
    candles(data).rename(data / "BTCUSDT-15m.parquet")


FILES: dict[str, tuple[Callable[[Path], object], int, str]] = {
    "folder is missing": (
        shutil.rmtree,
        2,
        "the data folder {data} cannot be read: No such file or directory",
    ),
    "no symbol": (rename("notes.txt"), 2, "the data folder {data} holds no candles: files are named"),
    "other timeframe": (rename("BTCUSDT-1h.csv"), 2, "{data} has no 15m candles; it has BTCUSDT 1h"),
    "broken row": (row(f"{T},1,2"), 3, "{file}:3: 3 columns where there should be 6"),
    "text for a number": (row(f"{T},1,two,1,1,1"), 3, "{file}:3: high is 'two', not a finite number"),
    "NaN": (row(f"{T},1,2,1,NaN,1"), 3, "{file}:3: close is 'NaN', not a finite number"),
    "high below low": (row(f"{T},1,1,2,1,1"), 3, "{file}:3: high 1 is below low 2"),
    "price of zero": (row(f"{T},1,1,0,1,1"), 3, "{file}:3: low is 0, not a price: it must be above zero"),
    "unaligned": (
        row(f"{FIRST}T00:20:00Z,1,1,1,1,1"),
        3,
        "{file}:3: 2024-09-10T00:20:00Z is not the open time",
    ),
    "no time": (row("soon,1,1,1,1,1"), 3, "{file}:3: time is 'soon'"),
    "wrong header": (
        lambda data: edit(data, lambda lines: lines.pop(0)),
        3,
        "{file}:1: the first line must be time,",
    ),
    "empty": (lambda data: candles(data).write_text(""), 3, "{file}:1: the file is empty"),
    "no rows": (
        lambda data: edit(data, lambda lines: lines.__delitem__(slice(1, None))),
        3,
        "{file}:1: there are no rows below the header",
    ),
    "bytes that are no text": (
        lambda data: candles(data).write_bytes(b"\xff\xfe\x00"),
        3,
        "{file}:1: the first line",
    ),
    "truncated gzip": (cut_off, 3, "BTCUSDT-15m.csv.gz:"),
    "gzip that is none": (not_gzip, 3, "BTCUSDT-15m.csv.gz:1: cannot be read: Not a gzipped file"),
    "parquet that is none": (not_parquet, 3, "BTCUSDT-15m.parquet"),
    "rows that contradict each other": (
        lambda data: edit(data, lambda lines: lines.insert(3, lines[2].replace(",", ",1", 1))),
        3,
        "{file}:4: ",
    ),
    "a folder in place of the file": (
        lambda data: (candles(data).unlink(), candles(data).mkdir()),
        2,
        "the data folder {data} holds no candles",
    ),
}


@pytest.mark.parametrize(("breaks", "code", "sentence"), FILES.values(), ids=FILES)
def test_a_broken_file(
    data: Path, tmp_path: Path, breaks: Callable[[Path], object], code: int, sentence: str
) -> None:
    settings = tmp_path / "run.json"
    shutil.copy(data / "run.json", settings)
    breaks(data)
    arguments = ("--config", settings, "--data", data, "--trade-from", TRADED, "--in-process")
    found, out, err = invoke("paper", *arguments)
    assert found == code, err
    assert err.startswith("error: ")
    assert sentence.format(data=data, file=candles(data)) in err
    assert "Traceback" not in err
    assert out == ""


def test_every_broken_row_is_told_at_once(data: Path) -> None:
    row(f"{T},1,1,2,1,1")(data)
    edit(data, lambda lines: lines.__setitem__(9, "nonsense"))
    code, _, err = paper(data)
    assert code == 3
    assert [f"{candles(data)}:{n}: " in err for n in (3, 10)] == [True, True]


def test_a_gap_is_no_fault(data: Path) -> None:
    edit(data, lambda lines: lines.__delitem__(slice(100, 104)))
    code, out, _ = paper(data, "--in-process")
    assert code == 0
    assert [line.split()[3] for line in out.splitlines() if "gaps" in line] == ["1"]


def test_rows_out_of_order_and_repeated_are_no_fault(data: Path) -> None:
    code, sound, _ = paper(data, "--in-process")
    edit(data, lambda lines: lines.append(lines.pop(50)))
    edit(data, lambda lines: lines.append(lines[60]))
    again, shuffled, _ = paper(data, "--in-process")
    assert (code, again) == (0, 0)
    assert _digest(sound) == _digest(shuffled)


def _digest(out: str) -> str:
    return next(line for line in out.splitlines() if "digest" in line)


def test_a_process_for_each_service_starts_only_over_sound_files(data: Path, own_folder: Path) -> None:
    row(f"{T},1,1,2,1,1")(data)
    code, _, err = paper(data)
    assert code == 3
    assert f"error: {candles(data)}:3: high 1 is below low 2" in err
    assert list(own_folder.iterdir()) in ([], [own_folder / f"causeway-runs-{os.getuid()}"])


def test_as_a_user_sees_it(data: Path) -> None:
    """The same through a real process: what reaches the terminal is the sentence and nothing else."""
    row(f"{T},1,1,2,1,1")(data)
    world = World()
    try:
        found = world.run("paper", "--config", data / "run.json", "--data", data, "--trade-from", TRADED)
        assert found.returncode == 3
        assert found.stderr == f"error: {candles(data)}:3: high 1 is below low 2\n"
        assert found.stdout == ""
        assert world.folders() == []
        assert world.processes() == {}
    finally:
        world.close()


# --- options and servers

OPTIONS: dict[str, tuple[tuple[object, ...], int, str]] = {
    "two timeframes": (("--timeframes", "15m,1h"), 2, "--timeframes takes ENTRY,DECISION,BIAS"),
    "unknown timeframe": (("--timeframes", "7m,1h,4h"), 2, "unknown timeframe 7m; known are 1m,"),
    "pace": (("--pace", "x0"), 2, "market_data.pace: must be lockstep, realtime, or x60"),
    "time": (("--from", "yesterday"), 2, "market_data.start: 'yesterday' is not a time such as 2024-08-25"),
    "times in no order": (("--from", "2024-09-12", "--to", "2024-09-11"), 2, "must come before"),
    "nothing to trade": (
        ("--trade-from", "2024-09-13"),
        2,
        "there is nothing to trade: the last candle closes",
    ),
    "symbol that is not there": (
        ("--symbols", "DOGEUSDT"),
        2,
        "has no 15m candles of DOGEUSDT; it has BTCUSDT",
    ),
    "symbol that is none": (("--symbols", "BTC/USDT"), 2, "must be capital letters and digits"),
    "namespace": (("--namespace", "a b"), 2, "bus.namespace: must be 1 to 64 letters, digits, - and _"),
    "no URL": (("--redis", "localhost"), 2, "bus.url: Redis URL must specify"),
    "nobody listens": (("--redis", "redis://127.0.0.1:1/0"), 6, "the server cannot be used: "),
    "no such host": (("--redis", "redis://u:hunter2@nowhere.invalid/0"), 6, "the server cannot be used: "),
    "no socket": (("--redis", "unix:///nowhere/bus.sock"), 6, "the server cannot be used: "),
    "in process with a server": (("--in-process", "--redis", "redis://x"), 2, "leave --redis out"),
    "in process at a pace": (("--in-process", "--pace", "x60"), 2, "--in-process runs in lockstep"),
    "replicas": (("--replicas", "0"), 2, "Invalid value for '--replicas'"),
    "unknown option": (("--nonsense",), 2, "No such option: --nonsense"),
}


@pytest.mark.parametrize(("options", "code", "sentence"), OPTIONS.values(), ids=OPTIONS)
def test_a_broken_option(good: Path, options: tuple[object, ...], code: int, sentence: str) -> None:
    found, out, err = paper(good, *options)
    assert found == code, err
    assert sentence in err
    assert "hunter2" not in out + err
    assert "Traceback" not in out + err


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    with EmbeddedServer(fsync="everysec") as embedded:
        with redis.Redis.from_url(embedded.url) as client:
            client.execute_command(
                "ACL", "SETUSER", "reader", "on", ">sesame", "~*", "+@read", "+info", "+ping"
            )
            client.execute_command("ACL", "SETUSER", "keyless", "on", ">sesame", "~other:*", "+@all")
        yield embedded


def test_a_wrong_password(good: Path, server: EmbeddedServer) -> None:
    url = f"unix://reader:hunter2@{server.socket}"
    for command in (("status",), ("kill", "--reason", "x"), ("doctor",)):
        code, out, err = invoke(*command, "--redis", url)
        assert (code, "does not let us in" in out + err) == (1 if command == ("doctor",) else 6, True)
        assert "hunter2" not in out + err
    code, _, err = paper(good, "--redis", url)
    assert (code, "the server does not let us in" in err, "hunter2" in err) == (6, True, False)


@pytest.mark.parametrize(
    ("user", "sentence"),
    [
        ("reader", "the namespace 'acl' does not exist, and this user may not create it"),
        ("keyless", "the server's user may not do what is needed: No permissions to access a key"),
    ],
)
def test_a_user_who_may_not(good: Path, server: EmbeddedServer, user: str, sentence: str) -> None:
    code, out, err = paper(good, "--redis", f"unix://{user}:sesame@{server.socket}", "--namespace", "acl")
    assert code == 6
    assert sentence in err
    assert "Traceback" not in out + err
    assert "sesame" not in out + err


def test_a_namespace_of_another_shape(good: Path, server: EmbeddedServer) -> None:
    RedisBus(Link(server.url, 5), "taken", Topology(partitions=3, lockstep=True), 5000).declare()
    code, _, err = paper(good, "--redis", server.url, "--namespace", "taken")
    assert code == 2
    assert "the namespace 'taken' was created with another topology: partitions: 3 there, 8 here" in err
    assert err.count("\n") <= 2


def test_status_of_a_namespace_that_is_not_there(server: EmbeddedServer) -> None:
    code, _, err = invoke("status", "--redis", server.url, "--namespace", "nowhere")
    assert (code, err) == (6, "error: there is no namespace 'nowhere' on this server\n")
