"""Dataverse and NAV as they answer, from SQLite files: real HTTP, no cloud. Knows no runner.

``dataverse`` and ``nav`` make ASGI applications, to be reached in the same process through httpx's
ASGI transport or over loopback with ``serve``.
"""

from runner.sandbox.dataverse import PATH as DATAVERSE_PATH
from runner.sandbox.dataverse import app as dataverse
from runner.sandbox.dataverse_identity import TOKEN
from runner.sandbox.dataverse_manners import (
    APPLICATION,
    CONNECTION_USER,
    SECRET,
    STRANGER,
    DataverseManners,
)
from runner.sandbox.nav import PASSWORD, USER
from runner.sandbox.nav import PATH as NAV_PATH
from runner.sandbox.nav import app as nav
from runner.sandbox.serve import serve

__all__ = [
    "APPLICATION",
    "CONNECTION_USER",
    "DATAVERSE_PATH",
    "NAV_PATH",
    "PASSWORD",
    "SECRET",
    "STRANGER",
    "TOKEN",
    "USER",
    "DataverseManners",
    "dataverse",
    "nav",
    "serve",
]
