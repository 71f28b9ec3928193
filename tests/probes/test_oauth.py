"""A sign-in's first steps, through the rehearsed application and its Google, as they are and as they break."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, PlainTextResponse, RedirectResponse, Response
from starlette.types import Receive, Scope, Send
from support.http_server import small_site
from support.silent_wire import wire_to

from cockpit.rehearsal.application.sign_in import CALLBACK, Google, SignIn
from cockpit.rehearsal.script.fault_injection import Breakage
from cockpit.rehearsal.site.site import Site
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason
from probes.web.oauth import OAuthNextAuth, OAuthParams

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
CLIENT = "1234.apps.googleusercontent.com"
Page = Callable[[Request], Response]


class House:
    """The secret the application presents at Google's door."""

    async def secret(self, name: str) -> str:
        return json.dumps({"client_id": CLIENT, "client_secret": "GOCSPX-hunter2"})


class OtherGoogle(Google):
    """Google with another page, where a test gives one."""

    answer: Page | None = None

    async def page(self, request: Request) -> Response:
        return self.answer(request) if self.answer else await super().page(request)


@dataclass
class Stage:
    """The application as it is served; `odd` are paths that answer otherwise."""

    url: str
    google: OtherGoogle
    clients: Clients
    odd: dict[str, Response] = field(default_factory=dict)
    seen: list[str] = field(default_factory=list)

    async def read(self, **params: Any) -> Reading:
        given = {"url": self.url} | params
        return await OAuthNextAuth(OAuthParams.model_validate(given), self.clients).read(NOW)


@pytest.fixture
async def stage() -> AsyncIterator[Stage]:
    site, clients = Site(lambda: False), Clients(AwsOptions())
    google = OtherGoogle(lambda: site.url)
    sign_in = SignIn(lambda: site.url, google, House(), SimpleNamespace())  # type: ignore[arg-type]
    app = Starlette(routes=sign_in.routes())
    made = Stage(site.url, google, clients)

    async def front(scope: Scope, receive: Receive, send: Send) -> None:
        made.seen.append(f"{scope['method']} {scope['path']}")
        await made.odd.get(scope["path"], app)(scope, receive, send)

    await site.open(front, google)
    yield made
    await clients.close()
    await site.close()


GOOD = {
    "ok": True,
    "provider_listed": True,
    "callback_matches": True,
    "redirects": True,
    "client_id_matches": True,
    "redirect_uri_mismatch": False,
    "invalid_client": False,
}


async def test_a_sign_in_that_works_again_and_again(stage: Stage) -> None:
    for _ in range(3):  # whoever keeps the first cookie gets no other, and could not sign in
        reading = await stage.read(client_id=CLIENT)
        assert reading.values == GOOD | {"callback_url": stage.url + CALLBACK}
    assert stage.seen.count("POST /api/auth/signin/google") == 3
    assert reading.evidence.lines[-1] == f"provider: 200 {stage.url}/accounts.google/o/oauth2/v2/auth"


async def test_nothing_secret_is_shown(stage: Stage) -> None:
    shown = repr(await stage.read())
    assert "state=" not in shown
    assert "csrf-token" not in shown
    assert "hunter2" not in shown


async def test_the_rehearsed_fault_turns_it(stage: Stage) -> None:
    breakage = Breakage(SimpleNamespace(google=stage.google))  # type: ignore[arg-type]
    await breakage.set("oauth.broken", on=True)
    reading = await stage.read()
    assert (reading.values["ok"], reading.values["redirect_uri_mismatch"]) == (False, True)
    assert reading.values["redirects"] is True
    assert "redirect_uri_mismatch" in reading.unknown["invalid_client"].detail
    assert "redirect_uri_mismatch" in reading.evidence.lines[-1]
    await breakage.set("oauth.broken", on=False)
    assert (await stage.read()).values["ok"] is True


async def test_without_a_client_id_in_the_plan_any_will_do(stage: Stage) -> None:
    reading = await stage.read()
    assert reading.values["ok"] is True
    assert reading.unknown["client_id_matches"].reason is Reason.NO_DATA


async def test_another_client_id_is_not_ok(stage: Stage) -> None:
    reading = await stage.read(client_id="other")
    assert (reading.values["ok"], reading.values["client_id_matches"]) == (False, False)


async def test_another_callback_is_not_ok(stage: Stage) -> None:
    reading = await stage.read(callback="https://app.company.com/api/auth/callback/google")
    assert (reading.values["ok"], reading.values["callback_matches"]) == (False, False)


async def test_only_one_of_the_two_callbacks_is_wrong(stage: Stage) -> None:
    wrong = {"google": {"id": "google", "callbackUrl": f"http://localhost:3000{CALLBACK}"}}
    stage.odd["/api/auth/providers"] = JSONResponse(wrong)
    reading = await stage.read()
    assert (reading.values["callback_matches"], reading.values["ok"]) == (False, False)
    assert reading.values["callback_url"] == f"http://localhost:3000{CALLBACK}"


async def test_a_provider_that_is_not_offered(stage: Stage) -> None:
    stage.odd["/api/auth/providers"] = JSONResponse({"okta": {"id": "okta"}})
    reading = await stage.read()
    assert (reading.values["provider_listed"], reading.values["ok"]) == (False, False)
    assert reading.unknown["callback_url"].reason is Reason.NO_DATA
    assert "providers: okta" in reading.evidence.lines


# -- where the sign-in leads -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("answer", "line"),
    [
        (RedirectResponse("/api/auth/error?error=Configuration", 302), "/api/auth/error error=Configuration"),
        (RedirectResponse("/api/auth/signin?csrf=true", 302), "csrf=true"),
        (PlainTextResponse("no", 503), "sign-in: 503"),
        (HTMLResponse("<p>choose"), "sign-in: 200"),
    ],
)
async def test_a_sign_in_that_leads_nowhere(stage: Stage, answer: Response, line: str) -> None:
    stage.odd["/api/auth/signin/google"] = answer
    reading = await stage.read(client_id=CLIENT)
    assert (reading.values["redirects"], reading.values["ok"]) == (False, False)
    assert any(line in each for each in reading.evidence.lines)
    for name in ("callback_matches", "client_id_matches", "redirect_uri_mismatch", "invalid_client"):
        assert reading.unknown[name].reason is Reason.NO_DATA, name


async def test_an_application_that_only_answers_errors_signs_nobody_in(stage: Stage) -> None:
    for path in ("/api/auth/csrf", "/api/auth/providers"):
        stage.odd[path] = PlainTextResponse("no targets", 503)
    reading = await stage.read()
    assert (reading.values["ok"], reading.values["redirects"]) == (False, False)
    assert reading.unknown["provider_listed"].reason is Reason.ERROR
    assert "503" in reading.unknown["callback_url"].detail


# -- what the provider says --------------------------------------------------------------------------------------------


def google_error(words: bytes) -> Page:
    """Google's way: a redirect to an error page that names the error only in its address, encoded."""

    def page(request: Request) -> Response:
        if "authError" in request.query_params:
            return HTMLResponse("<title>Error</title>", status_code=400)
        coded = base64.urlsafe_b64encode(b"\n\x15" + words + b"\x12\x10You can't sign in").decode().rstrip("=")
        return RedirectResponse(f"{request.url.path}?authError={coded}", status_code=302)

    return page


@pytest.mark.parametrize(
    ("page", "field", "other"),
    [
        (google_error(b"redirect_uri_mismatch"), "redirect_uri_mismatch", "invalid_client"),
        (google_error(b"invalid_client"), "invalid_client", "redirect_uri_mismatch"),
        (
            lambda _: HTMLResponse("Error 401: invalid_client", status_code=401),
            "invalid_client",
            "redirect_uri_mismatch",
        ),
        (
            lambda _: HTMLResponse("The 'redirect_uri' parameter must be a Login redirect URI", status_code=400),
            "redirect_uri_mismatch",
            "invalid_client",
        ),
    ],
)
async def test_a_refusal_in_the_providers_words(stage: Stage, page: Page, field: str, other: str) -> None:
    stage.google.answer = page
    reading = await stage.read()
    assert (reading.values[field], reading.values["ok"]) == (True, False)
    assert reading.unknown[other].reason is Reason.NO_DATA


async def test_a_refusal_in_unknown_words_is_not_known(stage: Stage) -> None:
    stage.google.answer = lambda _: HTMLResponse("<p>no", status_code=403)
    reading = await stage.read()
    for name in ("ok", "redirect_uri_mismatch", "invalid_client"):
        assert reading.unknown[name].reason is Reason.ERROR
    assert reading.values["redirects"] is True


# -- not knowing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("said", [HTMLResponse("<title>Sign in"), JSONResponse([1])])
async def test_a_page_instead_of_json_is_not_known(stage: Stage, said: Response) -> None:
    for path in ("/api/auth/csrf", "/api/auth/providers"):
        stage.odd[path] = said
    reading = await stage.read()
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} <= {Reason.ERROR, Reason.NO_DATA}
    assert reading.unknown["ok"].reason is Reason.ERROR


async def test_an_answer_without_a_token_is_not_known(stage: Stage) -> None:
    stage.odd["/api/auth/csrf"] = JSONResponse({})
    reading = await stage.read()
    assert reading.unknown["redirects"].reason is Reason.NO_DATA
    assert reading.values["provider_listed"] is True
    assert "ok" in reading.unknown


async def test_a_silent_provider_leaves_only_its_word_open(stage: Stage) -> None:
    async with wire_to() as hole:
        there = f"http://127.0.0.1:{hole.port}/auth?client_id={CLIENT}&redirect_uri={stage.url}{CALLBACK}"
        stage.odd["/api/auth/signin/google"] = RedirectResponse(there, 302)
        reading = await stage.read(timeout="4s")
    assert (reading.values["redirects"], reading.values["callback_matches"]) == (True, True)
    for name in ("ok", "redirect_uri_mismatch", "invalid_client"):
        assert reading.unknown[name].reason is Reason.TIMEOUT


async def test_nobody_there_leaves_everything_open(stage: Stage) -> None:
    async with small_site() as gone:
        url = gone.url
    reading = await stage.read(url=url)
    assert not reading.values
    assert reading.unknown["ok"].reason is Reason.UNREACHABLE


async def test_a_black_hole_is_a_timeout(stage: Stage) -> None:
    async with wire_to() as hole:
        reading = await stage.read(url=f"http://127.0.0.1:{hole.port}", timeout="0.3s")
    assert not reading.values
    assert reading.unknown["ok"].reason is Reason.TIMEOUT


@pytest.mark.parametrize("wrong", [{"url": "host"}, {"provider": "a/b"}, {"callback": "/x"}, {"timeout": "3"}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OAuthParams.model_validate({"url": "https://host"} | wrong)
