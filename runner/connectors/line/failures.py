"""Requests without answer: of all the ways they fail, only whether they were sent matters."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import httpx

from runner.connectors.problems import flat

if TYPE_CHECKING:
    from collections.abc import Iterator


class NotSentError(Exception):
    """The request never reached the server. ``hopeless``: nor will it the next time."""

    def __init__(self, reason: str, *, hopeless: bool = False) -> None:
        super().__init__(reason)
        self.hopeless = hopeless


class MaybeSentError(Exception):
    """The request may have reached the server, and no answer came."""


_HOPELESS = (httpx.UnsupportedProtocol, httpx.InvalidURL, httpx.LocalProtocolError, UnicodeError)
_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError)
_MAYBE_SENT = (httpx.HTTPError, httpx.StreamError, httpx.CookieConflict, OSError)


@contextmanager
def translated() -> Iterator[None]:
    """Turn every exception of the HTTP library into one of the two that matter here."""
    try:
        yield
    except _HOPELESS as error:
        # Their texts may repeat a header, and with it the token: only the kind is told.
        raise NotSentError(type(error).__name__, hopeless=True) from None
    except _NOT_SENT as error:
        raise NotSentError(_words(error)) from error
    except _MAYBE_SENT as error:
        raise MaybeSentError(_words(error)) from error


def _words(error: Exception) -> str:
    text = flat(str(error))
    return f"{type(error).__name__}: {text}" if text else type(error).__name__
