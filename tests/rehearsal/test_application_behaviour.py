"""The rehearsed application fails the way the readiness report says the real one does: some of it without a sound."""

from __future__ import annotations

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import psycopg
import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from cockpit.engine.clock import SharedClock
from cockpit.rehearsal.application.app_secrets import ANTHROPIC_KEY, ENCRYPTION_KEY, GOOGLE_OAUTH, Vault
from cockpit.rehearsal.application.application import Application, Release, Surroundings
from cockpit.rehearsal.application.connection_pool import ConnectionPool
from cockpit.rehearsal.application.document_storage import DocumentStorage
from cockpit.rehearsal.application.llm_calls import Llm
from cockpit.rehearsal.application.log import Logbook
from cockpit.rehearsal.application.sign_in import Google, SignIn
from cockpit.rehearsal.database.postgres_server import EmbeddedPostgres
from cockpit.rehearsal.database.seed import Logins, checksum, migrations, seed_database
from cockpit.rehearsal.database.slot_hog import SlotHog
from cockpit.rehearsal.site.load_balancer import Answer, Balancer
from cockpit.rehearsal.site.telemetry import Telemetry
from cockpit.rehearsal.site.users import MIX, MOST_AT_ONCE, Users, call, thin

NOBODY_THERE = "http://127.0.0.1:1"
START = datetime(2026, 1, 1, 12, 0, tzinfo=UTC)
SPEED = 200.0


@dataclass(frozen=True)
class Pod:
    arn: str
    revision: int
    state: str = "HEALTHY"


@dataclass
class Bench:
    """The application with a real database and an AWS that nobody can reach."""

    clock: SharedClock
    app: Application
    balancer: Balancer
    pool: ConnectionPool
    llm: Llm
    google: Google
    google_page: ASGIApp
    logins: Logins
    answers: list[Answer] = field(default_factory=list)
    log: list[dict[str, object]] = field(default_factory=list)
    s3: list[int] = field(default_factory=list)

    def messages(self) -> list[object]:
        return [line["message"] for line in self.log]

    async def get(self, path: str) -> int:
        return (await call(self.balancer.asgi, "GET", path)).status

    async def post(self, path: str, body: object) -> int:
        return (await call(self.balancer.asgi, "POST", path, json.dumps(body).encode())).status


@pytest.fixture(scope="module")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[EmbeddedPostgres, Logins]]:
    with EmbeddedPostgres(tmp_path_factory.mktemp("pg"), max_connections=24) as server:
        yield server, seed_database(server, START)


@pytest.fixture
async def bench(database: tuple[EmbeddedPostgres, Logins], tmp_path: Path) -> AsyncIterator[Bench]:
    logins = database[1]
    clock = SharedClock.create(tmp_path / "clock", SPEED, START)
    log: list[dict[str, object]] = []
    answers: list[Answer] = []
    s3: list[int] = []
    logbook = Logbook(clock, lambda group, stream, at, message: log.append(json.loads(message)), lambda: "web/web/1")
    pool = ConnectionPool(logins.application, clock, limit=4)
    storage = DocumentStorage(NOBODY_THERE, s3.append)
    secrets = {ENCRYPTION_KEY: "k", ANTHROPIC_KEY: "k", GOOGLE_OAUTH: '{"client_id": "c-1", "client_secret": "s"}'}
    vault = Vault(NOBODY_THERE, clock, logbook, secrets)
    google, llm = Google(lambda: "http://site"), Llm(clock)
    app = Application(
        Surroundings(clock, pool, storage, vault, llm, google, logbook),
        SignIn(lambda: "http://site", google, vault, logbook),
    )
    balancer = Balancer(app.asgi, lambda revision: Release(revision, f"v{revision}", 0.0), answers.append)
    balancer.tasks = [Pod("task/1", 1), Pod("task/2", 1)]
    page = Starlette(routes=google.routes())
    yield Bench(clock, app, balancer, pool, llm, google, page, logins, answers, log, s3)
    await pool.close()
    storage.close()
    vault.close()


def test_the_schema_is_the_reports_and_its_migrations_are_recorded_with_their_checksums(
    database: tuple[EmbeddedPostgres, Logins],
) -> None:
    with psycopg.connect(database[1].cockpit) as cockpit:
        recorded = cockpit.execute(
            "SELECT migration_name, checksum FROM _prisma_migrations ORDER BY migration_name"
        ).fetchall()
        indexes = cockpit.execute(
            "SELECT tablename FROM pg_indexes WHERE indexdef LIKE '%s3Key%' ORDER BY 1"
        ).fetchall()
        blobs = cockpit.execute(
            'SELECT count(*), bool_and(octet_length("fileData") = "fileSize") FROM "KnowledgeDocument"'
        ).fetchone()
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            cockpit.execute('DELETE FROM "KnowledgeDocument"')
    assert recorded == [(folder.name, checksum(folder)) for folder in migrations()]
    assert indexes == [("CustomerDocument",), ("KnowledgeDocument",)]
    assert blobs == (360, True)


async def test_the_health_check_answers_with_the_version_that_serves(bench: Bench) -> None:
    answer = await call(bench.balancer.asgi, "GET", "/api/health")
    assert (answer.status, json.loads(answer.body)["version"]) == (200, "v1")


async def test_an_upload_that_s3_never_took_is_a_201_and_a_row_with_the_bytes_in_the_database(bench: Bench) -> None:
    answer = await call(
        bench.balancer.asgi, "POST", "/api/documents?filename=a%20b.pdf", b"%PDF", {"content-type": "application/pdf"}
    )
    document = json.loads(answer.body)["document"]["id"]
    with psycopg.connect(bench.logins.cockpit) as cockpit:
        row = cockpit.execute(
            'SELECT "fileData", "s3Key" FROM "KnowledgeDocument" WHERE id = %s', (document,)
        ).fetchone()
    assert (answer.status, row) == (201, (b"%PDF", None))
    assert bench.messages() == ["Failed to upload to S3", "S3 upload failed, falling back to database storage"]
    assert bench.s3 == []  # S3's own metrics cannot see what never arrived
    assert [a.status for a in bench.answers] == [201]
    fetched = await call(bench.balancer.asgi, "GET", f"/api/documents/{document}/file")
    assert fetched.body == b"%PDF"


async def test_a_question_takes_the_llms_time_in_the_cutovers_seconds(bench: Bench) -> None:
    assert await bench.post("/api/projects/project-001/questions", {"question": "?"}) == 200
    done = next(line for line in bench.log if line["message"] == "LLM call completed")
    took = float(str(done["durationMs"])) / 1000
    assert 0.3 < took < 30
    assert took < bench.answers[0].seconds < took + 2.0
    assert bench.messages()[-1] == "Question answered"


async def test_an_llm_outage_is_told_inside_a_200(bench: Bench) -> None:
    bench.llm.down = True
    assert await bench.post("/api/projects/project-001/questions", {"question": "?"}) == 200
    failed = next(line for line in bench.log if line["message"] == "LLM call failed")
    assert failed["status"] == 529
    assert "Question answered" not in bench.messages()


async def test_a_missing_secret_is_replaced_from_the_environment_with_a_warning_only(bench: Bench) -> None:
    assert await bench.post("/api/projects", {"name": "x", "owner": "user-001"}) == 201
    assert f"Using environment variable fallback for {ENCRYPTION_KEY}" in bench.messages()
    assert bench.messages()[-1] == "Project created"


async def test_a_share_of_errors_is_500s_with_a_request_failed_line_each(bench: Bench) -> None:
    bench.app.ailments.error_rate = 0.5
    statuses = [await bench.get("/api/projects") for _ in range(60)]
    assert 10 < statuses.count(500) < 50
    assert bench.messages().count("request failed") == statuses.count(500)


async def test_a_leaking_pool_runs_dry_with_p2024(bench: Bench) -> None:
    bench.pool.leaking = True
    assert [await bench.get("/api/projects") for _ in range(5)] == [200, 200, 200, 200, 500]
    line = next(line for line in bench.log if line.get("code") == "P2024")
    assert line["message"] == "Timed out fetching a new connection from the connection pool"
    assert bench.answers[-1].seconds > 20
    await bench.pool.plug()
    assert await bench.get("/api/projects") == 200


async def test_a_full_database_refuses_new_connections_with_postgresqls_words(bench: Bench) -> None:
    hog = SlotHog(bench.logins.application)
    await hog.seize()
    try:
        assert hog.held >= 15
        assert await bench.get("/api/projects") == 500
        assert bench.messages() == ["remaining connection slots are reserved", "request failed"]
    finally:
        await hog.release()
    assert await bench.get("/api/projects") == 200


async def sign_in(bench: Bench) -> None:
    users = Users(bench.balancer.asgi, bench.google_page, bench.clock)
    await users._sign_in()


async def test_signing_in_goes_by_google_and_back(bench: Bench) -> None:
    await sign_in(bench)
    assert "Sign-in succeeded" in bench.messages()
    assert [a.status for a in bench.answers] == [200, 302, 302]


async def test_a_callback_google_does_not_know_stops_everybody_at_google(bench: Bench) -> None:
    bench.google.callback_registered = False
    await sign_in(bench)
    assert not {"Sign-in succeeded", "OAuthCallback error"} & {str(m) for m in bench.messages()}
    page = await call(
        bench.google_page, "GET", "/accounts.google/o/oauth2/v2/auth?redirect_uri=http://site/api/auth/callback/google"
    )
    assert b"redirect_uri_mismatch" in page.body


async def test_a_wrong_client_secret_fails_at_the_callback(bench: Bench) -> None:
    bench.google.accepts_client_secret = False
    await sign_in(bench)
    assert "OAuthCallback error" in bench.messages()


async def test_a_forged_csrf_token_does_not_reach_google(bench: Bench) -> None:
    answer = await call(bench.balancer.asgi, "POST", "/api/auth/signin/google", b"csrfToken=guessed")
    assert answer.headers["location"].endswith("?csrf=true")


async def test_without_a_target_the_balancer_answers_503_and_does_not_count_it_as_a_request(bench: Bench) -> None:
    bench.balancer.tasks = []
    assert await bench.get("/") == 503
    bench.balancer.tasks = [Pod("task/3", 2, "STARTING")]
    assert await bench.get("/") == 502
    assert [(a.by_target, a.counted) for a in bench.answers] == [(False, False), (False, True)]


class Kept:
    """A metric store that keeps what it is given."""

    def __init__(self) -> None:
        self.data: dict[str, list[float]] = {}

    def put(
        self, namespace: str, metric: str, dimensions: object, at: datetime, values: object, unit: str = ""
    ) -> None:
        self.data[f"{metric} {len(dict(dimensions))}"] = list(values)  # type: ignore[call-overload]


async def test_an_alb_reports_5xx_only_when_there_are_any(bench: Bench) -> None:
    store = Kept()
    telemetry = Telemetry(bench.clock, store, "app/a/1", "targetgroup/t/1")
    telemetry.answered(Answer(200, 0.1, by_target=True))
    assert telemetry.publish(bench.clock.now()) == 0
    telemetry.publish(bench.clock.now() + timedelta(minutes=2))
    assert store.data["RequestCount 1"] == [1.0]
    assert "HTTPCode_Target_5XX_Count 1" not in store.data
    telemetry.answered(Answer(500, 0.1, by_target=True))
    telemetry.answered(Answer(503, 0.1, by_target=False, counted=False))
    telemetry.put_object(403)
    telemetry.publish(bench.clock.now() + timedelta(minutes=2))
    assert store.data["HTTPCode_Target_5XX_Count 1"] == [1.0]
    assert store.data["HTTPCode_ELB_5XX_Count 1"] == [1.0]
    assert store.data["RequestCount 1"] == [1.0]
    assert store.data["4xxErrors 2"] == [1.0]


@pytest.fixture
def standing_still(tmp_path: Path) -> SharedClock:
    return SharedClock.create(tmp_path / "still", 0.0, START)


async def test_users_make_about_sixty_requests_and_six_uploads_a_minute(
    bench: Bench, standing_still: SharedClock
) -> None:
    users = Users(bench.balancer.asgi, bench.google_page, standing_still)
    chosen: list[str] = []
    users._begin = chosen.append  # type: ignore[method-assign, assignment]
    for second in range(601):
        users.arrive(START + timedelta(seconds=second))
    requests = sum(MIX[name][1] for name in chosen)
    assert 560 < requests < 640
    assert 40 < chosen.count("upload") < 80
    assert users.shed == 0


async def test_a_backlog_is_thinned_evenly_instead_of_run_late(bench: Bench, standing_still: SharedClock) -> None:
    users = Users(bench.balancer.asgi, bench.google_page, standing_still)
    chosen: list[str] = []
    users._begin = chosen.append  # type: ignore[method-assign, assignment]
    users.arrive(START + timedelta(minutes=10))
    assert len(chosen) == MOST_AT_ONCE
    assert users.shed > 400
    assert thin(list("abcdefgh"), 4) == ["a", "c", "e", "g"]


async def test_every_exact_log_message_is_one_json_object_with_its_level(bench: Bench) -> None:
    await bench.get("/api/projects")
    await bench.post("/api/projects/project-001/questions", {"question": "?"})
    for line in bench.log:
        assert line["level"] in ("info", "warn", "error")
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", str(line["timestamp"]))
