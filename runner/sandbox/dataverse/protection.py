"""Service protection: three limits of one user, and what comes of disregarding them (A13)."""

from __future__ import annotations

import math
from collections import Counter, defaultdict, deque
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

from runner.sandbox.answers import Refusal

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from runner.sandbox.dataverse.manners import Limits

_LONGEST = 8
"""How often a wait doubles."""


@dataclass(slots=True)
class _Account:
    """What one user did lately: when, and whether that was a request or only a part of one."""

    acts: deque[tuple[datetime, bool]] = field(default_factory=deque)
    requests: int = 0
    until: datetime | None = None
    refusals: int = 0
    reason: str = ""


@dataclass(slots=True)
class Gate:
    """What one web server remembers; it forgets when it is started anew."""

    limits: Limits
    accounts: defaultdict[str, _Account] = field(default_factory=lambda: defaultdict(_Account))
    inside: Counter[str] = field(default_factory=Counter)

    @contextmanager
    def entered(self, token: str) -> Iterator[None]:
        """Count a request while it is under way; ``token`` is what it came with."""
        self.inside[token] += 1
        try:
            yield
        finally:
            self.inside[token] -= 1

    def admit(self, user: str, token: str, now: datetime, *, request: bool = True) -> None:
        """Let a request in, or a part of a batch. Raises ``Refusal``, with 429."""
        account, limits = self.accounts[user], self.limits
        since = now - timedelta(seconds=limits.window)
        while account.acts and account.acts[0][0] <= since:
            account.requests -= account.acts.popleft()[1]
        reason = self._reason(account, token, now)
        if not reason:
            account.acts.append((now, request))
            account.requests += request
            account.refusals, account.until = 0, None
            return
        wait = limits.wait * 2 ** min(account.refusals, _LONGEST)
        freed = account.acts[0][0] - since if account.acts else timedelta()
        if reason != _CONCURRENT:
            wait = max(wait, math.ceil(freed.total_seconds()))
        wait = min(wait, max(limits.window, limits.wait))
        account.refusals += 1
        account.until, account.reason = now + timedelta(seconds=wait), reason
        words = _WORDS[reason].format(limits=limits)
        raise Refusal(429, reason, words, Retry_After=str(wait))

    def headers(self, user: str) -> Mapping[str, str]:
        """Say what is left; only for debugging, as Microsoft says."""
        account, limits = self.accounts[user], self.limits
        seconds = (limits.milliseconds - len(account.acts) * limits.cost) / 1_000
        return {
            "x-ms-ratelimit-burst-remaining-xrm-requests": str(limits.requests - account.requests),
            "x-ms-ratelimit-time-remaining-xrm-requests": f"{seconds:,.2f}",
        }

    def _reason(self, account: _Account, token: str, now: datetime) -> str:
        limits = self.limits
        if account.until is not None and now < account.until:
            return account.reason
        if account.requests >= limits.requests:
            return _REQUESTS
        if (len(account.acts) + 1) * limits.cost > limits.milliseconds:
            return _TIME
        return _CONCURRENT if self.inside[token] > limits.concurrent else ""


_REQUESTS, _TIME, _CONCURRENT = "0x80072322", "0x80072321", "0x80072326"
_WORDS = {
    _REQUESTS: "Number of requests exceeded the limit of {limits.requests} over time window of "
    "{limits.window} seconds.",
    _TIME: "Combined execution time of incoming requests exceeded limit of {limits.milliseconds} "
    "milliseconds over time window of {limits.window} seconds. Decrease number of concurrent "
    "requests or reduce the duration of requests and try again later.",
    _CONCURRENT: "Number of concurrent requests exceeded the limit of {limits.concurrent}.",
}
