"""Signing in: NextAuth's routes as the application serves them, and the Google page they lead to."""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Callable
from http.cookies import SimpleCookie
from urllib.parse import parse_qs, urlencode

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from cockpit.rehearsal.application.app_secrets import GOOGLE_OAUTH, Vault
from cockpit.rehearsal.application.log import Logbook

CALLBACK = "/api/auth/callback/google"
GOOGLE_PATH = "/accounts.google/o/oauth2/v2/auth"
_CSRF_COOKIE = "next-auth.csrf-token"
_CALLBACK_COOKIE = "next-auth.callback-url"


class Google:
    """What Google knows of the application: the registered callback URLs, and whether the client secret is right."""

    def __init__(self, site: Callable[[], str]) -> None:
        self._site = site
        self.callback_registered = True
        self.accepts_client_secret = True

    def registered(self) -> tuple[str, ...]:
        """The redirect URIs in Google's console; with the fault on, only the one of the staging site."""
        return (self._site() + CALLBACK,) if self.callback_registered else (f"https://staging.company.com{CALLBACK}",)

    async def page(self, request: Request) -> Response:
        """The account chooser, or the error page a wrong callback URL leads to."""
        asked = request.query_params.get("redirect_uri", "")
        if asked not in self.registered():
            text = "<h1>Access blocked</h1><p>Error 400: redirect_uri_mismatch</p>"
            return HTMLResponse(f"<title>Error 400 (redirect_uri_mismatch)</title>{text}", status_code=400)
        return HTMLResponse("<title>Sign in - Google Accounts</title><h1>Choose an account</h1>")

    def routes(self) -> list[Route]:
        return [Route(GOOGLE_PATH, self.page)]


class SignIn:
    """NextAuth with one provider. The CSRF token is checked against its cookie, as NextAuth does."""

    def __init__(self, site: Callable[[], str], google: Google, vault: Vault, log: Logbook) -> None:
        self._site = site
        self._google = google
        self._vault = vault
        self._log = log
        self._salt = secrets.token_hex(16)

    def routes(self) -> list[Route]:
        return [
            Route("/api/auth/providers", self.providers),
            Route("/api/auth/csrf", self.csrf),
            Route("/api/auth/signin/google", self.sign_in, methods=["POST"]),
            Route(CALLBACK, self.callback),
        ]

    async def providers(self, _: Request) -> Response:
        site = self._site()
        google = {"id": "google", "name": "Google", "type": "oauth", "signinUrl": f"{site}/api/auth/signin/google"}
        return JSONResponse({"google": google | {"callbackUrl": site + CALLBACK}})

    async def csrf(self, request: Request) -> Response:
        """A token with its cookie; who comes with a good cookie hears its token again and gets no other."""
        held = self._cookie(request).partition("|")[0]
        if held and self._cookie(request) == f"{held}|{self._seal(held)}":
            return JSONResponse({"csrfToken": held})
        token = secrets.token_hex(32)
        answer = JSONResponse({"csrfToken": token})
        answer.set_cookie(_CALLBACK_COOKIE, self._site(), httponly=True, samesite="lax", path="/")
        answer.set_cookie(_CSRF_COOKIE, f"{token}|{self._seal(token)}", httponly=True, samesite="lax", path="/")
        return answer

    async def sign_in(self, request: Request) -> Response:
        token = parse_qs((await request.body()).decode("utf-8", "replace")).get("csrfToken", [""])[0]
        if not token or self._cookie(request) != f"{token}|{self._seal(token)}":
            return RedirectResponse(f"{self._site()}/api/auth/signin?csrf=true", status_code=302)
        client_id = json.loads(await self._vault.secret(GOOGLE_OAUTH))["client_id"]
        query = {
            "client_id": client_id,
            "scope": "openid email profile",
            "response_type": "code",
            "redirect_uri": self._site() + CALLBACK,
            "state": secrets.token_urlsafe(16),
        }
        return RedirectResponse(f"{self._site()}{GOOGLE_PATH}?{urlencode(query)}", status_code=302)

    async def callback(self, request: Request) -> Response:
        if not request.query_params.get("code") or not self._google.accepts_client_secret:
            self._log.error("OAuthCallback error", provider="google", error="invalid_client (Unauthorized)")
            return RedirectResponse(f"{self._site()}/api/auth/signin?error=OAuthCallback", status_code=302)
        self._log.info("Sign-in succeeded", provider="google")
        answer = RedirectResponse(f"{self._site()}/", status_code=302)
        answer.set_cookie("next-auth.session-token", secrets.token_urlsafe(24), httponly=True, samesite="lax")
        return answer

    def _seal(self, token: str) -> str:
        return hashlib.sha256(f"{token}{self._salt}".encode()).hexdigest()

    def _cookie(self, request: Request) -> str:
        cookies: SimpleCookie = SimpleCookie(request.headers.get("cookie", ""))
        found = cookies.get(_CSRF_COOKIE)
        return found.value if found else ""
