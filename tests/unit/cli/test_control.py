"""What a person is told of halts, and what the words of a person are called."""

from __future__ import annotations

from typing import Any

import pytest

from bus_schemas.bus.memory_bus import MemoryBus
from bus_schemas.errors import Unreachable
from bus_schemas.events import HaltReason
from bus_schemas.topology import Topology, Unit
from cli import beats, control
from cli.report import holding
from risk.halts import Halt, Halts


def bus_with(halts: Halts) -> MemoryBus:
    bus = MemoryBus(Topology())
    bus.declare()
    bus.memory.unit(Unit("risk", "MAIN")).state.update(
        {key: value for key, value in halts.drain().items() if value is not None}
    )
    return bus


def test_every_halt_of_a_symbol_is_told_until_it_is_released() -> None:
    halts = Halts()
    for symbol, reason, until in (
        ("*", HaltReason.OPERATOR, None),
        ("*", HaltReason.DAILY_LOSS, 9),
        ("SOLUSDT", HaltReason.DEAD_LETTER, None),
    ):
        halts.latch(Halt(symbol=symbol, reason=reason, detail="why", since=1, until=until))
    shown = [(halt.symbol, halt.reason) for halt in holding(bus_with(halts))]
    assert shown == [
        ("*", HaltReason.DAILY_LOSS),
        ("*", HaltReason.OPERATOR),
        ("SOLUSDT", HaltReason.DEAD_LETTER),
    ]
    halts.release(9)
    assert [halt.reason for halt in holding(bus_with(halts))] == [HaltReason.OPERATOR, HaltReason.DEAD_LETTER]


@pytest.mark.parametrize(
    "late", [(), (control.RISK,), (control.EXECUTION,)], ids=["none", "risk", "execution"]
)
@pytest.mark.parametrize(("flatten", "then"), [(False, "stops stay"), (True, "positions are being closed")])
def test_kill_says_what_becomes_of_positions_once_execution_has_it(
    flatten: bool,
    then: str,
    late: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def missing(_observer: Any, _number: int, _deadline: float, readers: tuple[str, ...]) -> list[Unit]:
        return [Unit(reader, "MAIN") for reader in readers if reader in late]

    monkeypatch.setattr(control, "_post", lambda *_: 1)
    monkeypatch.setattr(control, "_missing", missing)
    monkeypatch.setattr(beats, "venue_silent_s", lambda _observer: 40.0 if flatten else 1.0)
    observer: Any = None
    if control.EXECUTION in late:
        with pytest.raises(Unreachable, match=r"manager\.MAIN did not take it"):
            control.kill(observer, "drill", flatten)
        assert capsys.readouterr().out == ""
        return
    control.kill(observer, "drill", flatten)
    said, warned = capsys.readouterr()
    assert then in said
    assert ("stops stay" in said) is not flatten
    assert ("risk has not taken it" in warned) is bool(late)
    assert ("the venue has not answered for 40 s" in warned) is flatten
