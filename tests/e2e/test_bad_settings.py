"""Every kind of broken configuration: all faults at once, in words, with the right code."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.shell import invoke

CONFIGURATIONS = {
    "no TOML": ("[bus", "Expected ']'"),
    "no file": (None, "No such file or directory"),
    "no text": (b"\xff\xfe", "it is not UTF-8 text"),
    "unknown section": ("[nowhere]\nx = 1", "nowhere: no such setting"),
    "unknown key": ("[risk]\nleverag = 3", "risk.leverag: no such setting"),
    "a value in place of a section": ("risk = 3", "risk: must be a table of settings"),
    "wrong type": ("[bus]\nbatch = 'many'", "bus.batch: "),
    "not finite": ("[risk]\ndaily_loss_pct = nan", "risk.daily_loss_pct: "),
    "contradicting limits": (
        "[risk]\ndaily_loss_pct = 20\ntotal_margin_halt_pct = 80",
        "the limits contradict each other: total_margin_halt_pct (80) must be above total_margin_pct (90)",
    ),
    "instrument without a tick": ("[instruments]\nXUSDT = {step = 1}", "instrument XUSDT: "),
    "timeframes that do not nest": (
        "[strategy]\nbias_timeframe = '30m'",
        "each a multiple of the one before",
    ),
}


@pytest.mark.parametrize(("text", "sentence"), CONFIGURATIONS.values(), ids=CONFIGURATIONS)
def test_a_broken_configuration(tmp_path: Path, text: str | bytes | None, sentence: str) -> None:
    path = tmp_path / "own.toml"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    for command in ("paper", "status", "doctor"):
        code, out, err = invoke(command, "--config", path)
        said = out + err
        assert code == (1 if command == "doctor" else 2), said
        assert "the configuration is wrong:" in said
        assert sentence in said
        assert "Traceback" not in said


def test_all_faults_of_all_sources_at_once(tmp_path: Path) -> None:
    path = tmp_path / "own.toml"
    path.write_text("[bus]\nbatch = 0\n[risk]\ndaily_loss_pct = 20\n[strategy]\nfirst_target_r = 9\n")
    code, _, err = invoke(
        *("paper", "--config", path, "--pace", "fast", "--from", "soon", "--symbols", "btc/usdt"),
        env={"CAUSEWAY_RUNTIME__SLOTH": "1", "CAUSEWAY_HEALTH__PORT": "99999"},
    )
    assert code == 2
    assert [line.removeprefix("  - ").split(":")[0] for line in err.splitlines()[1:]] == [
        "CAUSEWAY_RUNTIME__SLOTH",
        "bus.batch",
        "market_data.symbols.0",
        "market_data.start",
        "market_data.pace",
        "strategy",
        "risk",
        "health.port",
    ]
