"""Who asks: tokens and where they come from (protocols A1), acting for somebody else (A14)."""

from __future__ import annotations

import base64
import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

import msgspec

from runner.sandbox.answers import Call, Refusal, answer
from runner.sandbox.dataverse.session import Caller

if TYPE_CHECKING:
    from collections.abc import Mapping

    from starlette.responses import Response

    from runner.sandbox.dataverse.manners import Application, DataverseManners
    from runner.sandbox.store import Store

TOKEN = "sandbox"  # noqa: S105 - what the sandbox lets in, for everybody to read
TOKEN_PATH = "/oauth2/v2.0/token"  # noqa: S105 - a path
_SEAL = b"who asks"
_FORM = "application/x-www-form-urlencoded"


def caller(store: Store, call: Call, now: datetime, manners: DataverseManners) -> Caller:
    """Say in whose name a request acts.

    Raises ``Refusal``: 401 for nobody, 403 for somebody who is no user here or may not act so.
    """
    application = _application(call, now, manners)
    if application.user is None:
        raise Refusal(403, "0x80072560", "The user is not a member of the organization.")
    wanted = _impersonated(store, call)
    own = Caller(application.user, everything=application.everything)
    if wanted is None or wanted == application.user:
        return own
    if not application.delegate:
        raise Refusal(
            403,
            "0x80040220",
            f"Principal user (Id={application.user}) is missing "
            "prvActOnBehalfOfAnotherUser privilege.",
        )
    return Caller(wanted, behalf=application.user, everything=application.everything)


def _application(call: Call, now: datetime, manners: DataverseManners) -> Application:
    kind, _, token = call.headers.get("authorization", "").partition(" ")
    if kind == "Bearer" and token == TOKEN:
        return manners.connection
    told = _opened(token) if kind == "Bearer" else None
    if told is None:
        raise _nobody(call, manners)
    if datetime.fromisoformat(told["until"]) <= now:
        raise _nobody(call, manners, ", error=invalid_token")
    if told["client"] not in manners.applications:
        raise _nobody(call, manners)
    return manners.applications[told["client"]]


def _nobody(call: Call, manners: DataverseManners, more: str = "") -> Refusal:
    host = call.origin
    asked = f"{host}/{manners.tenant}/oauth2/authorize"
    return Refusal(
        401, "", "", WWW_Authenticate=f"Bearer authorization_uri={asked}, resource_id={host}/{more}"
    )


def _impersonated(store: Store, call: Call) -> str | None:
    """Find the user to act as, by Entra object id or by ``systemuserid``."""
    headers = call.headers
    by_object, by_user = headers.get("callerobjectid"), headers.get("mscrmcallerid")
    if not by_object and not by_user:
        return None
    wanted = (by_object or by_user or "").lower()
    column = "azureactivedirectoryobjectid" if by_object else "systemuserid"
    for row in store.rows("systemusers"):
        if str(row.body.get(column) or "").lower() == wanted:
            if row.body.get("isdisabled"):
                raise Refusal(403, "0x80040225", "The specified user is disabled.")
            return row.key
    raise Refusal(403, "0x80072560", "The user is not a member of the organization.")


def issue(call: Call, now: datetime, manners: DataverseManners) -> Response:
    """Answer a request for a token, by the grant ``client_credentials``."""
    tenant = call.path.removesuffix(TOKEN_PATH).strip("/")
    given = dict(parse_qsl(call.body.decode("utf-8", "replace")))
    fault = _fault(call, given, tenant, manners)
    if fault is not None:
        status, error, number, message = fault
        return answer(
            status,
            {
                "error": error,
                "error_description": f"AADSTS{number}: {message}",
                "error_codes": [number],
                "timestamp": now.strftime("%Y-%m-%d %H:%M:%SZ"),
                "trace_id": "00000000-0000-4000-8000-00000000011d",
                "correlation_id": "00000000-0000-4000-8000-0000000c0441",
                "error_uri": f"https://login.microsoftonline.com/error?code={number}",
            },
        )
    until = now + timedelta(seconds=manners.token_seconds)
    told = {"client": given["client_id"], "until": until.isoformat()}
    return answer(
        200,
        {
            "token_type": "Bearer",
            "expires_in": manners.token_seconds,
            "ext_expires_in": manners.token_seconds,
            "access_token": _sealed(told),
        },
    )


def _fault(
    call: Call, given: Mapping[str, str], tenant: str, manners: DataverseManners
) -> tuple[int, str, int, str] | None:
    """Say what is wrong with a request for a token, in the order that Entra looks at it."""
    kind = call.headers.get("content-type", "").split(";")[0]
    if call.method != "POST" or kind != _FORM:
        return 400, "invalid_request", 900144, "The request body must contain 'grant_type'."
    if tenant != manners.tenant:
        return 400, "invalid_request", 90002, f"Tenant '{tenant}' not found."
    for name in ("grant_type", "client_id"):
        if not given.get(name):
            words = f"The request body must contain the following parameter: '{name}'."
            return 400, "invalid_request", 900144, words
    if given["grant_type"] != "client_credentials":
        words = f"The app requested an unsupported grant type '{given['grant_type']}'."
        return 400, "unsupported_grant_type", 70003, words
    application = manners.applications.get(given["client_id"])
    if application is None:
        words = f"Application with identifier '{given['client_id']}' was not found."
        return 400, "unauthorized_client", 700016, words
    if not given.get("client_secret"):
        words = "The request body must contain: 'client_assertion' or 'client_secret'."
        return 401, "invalid_client", 7000218, words
    if given["client_secret"] != application.secret:
        return 401, "invalid_client", 7000215, "Invalid client secret provided."
    return _wrong_scope(call, given.get("scope", ""))


def _wrong_scope(call: Call, scope: str) -> tuple[int, str, int, str] | None:
    resource = scope.removesuffix("/.default")
    if not scope.endswith("/.default"):
        words = f"The provided value for the input parameter scope '{scope}' is not valid."
        return 400, "invalid_scope", 1002012, words
    if resource != call.origin:
        words = f"The resource principal named {resource} was not found in the tenant."
        return 400, "invalid_resource", 500011, words
    return None


def _sealed(told: Mapping[str, str]) -> str:
    content = msgspec.json.encode(told)
    seal = hmac.new(_SEAL, content, hashlib.sha256).digest()
    return ".".join(base64.urlsafe_b64encode(part).decode() for part in (content, seal))


def _opened(token: str) -> dict[str, Any] | None:
    try:
        content, seal = (
            base64.b64decode(part, altchars=b"-_", validate=True) for part in token.split(".")
        )
    except ValueError:
        return None
    if not hmac.compare_digest(hmac.new(_SEAL, content, hashlib.sha256).digest(), seal):
        return None
    told: dict[str, Any] = msgspec.json.decode(content)
    return told
