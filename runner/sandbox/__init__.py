"""Dataverse, NAV and Business Central as they answer, from SQLite files. Knows no runner.

``dataverse``, ``nav`` and ``business_central`` make ASGI applications: real HTTP, no cloud. They
are reached in the same process through httpx's ASGI transport, or over loopback by
``serve.serve``.
"""

from runner.sandbox.business_central.server import PATH as BUSINESS_CENTRAL_PATH
from runner.sandbox.business_central.server import app as business_central
from runner.sandbox.dataverse.identity import TOKEN
from runner.sandbox.dataverse.manners import (
    APPLICATION,
    CONNECTION_USER,
    SECRET,
    STRANGER,
    DataverseManners,
)
from runner.sandbox.dataverse.server import PATH as DATAVERSE_PATH
from runner.sandbox.dataverse.server import app as dataverse
from runner.sandbox.nav.server import PASSWORD, USER
from runner.sandbox.nav.server import PATH as NAV_PATH
from runner.sandbox.nav.server import app as nav

__all__ = [
    "APPLICATION",
    "BUSINESS_CENTRAL_PATH",
    "CONNECTION_USER",
    "DATAVERSE_PATH",
    "NAV_PATH",
    "PASSWORD",
    "SECRET",
    "STRANGER",
    "TOKEN",
    "USER",
    "DataverseManners",
    "business_central",
    "dataverse",
    "nav",
]
