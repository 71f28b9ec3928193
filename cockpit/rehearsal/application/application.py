"""The rehearsed application: it behaves as the readiness report says Transparent Trust does, its silences included.

Uploads go to S3 first and fall back to the database with a 201, so a dead S3 shows no 5xx at all (report L203-237).
An LLM that fails is reported inside a streamed 200. What the database refuses becomes a 500, logged in Prisma's or
PostgreSQL's own words.
"""

from __future__ import annotations

import random
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route
from starlette.types import ASGIApp

from cockpit.engine.clock import Clock
from cockpit.rehearsal.application.app_secrets import ANTHROPIC_KEY, ENCRYPTION_KEY, SecretMissing, Vault
from cockpit.rehearsal.application.connection_pool import ConnectionPool, PoolTimeout
from cockpit.rehearsal.application.document_storage import BUCKET, REGION, DocumentStorage, UploadFailed, storage_key
from cockpit.rehearsal.application.llm_calls import MODEL, Llm, LlmUnavailable
from cockpit.rehearsal.application.log import Logbook
from cockpit.rehearsal.application.sign_in import Google, SignIn
from cockpit.rehearsal.application.stopwatch import current
from probes.frozen import frozen

SLOTS_GONE = "remaining connection slots are reserved"
SHARE_THAT_CAN_FAIL = 0.8
"""Of the users' requests; the rest is signing in, which a bad release does not touch."""
MAX_UPLOAD_BYTES = 10 * 1024 * 1024


@frozen
class Release:
    """One build of the application: what it calls itself, and the share of its answers that are 500s."""

    revision: int
    version: str
    error_rate: float = 0.0


FIRST_RELEASE = Release(1, "2024.12.1")


class Defect(Exception):  # noqa: N818 - the release's own bug, thrown on purpose
    """An unhandled error of a bad release."""


@dataclass(slots=True)
class Ailments:
    """What is wrong with the application itself, set by faults. `delay_s` is the median of a log-normal extra delay."""

    error_rate: float = 0.0
    delay_s: float = 0.0
    redis_down: bool = False


@frozen
class Surroundings:
    """Everything the application needs of the world."""

    clock: Clock
    pool: ConnectionPool
    storage: DocumentStorage
    vault: Vault
    llm: Llm
    google: Google
    log: Logbook


class Application:
    """An ASGI application (`asgi`). The release that serves a request is in its scope, put there by the balancer."""

    def __init__(self, surroundings: Surroundings, sign_in: SignIn, seed: int = 3) -> None:
        self.ailments = Ailments()
        self._surroundings = surroundings
        self._chance = random.Random(seed)
        self._owed = 0.0
        """Failures owed: spread evenly, so that a share of 12 % is 12 % of every minute and no run depends on luck."""
        self._anthropic_ready_for = 0
        routes = [
            Route("/", self.page),
            Route("/projects", self.page),
            Route("/library", self.page),
            Route("/api/health", self.health),
            Route("/api/projects", self.projects),
            Route("/api/projects", self.create_project, methods=["POST"]),
            Route("/api/projects/{project}/questions", self.ask, methods=["POST"]),
            Route("/api/documents", self.documents),
            Route("/api/documents", self.upload, methods=["POST"]),
            Route("/api/documents/{document}/file", self.download),
            *sign_in.routes(),
        ]
        failures: Mapping[Any, Any] = {
            Defect: self.defect,
            PoolTimeout: self.pool_is_dry,
            psycopg.OperationalError: self.database_refused,
            SecretMissing: self.secret_missing,
        }
        self.asgi: ASGIApp = Starlette(routes=routes, exception_handlers=failures)

    # -- pages -------------------------------------------------------------------------------------------------------

    async def health(self, request: Request) -> Response:
        """Shallow, as the report's is: it says the process answers, not that the application works."""
        release = release_of(request)
        now = self._surroundings.clock.now().isoformat(timespec="seconds").replace("+00:00", "Z")
        return JSONResponse({"status": "ok", "version": release.version, "revision": release.revision, "time": now})

    async def page(self, request: Request) -> Response:
        await self._work(request, 0.06)
        async with self._surroundings.pool.connection() as database:
            row = await (await database.execute('SELECT count(*) FROM "SkillCategory"')).fetchone()
        name = release_of(request).version
        return HTMLResponse(
            f"<title>Transparent Trust</title><main data-build={name!r}>{row[0] if row else 0} categories</main>"
        )

    async def projects(self, request: Request) -> Response:
        await self._work(request, 0.08)
        async with self._surroundings.pool.connection() as database:
            cursor = await database.execute('SELECT "id", "name" FROM "Project" ORDER BY "createdAt" DESC LIMIT 20')
            rows = await cursor.fetchall()
        return JSONResponse({"projects": [{"id": id_, "name": name} for id_, name in rows]})

    async def documents(self, request: Request) -> Response:
        await self._work(request, 0.09)
        async with self._surroundings.pool.connection() as database:
            query = 'SELECT "id", "title", "fileSize" FROM "KnowledgeDocument" ORDER BY "createdAt" DESC LIMIT 20'
            rows = await (await database.execute(query)).fetchall()
        return JSONResponse({"documents": [{"id": id_, "title": title, "fileSize": size} for id_, title, size in rows]})

    # -- work --------------------------------------------------------------------------------------------------------

    async def create_project(self, request: Request) -> Response:
        await self._work(request, 0.12)
        asked = await request.json()
        await self._surroundings.vault.secret(ENCRYPTION_KEY)
        project = str(uuid.uuid4())
        async with self._surroundings.pool.connection() as database:
            await database.execute(
                'INSERT INTO "Project" ("id", "name", "ownerId", "createdAt") VALUES (%s, %s, %s, %s)',
                (project, str(asked["name"]), str(asked["owner"]), self._now()),
            )
        self._surroundings.log.info("Project created", projectId=project)
        return JSONResponse({"project": {"id": project}}, status_code=201)

    async def ask(self, request: Request) -> Response:
        """Answer a question. A failing LLM is reported inside the stream: the status was sent long before."""
        await self._work(request, 0.10)
        asked, question = await request.json(), str(uuid.uuid4())
        project = request.path_params["project"]
        await self._anthropic_client(request)
        async with self._surroundings.pool.connection() as database:
            await database.execute(
                'INSERT INTO "Question" ("id", "projectId", "question", "createdAt") VALUES (%s, %s, %s, %s)',
                (question, project, str(asked["question"]), self._now()),
            )
        try:
            seconds = await self._surroundings.llm.answer()
        except LlmUnavailable as error:
            failed = round(error.seconds * 1000)
            self._surroundings.log.error("LLM call failed", durationMs=failed, status=error.status, model=MODEL)
            return JSONResponse({"error": {"type": "llm_unavailable", "questionId": question}})
        self._surroundings.log.info("LLM call completed", durationMs=round(seconds * 1000), model=MODEL)
        async with self._surroundings.pool.connection() as database:
            query = 'UPDATE "Question" SET "answer" = %s, "answeredAt" = %s WHERE "id" = %s'
            await database.execute(query, ("Yes, see the SOC 2 report.", self._now(), question))
        self._surroundings.log.info(
            "Question answered", questionId=question, durationMs=round(current().seconds * 1000)
        )
        return JSONResponse({"question": {"id": question}})

    async def upload(self, request: Request) -> Response:
        """The report's upload route: S3 first; on failure two log lines, the bytes in the database, and a 201."""
        await self._work(request, 0.15)
        body = await request.body()
        if not body or len(body) > MAX_UPLOAD_BYTES:
            return JSONResponse({"error": "a file of 1 byte to 10 MB is needed"}, status_code=400)
        filename = request.query_params.get("filename", "document.pdf")
        file_type = filename.rpartition(".")[2] or "pdf"
        document, now = str(uuid.uuid4()), self._surroundings.clock.now()
        key = storage_key(file_type, filename, document, now)
        stored = await self._store(key, body, request.headers.get("content-type", "application/octet-stream"))
        async with self._surroundings.pool.connection() as database:
            await database.execute(
                """INSERT INTO "KnowledgeDocument" ("id", "title", "filename", "fileType", "content", "fileData",
                   "fileSize", "s3Key", "s3Bucket", "s3Region", "createdAt")
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                (
                    *(document, filename, filename, file_type, "extracted text", None if stored else body, len(body)),
                    *(key if stored else None, BUCKET if stored else None, REGION if stored else None, self._now()),
                ),
            )
        if self.ailments.redis_down:
            self._surroundings.log.warn("Redis unavailable, using in-memory cache")
        return JSONResponse({"document": {"id": document, "title": filename}}, status_code=201)

    async def download(self, request: Request) -> Response:
        """The report's getDocumentBuffer: S3 where there is a key, else the database."""
        await self._work(request, 0.1)
        async with self._surroundings.pool.connection() as database:
            query = 'SELECT "s3Key", "fileData" FROM "KnowledgeDocument" WHERE "id" = %s'
            row = await (await database.execute(query, (request.path_params["document"],))).fetchone()
        if row is None:
            return JSONResponse({"error": "Document not found"}, status_code=404)
        key, kept = row
        if key:
            try:
                return Response(await self._surroundings.storage.download(key), media_type="application/octet-stream")
            except UploadFailed as error:
                self._surroundings.log.error(
                    "Failed to retrieve from S3, falling back to database", s3Key=key, code=error.code
                )
        if kept is None:
            self._surroundings.log.error(
                "request failed", status=500, error="Document file not found in S3 or database"
            )
            return JSONResponse({"error": "Internal server error"}, status_code=500)
        return Response(bytes(kept), media_type="application/octet-stream")

    async def _store(self, key: str, body: bytes, content_type: str) -> bool:
        try:
            await self._surroundings.storage.upload(key, body, content_type)
        except UploadFailed as error:
            self._surroundings.log.error("Failed to upload to S3", key=key, bucket=BUCKET, code=error.code)
            self._surroundings.log.error(
                "S3 upload failed, falling back to database storage", error=str(error), code=error.code
            )
            return False
        self._surroundings.log.info("Document uploaded to S3", s3Key=key, fileSize=len(body))
        return True

    async def _anthropic_client(self, request: Request) -> None:
        """The client keeps its key until the task restarts: only the next release notices a secret that vanished."""
        revision = release_of(request).revision
        if self._anthropic_ready_for != revision:
            await self._surroundings.vault.secret(ANTHROPIC_KEY)
            self._anthropic_ready_for = revision

    async def _work(self, request: Request, median_s: float) -> None:
        """Take the time such a request takes, and fail as often as this release and the faults say."""
        seconds = median_s * self._chance.lognormvariate(0.0, 0.45)
        if self.ailments.delay_s:
            seconds += self.ailments.delay_s * self._chance.lognormvariate(0.0, 0.3)
        await current().wait(self._surroundings.clock, seconds)
        self._owed += max(self.ailments.error_rate, release_of(request).error_rate) / SHARE_THAT_CAN_FAIL
        if self._owed >= 1.0:
            self._owed -= 1.0
            raise Defect

    def _now(self) -> datetime:
        return self._surroundings.clock.now().replace(tzinfo=None)

    # -- failures ----------------------------------------------------------------------------------------------------

    async def defect(self, request: Request, _: Exception) -> Response:
        return self._failed(request, "TypeError: Cannot read properties of undefined (reading 'id')")

    async def pool_is_dry(self, request: Request, error: Exception) -> Response:
        self._surroundings.log.error(str(error), code=PoolTimeout.code)
        return self._failed(request, PoolTimeout.code)

    async def database_refused(self, request: Request, error: Exception) -> Response:
        text = " ".join(str(error).split())
        if SLOTS_GONE in text or "too many clients" in text:
            self._surroundings.log.error(SLOTS_GONE, code="P2037")
        return self._failed(request, "PrismaClientInitializationError")

    async def secret_missing(self, request: Request, error: Exception) -> Response:
        return self._failed(request, str(error))

    def _failed(self, request: Request, why: str) -> Response:
        self._surroundings.log.error(
            "request failed", status=500, method=request.method, path=request.url.path, error=why
        )
        return JSONResponse({"error": "Internal server error"}, status_code=500)


def release_of(request: Request) -> Release:
    """The release serving this request."""
    release: Release = request.scope.get("release", FIRST_RELEASE)
    return release
