"""A subscription that fails at its first word gives its connection back: the pool has only a few."""

from __future__ import annotations

from typing import Any

import pytest
import redis

from bus_schemas.bus.redis_link import Link

OFTEN = 10


def test_failed_subscriptions_do_not_use_up_the_pool(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    link = Link(redis_url, 5.0)
    client = link.client()
    whole: Any = redis.connection.AbstractConnection.send_packed_command

    def cut(self: Any, command: Any, check_health: bool = True) -> None:
        if b"SUBSCRIBE" in command[0]:
            self.disconnect()
            raise redis.exceptions.ConnectionError("cut")
        whole(self, command, check_health)

    monkeypatch.setattr(redis.connection.AbstractConnection, "send_packed_command", cut)
    for _ in range(OFTEN):
        with pytest.raises(redis.exceptions.ConnectionError, match=r"^cut$"):
            client.listen(["a"])
    monkeypatch.undo()
    heard = client.listen(["a"])
    assert heard.next(1.0) is None  # the server's word that we are subscribed
    client.execute_command("PUBLISH", "a", "b")
    assert heard.next(1.0) == b"b"
    heard.close()
    link.close()
