"""Rows of the list of incidents that concern live candles and marks, against the simulated venue. More of
them are in `test_live_data.py`; all rows: `tests/unit/execution/test_incidents_live.py`."""

from __future__ import annotations

from bus_schemas.timeframes import MINUTE
from tests.integration.test_live_data import Run, a_venue, both, each_once


@both
def test_live_system_13_candles_that_come_while_history_is_read_are_kept(
    redis_url: str, namespace: str, name: str
) -> None:
    """Seven minutes of the venue pass in each of the slow answers."""
    with a_venue() as venue:
        venue.control.faults({"kind": "slow", "operation": "candles", "delay_s": 0.5, "times": 2})
        with Run(redis_url, namespace, venue, name) as run:
            run.until(lambda: run.live(1))
            first = run.candles()[0].open_time
            run.until(lambda: run.candles()[-1].time >= first + 320 * MINUTE)
            assert sum(venue.control.fired()) == 2
            each_once(run.candles())
            assert not run.gaps()


@both
def test_ft_11725_after_an_outage_the_candles_are_the_venues_and_old_ones_are_history(
    redis_url: str, namespace: str, name: str
) -> None:
    """Beyond the age that data may have, no signal follows; what the venue has is read again."""
    with a_venue(rate=5400.0) as venue, Run(redis_url, namespace, venue, name) as run:
        run.until(lambda: run.live(3))
        away = ("candles", "tickers", "instruments", "time")
        venue.control.faults(
            *({"kind": "maintenance", "operation": each} for each in away), {"kind": "ws_cut"}
        )
        before = run.candles()[-1].time
        run.until(lambda: venue.control.clock() > before + 240 * MINUTE)
        assert sum(venue.control.fired()) >= 3
        assert run.candles()[-1].time < before + 120 * MINUTE, "none is made up"
        venue.control.faults()
        run.until(lambda: run.candles()[-1].time > before + 250 * MINUTE)
        each_once(run.candles())
        assert not run.gaps()
        late = [candle for candle in run.candles() if candle.time < before + 150 * MINUTE]
        assert late[-1].time == before + 149 * MINUTE
        assert all(candle.hydration for candle in late if candle.time > before + 120 * MINUTE)
