"""HTTP: whether a page answers as it should, seen from this machine."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field as Setting
from pydantic import StringConstraints

from probes.clients.http import HttpAnswer, place_of
from probes.clients.page_text import page_text
from probes.clients.web_address import WebAddress
from probes.demand import Sends, Writes
from probes.periods import Duration
from probes.probe import Params, Probe
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Unseen, Value, at_most
from probes.redact import one_line, redact

Text = Annotated[str, StringConstraints(min_length=1, max_length=1000)]
SAMPLE_CHARACTERS = 200
LOCATION_CHARACTERS = 2000
GLANCE_CHARACTERS = 1000
"""Cut before redacting, which takes time on long text; more than is shown, so that no secret is cut in two."""


class HttpHealthParams(Params):
    url: WebAddress
    """The whole address: https://host/path."""
    method: Literal["GET", "HEAD", "POST"] = "GET"
    """The request's method; a POST may change something, and asks for trust."""
    expect_status: Annotated[int, Setting(ge=100, le=599)] = 200
    """The HTTP status of a good answer."""
    expect_text: Text | None = None
    """Text the body must contain: a build id, or a word that only the right page has."""
    forbid_text: Text | None = None
    """Text the body must not contain: the words of an error or login page answered with 200."""
    headers: dict[str, str] = Setting(default_factory=dict, repr=False)
    """Headers to send; a secret as `${env:NAME}`."""
    follow_redirects: bool = False
    """Whether the last page counts, where the address redirects."""
    min_body: Annotated[int, Setting(ge=0, le=256 * 1024)] = 0
    """Characters the body must at least have: an empty page answered with 200 is not a page."""
    timeout: Duration = timedelta(seconds=5)
    """How long all of it may take, redirects included."""


class HttpHealth(Probe[HttpHealthParams]):
    """One request, TLS verified, over a new connection: status, time, redirect, and whether the body is the right one.

    An error status is an answer (`ok` is false); no answer at all (name, route, certificate, deadline) leaves every
    field unknown, because the cause cannot be determined from here. Redirects are not followed unless asked.
    Needs no permission.
    """

    name = "http.health"
    params_type = HttpHealthParams
    demands = (
        Sends("url", ("url", "headers", "method")),
        Writes("with a POST to", "url", when=lambda params: params.method == "POST"),
    )
    subjects = (
        "health check",
        "health endpoint",
        "health page",
        "home page",
        "homepage",
        "http",
        "site",
        "website",
        "url",
    )
    cannot_see = "more than the page does: one that checks nothing says 200 over a broken application"
    late = "not at all, but for what the page itself has cached"
    fields = (
        Field("ok", bool, "the expected status and, where texts are given, the right body", example=True),
        Field("status", int, "HTTP status of the last answer", 200, low=100, high=599),
        Field("latency_ms", float, "from the first packet to the last byte, redirects included", 84.0, "ms", low=0),
        Field("redirected", bool, "it answered with a redirect, or redirects were followed", example=False),
        Field(
            "location",
            str,
            "where the redirect leads; empty when there is none",
            "https://accounts.google.com/o/oauth2",
        ),
        Field("body_matches", bool, "the body has the expected text, size, and not the forbidden text", example=True),
    )
    interval = timedelta(seconds=15)

    @classmethod
    def fields_of(cls, params: HttpHealthParams) -> tuple[Field, ...]:
        return at_most(cls.fields, "latency_ms", params.timeout.total_seconds() * 1000)

    async def read(self, now: datetime) -> Reading:
        asked = self.params
        query = f"{asked.method} {place_of(asked.url)}"
        try:
            answer: HttpAnswer = await self.clients.http(
                asked.method,
                asked.url,
                headers=asked.headers,
                timeout_s=asked.timeout.total_seconds(),
                follow_redirects=asked.follow_redirects,
            )
        except Unseen as unseen:
            return self.blind(now, unseen.unknown, Evidence(query))
        values, unknown = self._judged(answer)
        evidence = Evidence(query, request_id=answer.headers.get("x-amzn-trace-id", ""), lines=_lines(answer))
        return self.reading(now, values, unknown=unknown, evidence=evidence)

    def _judged(self, answer: HttpAnswer) -> tuple[dict[str, Value | None], dict[str, Unknown]]:
        location = answer.headers.get("location", "") if 300 <= answer.status < 400 else ""
        right_status = answer.status == self.params.expect_status
        values: dict[str, Value | None] = {
            "status": answer.status,
            "latency_ms": answer.elapsed_s * 1000,
            "redirected": bool(location or answer.redirects),
            "location": redact((location or (answer.url if answer.redirects else ""))[:LOCATION_CHARACTERS]),
        }
        matches = self._matches(answer)
        if isinstance(matches, Unknown):
            nothing_asked = matches.reason is Reason.NO_DATA
            if nothing_asked or not right_status:
                return values | {"ok": right_status}, {"body_matches": matches}
            return values, {"body_matches": matches, "ok": matches}
        return values | {"ok": right_status and matches, "body_matches": matches}, {}

    def _matches(self, answer: HttpAnswer) -> bool | Unknown:
        """Whether the body is the right one; unknown where nothing is asked of it, or what was cut off decides."""
        asked = self.params
        if asked.expect_text is None and asked.forbid_text is None and not asked.min_body:
            return Unknown(
                Reason.NO_DATA, "the plan asks nothing of the body", "give expect_text, forbid_text or min_body"
            )
        if asked.forbid_text is not None and asked.forbid_text in answer.text:
            return False
        if len(answer.text) < asked.min_body:
            return False
        found = asked.expect_text is None or asked.expect_text in answer.text
        if answer.truncated and (not found or asked.forbid_text is not None):
            return Unknown(Reason.PARTIAL, "the body is longer than is read", "ask a smaller page")
        return found


def _lines(answer: HttpAnswer) -> tuple[str, ...]:
    """The answer in a few lines; the body of an error, because it often says why."""
    lines = [f"{answer.status} in {answer.elapsed_s * 1000:.0f} ms"]
    lines += [f"redirected from {place_of(url)}" for url in answer.redirects]
    lines += [
        f"{name}: {one_line(answer.headers[name][:GLANCE_CHARACTERS])}"
        for name in ("location", "server")
        if name in answer.headers
    ]
    if answer.status >= 400 and answer.text.strip():
        lines.append(one_line(page_text(answer), SAMPLE_CHARACTERS))
    return tuple(lines)
