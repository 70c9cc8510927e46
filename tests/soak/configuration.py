"""The live run's settings: a strategy that finds much to do, and times stretched to the venue's clock."""

from __future__ import annotations

from typing import Any

LOOSE: dict[str, Any] = {
    "entry_timeframe": "5m",
    "decision_timeframe": "5m",
    "bias_timeframe": "15m",
    "internal_length": 2,
    "swing_length": 4,
    "bias_internal_length": 2,
    "bias_swing_length": 4,
    "bias_step": "scored",
    "sweep_step": "off",
    "discount_step": "off",
    "ote_step": "off",
    "displacement_step": "off",
    "volume_step": "off",
    "min_score": 0.0,
    "stop_beyond": "zone",
    "min_room_r": 0.0,
    "min_stop_atr": 0.7,
    "max_stop_atr": 6.0,
    "first_target_r": 0.8,
    "second_target_r": 1.4,
    "max_entry_atr": 2.0,
    "expiry_bars": 6,
}
"""Every break of structure with a zone is a signal: a simulated day has some fifty."""

KEEP_EVENTS = 1000
"""Entries of a stream that are kept, so that a short run, too, sees the bus's memory level off."""
STOP_DEADLINE_S = 15


def live_configuration(rate: float, port: int) -> dict[str, dict[str, Any]]:
    """Sections of the settings file.

    Args:
        rate: the venue's seconds in one of ours. What is counted in the venue's time is multiplied with it,
            so that it is as long for us as the defaults are at a real venue.
        port: of health.
    """

    def stretched(seconds: float) -> int:
        return round(seconds * 1000 * rate)

    return {
        "strategy": LOOSE,
        "risk": {
            "unprotected_s": round(60 * rate),
            "data_age_s": round(60 * rate),
            "reward_to_risk": "0.2",
            "loss_streak": 1000,
            "daily_loss_pct": 40,
            "drawdown_pct": 80,
            "risk_per_trade_pct": "0.3",
        },
        "execution": {
            "answer_ms": stretched(5),
            "not_found_grace_ms": stretched(5),
            "stop_deadline_ms": stretched(STOP_DEADLINE_S),
            "mismatch_grace_ms": stretched(10),
        },
        "venue": {
            "clock_rate": rate,
            "poll_s": 1.0,
            "lag_ms": stretched(2),
            "entry_patience_ms": stretched(15),
        },
        "market_data": {"mark_s": 1.0, "gap_ms": stretched(60)},
        "bus": {"keep_events": KEEP_EVENTS},
        "health": {"port": port},
    }
