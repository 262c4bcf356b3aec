"""No answer of a server, and no failure on the way to it, makes a client tell a secret."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from runner.connectors.line.http import Client, Credentials, Request
from runner.connectors.line.patience import Patience
from runner.connectors.line.secret import Secret
from runner.connectors.line.tokens import Application, Entra
from runner.connectors.odata.columns import Column
from runner.connectors.odata.rows import Decoder
from runner.errors import SystemUnavailableError
from runner.wire import Type
from tests.canaries.planted import ANSWERS, BUSY, LONG, SHORT, USER, Answer, echoing, leaks
from tests.connectors.systems import Time

if TYPE_CHECKING:
    from runner.connectors.line.tokens import Tokens


class Renewed:
    """Tokens that are new each time: the last one is known to nobody any more."""

    def __init__(self) -> None:
        self._asked = 0

    async def current(self) -> Secret:
        self._asked += 1
        return Secret(f"{self._asked}{LONG}")

    def refused(self) -> None:
        pass


def _tokens() -> Tokens:
    return Renewed()


FORMS = {
    "token": lambda: Credentials(token=Secret(LONG)),
    "renewed": lambda: Credentials(tokens=_tokens()),
    "header": lambda: Credentials(header="X-Api-Key", value=Secret(LONG)),
    "password": lambda: Credentials(user=USER, password=Secret(SHORT)),
    "ntlm": lambda: Credentials(user=USER, password=Secret(SHORT), ntlm=True),
}
ADDRESSES = [
    "http://crm.example",
    "http://10.0.0.1:7048",
    "http://127.0.0.1.example",
    f"https://ann:{SHORT}@crm.example",
    f"https://ann:{SHORT}@crm\u2100.example",
    f"https://ann:{SHORT}@crm.example:{SHORT}",
    f"https://ann:{SHORT}@[::1",
]
"""None of them may be sent a secret; some hold one."""
ID = Column(name="id", property="id", type=Type.TEXT, select="id")


def heard(form: str, answer: Answer) -> str:
    """Everything that a client says of an answer, to a read and to a write."""

    async def scenario(url: str) -> str:
        client = Client(
            "crm",
            url,
            FORMS[form](),
            workers=1,
            patience=Patience(total=50),
            clock=Time().clock,
        )
        said = ""
        request = Request(method="GET", url=f"{url}/a", headers={}, about="accounts")
        try:
            await client.read(request, Decoder(ID, [ID]).page)
        except SystemUnavailableError as error:
            said += f"{error!r} {error} {error.hint} {error.code}"
        request = Request(method="POST", url=f"{url}/a", headers={}, about="x", content=b"{}")
        try:
            reply = await client.write(request)
            said += f"{reply.fault!r} {reply.fault.words}"
        except SystemUnavailableError as error:
            said += f"{error!r} {error} {error.hint} {error.code}"
        except Exception as error:  # noqa: BLE001 - whatever it is, its words are shown
            said += client.words(str(error))
        await client.close()
        return said

    with echoing(answer) as url:
        return asyncio.run(scenario(url))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("answer", [*ANSWERS, *BUSY])
def test_an_echo_is_not_passed_on(form: str, answer: str) -> None:
    said = heard(form, {**ANSWERS, **BUSY}[answer])
    assert said
    assert not leaks(said), said


def test_the_echo_would_be_heard() -> None:
    """The servers do repeat it: without what hides it these tests would fail."""
    with echoing(ANSWERS["refused"]) as url:
        import httpx  # noqa: PLC0415 - the bare library, as a proof

        told = httpx.get(url, headers={"Authorization": f"Bearer {LONG}"})
    assert leaks(told.text)
    assert leaks(str(told.headers))


@pytest.mark.parametrize("answer", [*ANSWERS, *BUSY])
def test_entra_does_not_get_the_secret_out_of_us(answer: str) -> None:
    with echoing({**ANSWERS, **BUSY}[answer]) as url:
        entra = Entra("crm", application(url), "https://x.example/.default")
        with pytest.raises(SystemUnavailableError) as caught:
            asyncio.run(entra.current())
    assert not leaks(f"{caught.value!r} {caught.value} {caught.value.hint}"), caught.value


def application(authority: str) -> Application:
    return Application(tenant="t", client_id="c", secret=Secret(SHORT), authority=authority)


@pytest.mark.parametrize("url", ADDRESSES)
def test_no_authority_gives_a_secret_away(url: str) -> None:
    with pytest.raises(SystemUnavailableError) as caught:
        Entra("crm", application(url), "https://x.example/.default")
    assert not leaks(f"{caught.value!r} {caught.value} {caught.value.hint}"), caught.value


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("url", ADDRESSES)
def test_no_address_gives_a_secret_away(form: str, url: str) -> None:
    with pytest.raises(SystemUnavailableError) as caught:
        Client("crm", url, FORMS[form](), workers=1)
    assert not leaks(f"{caught.value!r} {caught.value} {caught.value.hint}"), caught.value
