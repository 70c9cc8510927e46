"""Who a Kraken Futures request is from: `APIKey`, `Authent`, `Nonce`, and the websocket's challenge.

`Authent` is the base64 of HMAC-SHA512, under the decoded secret, of the SHA-256 of post data, nonce and
path. Post data is the query and the body as they were sent; the path goes without `/derivatives`.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections import deque

from execution.simulator.protocol import Credentials

_REMEMBERED = 1000


def signature(secret: str, message: str) -> str:
    """What a client must send for this message (post data, nonce and path; or a challenge)."""
    digest = hashlib.sha256(message.encode()).digest()
    return base64.b64encode(hmac.new(base64.b64decode(secret), digest, hashlib.sha512).digest()).decode()


class Signatures:
    """Checks requests against one key. Remembers the last nonces; the order of requests that are under
    way at the same time does not matter."""

    def __init__(self, account: Credentials) -> None:
        self._account = account
        self._nonces: deque[int] = deque(maxlen=_REMEMBERED)

    def refusal(self, key: str, authent: str, nonce: str, data: str, path: str) -> str:
        """The venue's word for what is wrong; empty for nothing."""
        endpoint = path.removeprefix("/derivatives")
        right = signature(self._account.secret, data + nonce + endpoint)
        if key != self._account.key or not hmac.compare_digest(right, authent):
            return "authenticationError"
        return self._nonce(nonce) if nonce else ""

    def challenged(self, key: object, challenge: str, signed: object) -> bool:
        """Whether the websocket's challenge was signed right."""
        right = signature(self._account.secret, challenge)
        return key == self._account.key and hmac.compare_digest(right, str(signed))

    def _nonce(self, nonce: str) -> str:
        if not nonce.isdigit():
            return "invalidArgument: nonce"
        number = int(nonce)
        if number in self._nonces:
            return "nonceDuplicate"
        if len(self._nonces) == _REMEMBERED and number < min(self._nonces):
            return "nonceBelowThreshold"
        self._nonces.append(number)
        return ""
