"""Those the application buys from, as the cockpit reaches them: the LLM's API, Redis over HTTPS, and status pages."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.llm_calls import MODEL, Llm

PREFIX = "/vendors"
UPSTASH_TOKEN = "AXrUASQgMzJhNmQ4ZTctNGYxYi00OWE0LWI5ZTYtcmVoZWFyc2Vk"
ANTHROPIC_PARTS = ("claude.ai", "console.anthropic.com", "api.anthropic.com")
UPSTASH_PARTS = ("Redis", "Console", "Management API")
GOOGLE_PARTS = ("Gmail", "Google Drive", "Google Cloud Identity")
"""Products of Google's dashboard: each has had its incidents, all of them long over."""


@dataclass(slots=True)
class Vendors:
    """What the vendors know and how they are. Everything may be changed at any time: that is a fault."""

    clock: Clock
    llm: Llm
    anthropic_keys: set[str] = field(default_factory=set)
    """Keys Anthropic accepts."""
    redis_down: Callable[[], bool] = lambda: False
    redis_tokens: set[str] = field(default_factory=lambda: {UPSTASH_TOKEN})
    troubled: dict[str, str] = field(default_factory=dict)
    """What a status page admits: its part (`api.anthropic.com`, `Redis`, `Google Cloud Identity`) and how bad it is."""

    def routes(self) -> list[Route]:
        return [
            Route(f"{PREFIX}/anthropic/v1/models", self.models),
            Route(f"{PREFIX}/upstash/ping", self.ping),
            Route(f"{PREFIX}/status/anthropic/api/v2/summary.json", self.anthropic_status),
            Route(f"{PREFIX}/status/upstash/api/v2/summary.json", self.upstash_status),
            Route(f"{PREFIX}/status/google/incidents.json", self.google_status),
        ]

    async def models(self, request: Request) -> Response:
        if self.llm.down:
            return _refused(529, "overloaded_error", "Overloaded")
        if request.headers.get("x-api-key") not in self.anthropic_keys:
            return _refused(401, "authentication_error", "invalid x-api-key")
        names = (f"{MODEL}-4-5-20250929", "claude-haiku-4-5-20251001", "claude-opus-4-1-20250805")
        listed = [{"type": "model", "id": name, "display_name": name} for name in names]
        return JSONResponse({"data": listed, "has_more": False})

    async def ping(self, request: Request) -> Response:
        if self.redis_down():
            return JSONResponse({"error": "ERR database is not available"}, status_code=503)
        if request.headers.get("authorization", "").removeprefix("Bearer ") not in self.redis_tokens:
            return JSONResponse({"error": "Unauthorized"}, status_code=401)
        return JSONResponse({"result": "PONG"})

    async def anthropic_status(self, _: Request) -> Response:
        return JSONResponse(self._statuspage("Anthropic", ANTHROPIC_PARTS))

    async def upstash_status(self, _: Request) -> Response:
        return JSONResponse(self._statuspage("Upstash", UPSTASH_PARTS))

    async def google_status(self, _: Request) -> Response:
        """Newest first: one incident of each product months ago, and what is open now."""
        now, old = self.clock.now().isoformat(), "2024-03-04T10:00:00+00:00"
        past = [_incident(part, old, "SERVICE_DISRUPTION", end="2024-03-04T12:00:00+00:00") for part in GOOGLE_PARTS]
        here = [_incident(part, now, how) for part, how in self.troubled.items() if part in GOOGLE_PARTS]
        return JSONResponse([*here, *past])

    def _statuspage(self, name: str, parts: tuple[str, ...]) -> Mapping[str, object]:
        here = {part: self.troubled[part] for part in parts if part in self.troubled}
        incidents = [
            {"name": f"{part}: {how}", "status": "investigating", "impact": "major"} for part, how in here.items()
        ]
        return {
            "page": {"name": name, "updated_at": self.clock.now().isoformat()},
            "status": {"indicator": "major" if here else "none"},
            "components": [{"name": part, "status": here.get(part, "operational")} for part in parts],
            "incidents": incidents,
        }


def _incident(product: str, begin: str, impact: str, end: str = "") -> dict[str, object]:
    fields: dict[str, object] = {"begin": begin, "modified": end or begin, "status_impact": impact}
    fields |= {
        "external_desc": f"{product} is affected",
        "affected_products": [{"title": product}],
        "service_name": product,
    }
    return fields | ({"end": end} if end else {})


def _refused(status: int, kind: str, message: str) -> Response:
    return JSONResponse({"type": "error", "error": {"type": kind, "message": message}}, status_code=status)
