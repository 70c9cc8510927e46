"""Who lives in a namespace, by the heartbeats there."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Sequence

from bus_schemas.bus.port import Observer
from bus_schemas.codec import decode
from bus_schemas.errors import CodecError
from bus_schemas.events import Heartbeat
from bus_schemas.topology import Place, Stream

LOOK_BACK = 500
"""Heartbeats to look at: more than a few seconds of a large fleet."""
SILENT_S = 5.0
"""A replica without a heartbeat for so long is silent."""


def newest(observer: Observer) -> list[Heartbeat]:
    """The newest heartbeat of each replica, by service, host and slot."""
    place = Place(Stream.HEARTBEATS, "all")
    beats: dict[tuple[str, str, str], Heartbeat] = {}
    for entry in observer.range(place, max(0, observer.tip(place) - LOOK_BACK), LOOK_BACK):
        try:
            body = decode(*entry).body
        except CodecError:
            continue
        if isinstance(body, Heartbeat):
            beats[(body.service, body.host, body.slot)] = body
    return [beats[key] for key in sorted(beats)]


def silence_s(beat: Heartbeat) -> float:
    """Seconds since this sign of life, by our clock."""
    return time.time() - beat.time / 1000


def alive(observer: Observer) -> list[Heartbeat]:
    """Replicas that work in the namespace right now."""
    return working(newest(observer))


def working(found: Sequence[Heartbeat]) -> list[Heartbeat]:
    """Those of the newest heartbeats whose replicas work right now."""
    return [
        beat
        for beat in found
        if beat.status != "stopping" and silence_s(beat) < SILENT_S and not _dead_here(beat)
    ]


def health_address(observer: Observer) -> str:
    """`host:port` of the health service; empty before it serves."""
    return served(newest(observer))


def venue_silent_s(observer: Observer) -> float | None:
    """Seconds since a live venue's account was seen; None where there is no live venue."""
    found = [
        beat.gauges["venue_silent_s"] + silence_s(beat)
        for beat in alive(observer)
        if "venue_silent_s" in beat.gauges
    ]
    return round(min(found), 1) if found else None


def venue_seen(found: Sequence[Heartbeat]) -> float | None:
    """When a live venue's account was last seen, in seconds since 1970, by the newest heartbeats.

    One that only starts has not seen it yet: it counts its silence from its own beginning.
    """
    times = [
        beat.time / 1000 - beat.gauges["venue_silent_s"]
        for beat in found
        if beat.status == "ready" and "venue_silent_s" in beat.gauges
    ]
    return max(times, default=None)


def served(found: Sequence[Heartbeat]) -> str:
    """`host:port` of the health service among the newest heartbeats; empty where it has gone."""
    serving = (b for b in reversed(found) if b.service == "health" and b.http and b.status != "stopping")
    return next((b.http for b in serving if silence_s(b) < SILENT_S), "")


def process_lives(pid: int) -> bool:
    """Whether there is a process of this number on this machine."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _dead_here(beat: Heartbeat) -> bool:
    return beat.host == socket.gethostname() and not process_lives(beat.pid)
