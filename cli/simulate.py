"""`run.py simulate-venue`: a venue on this machine, with no money and no network."""

from __future__ import annotations

from pathlib import Path

from bus_schemas.errors import ConfigurationError


def simulate(
    data: Path | None,
    port: int = 0,
    pace: str = "realtime",
    faults: Path | None = None,
    json: bool = False,
    symbols: str | None = None,
    start: str | None = None,
    at_end: str = "stop",
    cash: str = "10000",
    host: str = "127.0.0.1",
) -> None:
    """Serve the simulated venue until Ctrl-C or SIGTERM.

    Args:
        data: folder of candle files; None for prices by hand through the control API.
        port: 0 takes a free one.
        pace: `realtime` or `x60`: the venue's time runs as fast.
        faults: fault plan, TOML or JSON.
        json: the first line of standard output is one JSON object with URLs, keys, symbols, pace.
        symbols: with commas; default all in the folder.
        start: moment of the data at which the venue begins; default thirty days from the end.
        at_end: `stop` or `loop`: prices stand still at the end of the data, or begin again.
        cash: what each demo account begins with.
        host: address to listen on.

    Raises:
        ConfigurationError: an option, the folder or the fault plan is wrong.
        DataError: a candle file is.
    """
    raise ConfigurationError("the simulated venue is not served yet")
