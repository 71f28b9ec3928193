"""`.env.example`: every variable told, none of the secrets."""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from probes.clients.clients import AwsOptions, Clients
from probes.local.env_example import EnvExample, EnvExampleParams
from probes.reading import Reading, Reason

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
REQUIRED = ["DATABASE_URL", "ENCRYPTION_KEY", "ANTHROPIC_API_KEY", "AWS_REGION"]
OPTIONAL = ["UPSTASH_REDIS_REST_URL", "SLACK_WEBHOOK_URL"]
GOOD = """\
# ---- Required ----

# PostgreSQL, pooled
DATABASE_URL="postgresql://user:password@localhost:5432/app?connection_limit=10"
# 32 characters; openssl rand -hex 16
ENCRYPTION_KEY=your-32-char-encryption-key
ANTHROPIC_API_KEY="sk-ant-..."   # from the console

AWS_REGION=us-east-1 # where the bucket is

# ---- Optional ----

# Rate limits survive a restart with it
UPSTASH_REDIS_REST_URL=
# SLACK_WEBHOOK_URL=https://hooks.slack.com/services/...
"""
Reads = Callable[..., Any]


@pytest.fixture
def reads(tmp_path: Path) -> Reads:
    async def read(text: str | bytes | None = GOOD, **params: Any) -> Reading:
        file = tmp_path / ".env.example"
        if text is not None:
            file.write_bytes(text if isinstance(text, bytes) else text.encode())
        given = {"path": str(file), "required": REQUIRED, "optional": OPTIONAL} | params
        probe = EnvExample(EnvExampleParams.model_validate(given), Clients(AwsOptions()))
        reading = await probe.read(NOW)
        await probe.close()
        assert "hunter2" not in repr(reading)
        return reading

    return read


async def test_everything_is_told(reads: Reads) -> None:
    reading = await reads()
    assert reading.values == {
        "ok": True,
        "variables": 6,
        "missing": 0,
        "missing_optional": 0,
        "undocumented": 0,
        "apart": True,
        "secrets_with_values": 0,
    }
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NO_DATA}
    assert reading.evidence.lines == ()


async def test_missing_variables_are_named(reads: Reads) -> None:
    text = GOOD.replace("ENCRYPTION_KEY=", "OTHER=").replace("UPSTASH_REDIS_REST_URL", "REDIS_URL")
    reading = await reads(text)
    assert (reading.values["ok"], reading.values["missing"], reading.values["missing_optional"]) == (False, 1, 1)
    assert reading.values["missing_names"] == ("ENCRYPTION_KEY",)
    assert reading.evidence.lines == ("missing: ENCRYPTION_KEY, UPSTASH_REDIS_REST_URL",)


async def test_a_variable_without_a_comment_is_named(reads: Reads) -> None:
    reading = await reads(GOOD + "\nNODE_ENV=production\nexport PORT=3000 # where it listens\n")
    assert (reading.values["undocumented"], reading.values["ok"]) == (1, False)
    assert reading.values["undocumented_names"] == ("NODE_ENV",)
    assert reading.values["variables"] == 8


async def test_a_comment_is_for_the_group_below_it(reads: Reads) -> None:
    reading = await reads(GOOD + "\n# Okta, required together\nOKTA_A=\nOKTA_B=\n")
    assert reading.values["undocumented"] == 0


@pytest.mark.parametrize("moved", [GOOD.replace("Optional", "Also"), GOOD.replace("Required", "Settings")])
async def test_required_and_optional_not_told_apart(reads: Reads, moved: str) -> None:
    reading = await reads(moved)
    assert (reading.values["apart"], reading.values["ok"]) == (False, False)
    assert reading.evidence.lines[0].startswith("not apart: ")


async def test_a_word_beside_the_variable_counts_for_it_alone(reads: Reads) -> None:
    text = GOOD.replace("where the bucket is", "optional: where the bucket is")
    reading = await reads(text)
    assert reading.values["apart"] is False
    assert reading.evidence.lines == ("not apart: AWS_REGION",)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("STRIPE_SECRET=hunter2Qw9rTyUi", True),
        ("# STRIPE_SECRET=hunter2Qw9rTyUi", True),
        ("SESSION_KEY='hunter2 with spaces'", True),
        ("REPLICA_URL=postgresql://app:hunter2Qw@db/app", True),
        ("SLACK_WEBHOOK=https://hooks.slack.com/services/T0/B0/hunter2Qw9r", True),
        ("STRIPE_SECRET=<your secret>", False),
        ("STRIPE_SECRET=changeme", False),
        ("STRIPE_SECRET=", False),
        ("TOKEN_TTL_SECONDS=86400000", False),
        ("REPLICA_URL=postgresql://postgres:postgres@localhost/app", False),
        ("PUBLIC_URL=https://app.company.com", False),
        ("NEXT_PUBLIC_MAP_KEY=pk.hunter2Qw9rTyUi", False),
        ("BUCKET=documents-hunter2-prod", False),
    ],
)
async def test_what_looks_like_a_secret_is_named_and_not_shown(reads: Reads, line: str, found: bool) -> None:
    reading = await reads(f"{GOOD}# explained\n{line}\n")
    assert reading.values["secrets_with_values"] == int(found)
    assert reading.values["ok"] is not found
    if found:
        name = line.removeprefix("# ").partition("=")[0]
        assert reading.values["secret_names"] == (name,)
        assert reading.evidence.lines == (f"holds a value: {name}",)


async def test_the_last_of_two_counts_as_it_does_for_the_application(reads: Reads) -> None:
    reading = await reads(GOOD + "# explained\nA_SECRET=hunter2Qw9rTyUi\nA_SECRET=\n")
    assert (reading.values["secrets_with_values"], reading.values["variables"]) == (0, 7)


# -- not knowing -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("held", "reason"),
    [
        (None, Reason.NOT_FOUND),
        ("", Reason.NO_DATA),
        ("# only words\n", Reason.NO_DATA),
        (b"\xff\xfe\x00A", Reason.ERROR),
    ],
)
async def test_a_file_that_says_nothing(reads: Reads, held: Any, reason: Reason) -> None:
    reading = await reads(held)
    assert not reading.values
    assert {unknown.reason for unknown in reading.unknown.values()} == {reason}


async def test_a_folder_is_no_file(reads: Reads, tmp_path: Path) -> None:
    reading = await reads(path=str(tmp_path))
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.NOT_FOUND}


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
async def test_a_file_that_may_not_be_read(reads: Reads, tmp_path: Path) -> None:
    hidden = tmp_path / "hidden"
    hidden.write_text(GOOD)
    hidden.chmod(0)
    reading = await reads(path=str(hidden))
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.ACCESS_DENIED}


async def test_a_file_that_never_answers_is_a_timeout(
    reads: Reads, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.clients.files.WITHIN_S", 0.2)
    os.mkfifo(tmp_path / "pipe")
    reading = await reads(path=str(tmp_path / "pipe"))
    assert {unknown.reason for unknown in reading.unknown.values()} == {Reason.TIMEOUT}


@pytest.mark.parametrize("wrong", [{"required": []}, {"required": ["A B"]}, {"optional": ["1X"]}])
def test_parameters_that_cannot_work_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        EnvExampleParams.model_validate({"required": REQUIRED} | wrong)
