"""``$batch`` as Business Central takes it: JSON, at the most a hundred requests (protocols C5)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from runner.sandbox.answers import Refusal, answer, call_to, refused
from runner.sandbox.store import decode, encode

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.responses import Response

    from runner.sandbox.answers import Call
    from runner.sandbox.business_central.manners import BusinessCentralManners
    from runner.sandbox.store import Store


def batch(
    call: Call,
    store: Store,
    manners: BusinessCentralManners,
    answered: Callable[[Call], Response],
) -> Response:
    """Answer each request by itself; with ``Isolation: snapshot`` all of them or none."""
    told = call.json("BadRequest").get("requests")
    if call.method != "POST" or not isinstance(told, list):
        raise Refusal(400, "BadRequest", "The batch holds no requests.")
    if len(told) > manners.most_operations:
        words = f"A batch holds {manners.most_operations} parts at the most."
        raise Refusal(500, "Unknown", words)
    together = call.headers.get("isolation", "").lower() == "snapshot"
    goes_on = together or "odata.continue-on-error" in call.prefer
    store.connection.execute("SAVEPOINT batch")
    answers: list[dict[str, Any]] = []
    failed = False
    for one in told:
        store.connection.execute("SAVEPOINT part")
        try:
            response = answered(_part(call, one))
        except Refusal as refusal:
            response = refused(refusal)
        if response.status_code >= 400:  # noqa: PLR2004
            store.connection.execute("ROLLBACK TO part")
            failed = True
        store.connection.execute("RELEASE part")
        answers.append(_answer(one, response))
        if failed and (together or not goes_on):
            break
    if failed and together:
        # What was done is undone, and its answers do not say so (D48).
        store.connection.execute("ROLLBACK TO batch")
        answers = answers if manners.misleads else answers[-1:]
    store.connection.execute("RELEASE batch")
    return answer(200, {"responses": answers})


def _part(call: Call, one: Any) -> Call:
    if not isinstance(one, dict) or not {"method", "url"} <= set(one):
        raise Refusal(400, "BadRequest", "A part of the batch has no method or no url.")
    headers = {str(k).lower(): str(v) for k, v in (one.get("headers") or {}).items()}
    body = encode(one["body"]) if "body" in one else b""
    return call_to(
        str(one["method"]).upper(),
        f"/{str(one['url']).lstrip('/')}",
        headers=headers,
        body=body,
        root=call.root,
    )


def _answer(one: Any, response: Response) -> dict[str, Any]:
    told: dict[str, Any] = {
        "id": one.get("id") if isinstance(one, dict) else None,
        "status": response.status_code,
        "headers": {k: v for k, v in response.headers.items() if k != "content-length"},
    }
    if response.body:
        told["body"] = decode(bytes(response.body))
    return told
