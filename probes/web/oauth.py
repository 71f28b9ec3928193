"""Signing in with another party (NextAuth): does the application lead to it, with the right callback, and is it let in."""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Annotated, Any
from urllib.parse import parse_qs, urlencode, urljoin, urlsplit

from pydantic import StringConstraints

from probes.clients.http import HttpAnswer, place_of
from probes.clients.web_address import BaseAddress, OptionalBaseAddress
from probes.demand import Sends
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen
from probes.redact import one_line
from probes.three_valued import every, sorted_out

_REFUSALS = {
    "redirect_uri_mismatch": re.compile(
        r"redirect_uri_mismatch|redirect_uri'? parameter must be|AADSTS50011\b", re.IGNORECASE
    ),
    "invalid_client": re.compile(
        r"invalid_client|deleted_client|disabled_client|OAuth client was (?:not found|deleted)|AADSTS700016\b",
        re.IGNORECASE,
    ),
}
"""How providers word a refusal: Google, Okta, Microsoft."""
_NOWHERE = Unknown(
    Reason.NO_DATA, "the sign-in does not lead to the provider", "read the application's log of this minute"
)
_NEXT_COOKIE = re.compile(r",\s*(?=[^;,=\s]+=)")
_SHOWN = 200


class OAuthParams(Params):
    url: BaseAddress
    """The application as people reach it: https://app.company.com."""
    provider: Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")] = "google"
    """The provider's id in NextAuth: google."""
    callback: OptionalBaseAddress = ""
    """The callback address registered with the provider; else the application's own, as NextAuth makes it."""
    client_id: str = ""
    """The client id the application must present."""
    timeout: Duration = timedelta(seconds=3)
    """For each of the three steps: the application's word, the way to the provider, the provider's page."""


@dataclass(slots=True)
class _Story:
    """What was seen, step by step."""

    checks: dict[str, bool | Unknown] = field(default_factory=dict)
    callback_url: str | Unknown = ""
    lines: list[str] = field(default_factory=list)


class OAuthNextAuth(Probe[OAuthParams]):
    """The beginning of a sign-in, as a browser goes through it, up to the provider's own page; nobody is signed in.

    Reads GET /api/auth/providers (is it listed, its callbackUrl); GET /api/auth/csrf and POST /api/auth/signin/<provider>
    (Location: client_id, redirect_uri); then that page, for the words of a refusal: `redirect_uri_mismatch` and
    `invalid_client` are heuristics over the provider's wording (Google, Okta, Microsoft; the first 256 KB). Tokens,
    cookies and state are used and never shown. Needs no permission.
    """

    name = "oauth.nextauth"
    params_type = OAuthParams
    demands = (Sends("url", ("url", "provider", "callback")),)
    subjects = ("oauth", "nextauth", "sign-in", "sign in", "login")
    cannot_see = "a wrong client secret, which fails only at the callback: count OAuthCallback errors in the log"
    late = "not at all; a provider's own settings can take minutes to hold"
    fields = (
        Field("ok", bool, "a sign-in can begin: everything below that is asked is as it should be", example=True),
        Field("provider_listed", bool, "the application offers the provider", example=True),
        Field(
            "callback_url", str, "where the application says it is called back", "https://app/api/auth/callback/google"
        ),
        Field("callback_matches", bool, "it says so, and asks so, with the expected address", example=True),
        Field("redirects", bool, "the sign-in leads to the provider, with a client id", example=True),
        Field("client_id_matches", bool, "it presents the plan's client_id", example=True),
        Field("redirect_uri_mismatch", bool, "the provider does not know the callback (heuristic)", example=False),
        Field("invalid_client", bool, "the provider does not know the client (heuristic)", example=False),
    )
    interval = timedelta(seconds=60)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        auth = f"{asked.url}/api/auth"
        query = f"GET {place_of(auth)}/providers; POST {place_of(auth)}/signin/{asked.provider}; GET its Location"
        story = _Story()
        location, _ = await asyncio.gather(self._led_to(auth, story), self._listed(auth, story))
        self._judge_location(location, story)
        await self._judge_page(location, story)
        checks = story.checks
        checks["callback_matches"] = every(checks.pop("listed_callback"), checks.pop("sent_callback"))
        good = [checks[name] for name in ("provider_listed", "callback_matches", "redirects")]
        good += [checks["client_id_matches"]] if asked.client_id else []
        checks["ok"] = every(*good, *(_not(checks[name]) for name in _REFUSALS))
        values, unknown = sorted_out({**checks, "callback_url": story.callback_url})
        return self.reading(now, values, unknown=unknown, evidence=Evidence(query, lines=tuple(story.lines)))

    # -- the application ---------------------------------------------------------------------------------------------

    async def _listed(self, auth: str, story: _Story) -> None:
        checks = story.checks
        try:
            held = _held_in(await self._ask("GET", f"{auth}/providers"))
        except Unseen as unseen:
            checks["provider_listed"] = checks["listed_callback"] = story.callback_url = unseen.unknown
            return
        mine = held.get(self.params.provider)
        checks["provider_listed"] = isinstance(mine, dict)
        story.lines.append(one_line(f"providers: {', '.join(sorted(held)) or 'none'}", _SHOWN))
        callback = mine.get("callbackUrl") if isinstance(mine, dict) else None
        if isinstance(callback, str) and callback:
            story.callback_url = one_line(place_of(callback), _SHOWN)
            checks["listed_callback"] = callback == self._expected()
        else:
            absent = Unknown(Reason.NO_DATA, f"no callbackUrl for {self.params.provider}", "is the provider set up?")
            checks["listed_callback"] = story.callback_url = absent

    async def _led_to(self, auth: str, story: _Story) -> str | Unknown:
        """Where the sign-in leads; empty when the application answers and leads nowhere."""
        asked = self.params
        try:
            csrf = await self._ask("GET", f"{auth}/csrf")
            if csrf.status != 200:
                story.lines.append(f"csrf: {csrf.status}")
                return ""
            token = _held_in(csrf).get("csrfToken")
            if not isinstance(token, str) or not token:
                return Unknown(Reason.NO_DATA, f"{place_of(auth)}/csrf gives no csrfToken", "is this a NextAuth site?")
            answer = await self._ask(
                "POST",
                f"{auth}/signin/{asked.provider}",
                headers={"Cookie": _cookies(csrf), "Content-Type": "application/x-www-form-urlencoded"},
                content=urlencode({"csrfToken": token, "callbackUrl": asked.url}),
            )
        except Unseen as unseen:
            return unseen.unknown
        location = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
        location = urljoin(answer.url, location) if location else ""
        story.lines.append(f"sign-in: {answer.status} {_safely(location)}".strip())
        return location

    def _judge_location(self, location: str | Unknown, story: _Story) -> None:
        checks = story.checks
        if isinstance(location, Unknown):
            checks |= dict.fromkeys(("redirects", "sent_callback", "client_id_matches"), location)
            return
        sent = parse_qs(urlsplit(location).query)
        client, callback = sent.get("client_id", [""])[0], sent.get("redirect_uri", [""])[0]
        checks["redirects"] = bool(client)
        checks["sent_callback"] = callback == self._expected() if client else _NOWHERE
        if not self.params.client_id:
            checks["client_id_matches"] = Unknown(Reason.NO_DATA, "the plan gives no client_id", "set client_id")
        else:
            checks["client_id_matches"] = client == self.params.client_id if client else _NOWHERE

    # -- the provider ------------------------------------------------------------------------------------------------

    async def _judge_page(self, location: str | Unknown, story: _Story) -> None:
        if isinstance(location, Unknown) or story.checks["redirects"] is not True:
            why = location if isinstance(location, Unknown) else _NOWHERE
            story.checks |= dict.fromkeys(_REFUSALS, why)
            return
        try:
            page = await self._ask("GET", location, follow_redirects=True)
        except Unseen as unseen:
            story.checks |= dict.fromkeys(_REFUSALS, unseen.unknown)
            return
        words = _words_of(page)
        found = [name for name, pattern in _REFUSALS.items() if pattern.search(words)]
        story.lines.append(f"provider: {page.status} {place_of(page.url)} {' '.join(found)}".strip())
        if found:
            stopped = Unknown(Reason.NO_DATA, f"the provider stopped at {found[0]}", "fix that first")
            story.checks |= {name: True if name in found else stopped for name in _REFUSALS}
        elif page.status >= 400:
            detail = f"{place_of(page.url)} answered {page.status} without words known here"
            unclear = Unknown(Reason.ERROR, detail, "open the sign-in in a browser")
            story.checks |= dict.fromkeys(_REFUSALS, unclear)
        else:
            story.checks |= dict.fromkeys(_REFUSALS, False)

    # -- asking ------------------------------------------------------------------------------------------------------

    def _expected(self) -> str:
        return self.params.callback or f"{self.params.url}/api/auth/callback/{self.params.provider}"

    async def _ask(self, method: str, url: str, **options: Any) -> HttpAnswer:
        answer: HttpAnswer = await self.clients.http(
            method, url, timeout_s=self.params.timeout.total_seconds(), **options
        )
        return answer


def _not(check: bool | Unknown) -> bool | Unknown:
    return check if isinstance(check, Unknown) else not check


def _held_in(answer: HttpAnswer) -> Mapping[str, Any]:
    """The JSON object of an answer. Raises Unseen: another status or a page is no word of NextAuth's."""
    place = place_of(answer.url)
    if answer.status != 200:
        detail = f"{place} answered {answer.status}"
        raise Unseen(Unknown(Reason.ERROR, detail, "check that the application is up, and its address"))
    try:
        held = json.loads(answer.text)
    except (ValueError, RecursionError):
        held = None
    if not isinstance(held, dict):
        raise Unseen(Unknown(Reason.ERROR, f"{place} answers with something else than NextAuth's JSON", "check `url`"))
    return held


def _cookies(answer: HttpAnswer) -> str:
    """The cookies of an answer, as they are sent back; several arrive joined by commas."""
    pairs = (one.partition(";")[0].strip() for one in _NEXT_COOKIE.split(answer.headers.get("set-cookie", "")))
    return "; ".join(pair for pair in pairs if pair)


def _words_of(page: HttpAnswer) -> str:
    """The page, and what its address says: Google puts the error, encoded, into the address of its error page."""
    query = parse_qs(urlsplit(page.url).query)
    texts = [page.text, *query.get("error", []), *query.get("error_description", [])]
    for coded in query.get("authError", []):
        try:
            texts.append(base64.b64decode(coded + "=" * (-len(coded) % 4), altchars=b"-_").decode("latin-1"))
        except (binascii.Error, ValueError):
            continue
    return "\n".join(texts)


def _safely(location: str) -> str:
    """Where a redirect leads, and the error it names: never its state, nonce or code."""
    query = parse_qs(urlsplit(location).query)
    errors = [f"{name}={query[name][0]}" for name in ("error", "csrf") if name in query]
    callback = [f"redirect_uri={place_of(query['redirect_uri'][0])}"] if "redirect_uri" in query else []
    return one_line(" ".join([place_of(location), *errors, *callback]), _SHOWN)
