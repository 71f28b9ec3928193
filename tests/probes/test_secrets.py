"""Secrets: there, current and real. Whatever happens, no value of one ever gets out."""

from __future__ import annotations

import base64
import json
import logging
import pickle
import traceback
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest
from botocore.exceptions import ReadTimeoutError
from moto import mock_aws
from pydantic import ValidationError
from support.aws.wire import AnsweringAws, refusal, wire

from probes.aws.secrets_manager import MetadataParams, SecretMetadata, SecretValue, ValueParams
from probes.clients.clients import AwsOptions, Clients
from probes.reading import Reading, Reason, Unseen

NOW = datetime(2026, 11, 23, 22, 30, tzinfo=UTC)
NAMES = ["transparent-trust/encryption-key", "transparent-trust/google-oauth"]
GONE = refusal("ResourceNotFoundException", "Secrets Manager can't find the specified secret.")
KEY = "fWq8Zr2LpXn5Vt7KbYc3Hd9Gs4Jm6Ae1"
NOT_KNOWING = [
    (refusal("AccessDeniedException", "User is not authorized"), Reason.ACCESS_DENIED),
    (refusal("ThrottlingException", "Rate exceeded"), Reason.THROTTLED),
    (refusal("ExpiredTokenException", "expired"), Reason.EXPIRED_CREDENTIALS),
    (refusal("InternalServiceError", "oops", 500), Reason.ERROR),
    (ReadTimeoutError(endpoint_url="https://secretsmanager"), Reason.TIMEOUT),
]


@pytest.fixture
async def aws() -> AsyncIterator[AnsweringAws]:
    answering = AnsweringAws()
    yield answering
    await answering.clients.close()


# -- secrets.metadata -------------------------------------------------------------------------------------------------


def about(name: str, days: float | None = 1, **more: Any) -> dict[str, Any]:
    """A secret whose current version is so many days old; changed (a tag) a minute ago."""
    made = {} if days is None else {"_made": NOW - timedelta(days=days)}
    changed = NOW - timedelta(minutes=1)
    return {"Name": name, "LastChangedDate": changed, "VersionIdsToStages": {"v" * 32: ["AWSCURRENT"]}} | made | more


def versions(secret: dict[str, Any]) -> dict[str, Any]:
    """What ListSecretVersionIds answers: newest first, the previous version among them."""
    found = []
    for number, (version, stages) in enumerate((secret.get("VersionIdsToStages") or {}).items()):
        made = {} if secret.get("_made") is None else {"CreatedDate": secret["_made"].timestamp() - number}
        found.append({"VersionId": version, "VersionStages": stages} | made)
    before = {
        "VersionId": "p" * 32,
        "VersionStages": ["AWSPREVIOUS"],
        "CreatedDate": (NOW - timedelta(days=90)).timestamp(),
    }
    return {"Name": secret["Name"], "Versions": [before, *found]}


async def metadata(aws: AnsweringAws, *found: Any, after: datetime | None = None, listed: Any = None) -> Reading:
    by_name = dict(zip(NAMES, found, strict=True))

    def answer(asked: dict[str, Any]) -> Any:
        found = by_name[asked["SecretId"]]
        shown = {key: value for key, value in found.items() if key != "_made"} if isinstance(found, dict) else found
        return wire(shown) if isinstance(shown, dict) else shown

    aws.on["DescribeSecret"] = answer
    aws.on["ListSecretVersionIds"] = listed or (lambda asked: wire(versions(by_name[asked["SecretId"]])))
    return await SecretMetadata(MetadataParams(names=NAMES, rotated_after=after), aws.clients).read(NOW)


async def test_all_present(aws: AnsweringAws) -> None:
    reading = await metadata(aws, about(NAMES[0], 1), about(NAMES[1], 3))
    assert reading.values == {
        "all_present": True,
        "missing_count": 0,
        "deleted_count": 0,
        "without_current": 0,
        "oldest_version_age_s": 3 * 86400.0,
    }
    assert {name: u.reason for name, u in reading.unknown.items()} == {
        "missing": Reason.NO_DATA,
        "all_rotated": Reason.NO_DATA,
    }
    assert "rotated_after" in reading.unknown["all_rotated"].detail


async def test_a_missing_secret_is_an_answer_and_named(aws: AnsweringAws) -> None:
    reading = await metadata(aws, about(NAMES[0]), GONE)
    assert (reading.values["all_present"], reading.values["missing_count"]) == (False, 1)
    assert reading.values["missing"] == (NAMES[1],)
    assert reading.evidence.lines[0] == f"missing: {NAMES[1]}"


@pytest.mark.parametrize("other", [GONE, about(NAMES[1], None)])
async def test_the_age_of_the_others_says_nothing_of_one_without_a_date(aws: AnsweringAws, other: Any) -> None:
    reading = await metadata(aws, about(NAMES[0], 1), other)
    assert reading.unknown["oldest_version_age_s"].reason is Reason.NO_DATA


async def test_all_missing_have_no_age(aws: AnsweringAws) -> None:
    reading = await metadata(aws, GONE, GONE, after=NOW)
    assert (reading.values["missing_count"], reading.values["all_rotated"]) == (2, False)
    assert reading.unknown["oldest_version_age_s"].reason is Reason.NO_DATA


async def test_a_secret_on_its_way_out_is_not_present(aws: AnsweringAws) -> None:
    values = (await metadata(aws, about(NAMES[0], DeletedDate=NOW), about(NAMES[1]))).values
    assert (values["all_present"], values["deleted_count"]) == (False, 1)


@pytest.mark.parametrize("stages", [{}, None, {"v" * 32: ["AWSPENDING"]}, {"v" * 32: ["AWSPREVIOUS"]}])
async def test_a_secret_without_a_current_version_is_not_present(aws: AnsweringAws, stages: Any) -> None:
    values = (await metadata(aws, about(NAMES[0], VersionIdsToStages=stages), about(NAMES[1]))).values
    assert (values["all_present"], values["without_current"]) == (False, 1)


@pytest.mark.parametrize("zone", [UTC, None])
async def test_rotated_means_every_one_and_after_the_moment(aws: AnsweringAws, zone: Any) -> None:
    after = (NOW - timedelta(days=2)).replace(tzinfo=zone)
    assert (await metadata(aws, about(NAMES[0], 1), about(NAMES[1], 1), after=after)).values["all_rotated"] is True
    assert (await metadata(aws, about(NAMES[0], 1), about(NAMES[1], 3), after=after)).values["all_rotated"] is False
    assert (await metadata(aws, about(NAMES[0], 1), GONE, after=after)).values["all_rotated"] is False


async def test_the_current_version_is_found_on_whichever_page_it_is(aws: AnsweringAws) -> None:
    """A page may be empty though more follow."""

    def answer(asked: dict[str, Any]) -> Any:
        empty = {"Name": asked["SecretId"], "Versions": [], "NextToken": "more"}
        return wire(versions(about(asked["SecretId"])) if asked.get("NextToken") else empty)

    reading = await metadata(aws, about(NAMES[0]), about(NAMES[1]), after=NOW - timedelta(days=2), listed=answer)
    assert reading.values["all_rotated"] is True


async def test_a_version_without_a_date_is_neither_rotated_nor_not(aws: AnsweringAws) -> None:
    reading = await metadata(aws, about(NAMES[0]), about(NAMES[1], None), after=NOW - timedelta(days=2))
    assert reading.unknown["all_rotated"].reason is Reason.NO_DATA
    assert NAMES[1] in reading.unknown["all_rotated"].detail


async def test_a_tag_added_rotates_nothing(aws: AnsweringAws) -> None:
    """LastChangedDate moves with any change; the version that is current does not."""
    after = NOW - timedelta(days=2)
    reading = await metadata(aws, about(NAMES[0], 30), about(NAMES[1], 1), after=after)
    assert reading.values["all_rotated"] is False
    assert "2026-10-24" in reading.evidence.lines[0]


@pytest.mark.parametrize(("refused", "reason"), NOT_KNOWING)
async def test_versions_that_may_not_be_listed_make_the_rotation_unknown_and_nothing_else(
    aws: AnsweringAws, refused: Any, reason: Reason
) -> None:
    reading = await metadata(aws, about(NAMES[0]), about(NAMES[1]), after=NOW - timedelta(days=2), listed=refused)
    assert reading.values["all_present"] is True
    assert {reading.unknown[name].reason for name in ("all_rotated", "oldest_version_age_s")} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "secretsmanager:ListSecretVersionIds" in reading.unknown["all_rotated"].hint


async def test_one_that_is_surely_not_rotated_decides_whatever_cannot_be_seen(aws: AnsweringAws) -> None:
    def answer(asked: dict[str, Any]) -> Any:
        if asked["SecretId"] == NAMES[1]:
            return refusal("AccessDeniedException")
        return wire(versions(about(NAMES[0], 30)))

    reading = await metadata(aws, about(NAMES[0], 30), about(NAMES[1]), after=NOW - timedelta(days=2), listed=answer)
    assert reading.values["all_rotated"] is False


@pytest.mark.parametrize(("said", "reason"), NOT_KNOWING)
async def test_one_that_cannot_be_described_makes_all_unknown(aws: AnsweringAws, said: Any, reason: Reason) -> None:
    reading = await metadata(aws, about(NAMES[0]), said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "secretsmanager:DescribeSecret" in reading.unknown["all_present"].hint


def test_an_empty_list_is_refused() -> None:
    with pytest.raises(ValidationError):
        MetadataParams(names=[])


# -- secrets.value ----------------------------------------------------------------------------------------------------


async def value(aws: AnsweringAws, held: Any, **params: Any) -> Reading:
    aws.on["GetSecretValue"] = wire({"Name": "s", "SecretString": held}) if isinstance(held, str) else held
    return await SecretValue(ValueParams(secret="s", **params), aws.clients).read(NOW)


async def test_a_real_key_passes_every_check(aws: AnsweringAws) -> None:
    reading = await value(aws, KEY, min_length=32, aes_256_gcm=True)
    assert reading.values == {"ok": True, "as_read": True, "long_enough": True, "real": True, "encrypts": True}
    assert reading.unknown["has_keys"].detail == "the plan does not ask for it"


async def test_only_what_the_plan_asks_for_decides(aws: AnsweringAws) -> None:
    reading = await value(aws, "f7Gq-short")
    assert reading.values == {"ok": True, "as_read": True, "long_enough": True, "real": True}
    assert set(reading.unknown) == {"has_keys", "encrypts"}


async def test_a_short_one_is_not_ok(aws: AnsweringAws) -> None:
    values = (await value(aws, KEY, min_length=33)).values
    assert (values["long_enough"], values["ok"]) == (False, False)


@pytest.mark.parametrize("held", [KEY[:31] + "\n", "  " + KEY[:30] + "  "])
async def test_space_that_came_with_the_paste_makes_no_key_longer(aws: AnsweringAws, held: str) -> None:
    values = (await value(aws, held, min_length=32)).values
    assert (values["long_enough"], values["ok"]) == (False, False)


@pytest.mark.parametrize(
    "placeholder",
    [
        "", "   ", "sk-ant-...", "sk-ant-…", "your-32-char-encryption-key", "your_api_key_here", "YOUR KEY", "changeme",
        "change-me",
        "REPLACE_WITH_REAL_KEY", "placeholder", "example", "test", "secret", "password", "TODO", "xxxxxxxx", "null", "None",
        "<api key>",
        "[API_KEY]", "${ANTHROPIC_API_KEY}", "{{ api_key }}", "0" * 32, "0123456789abcdef0123456789abcdef", "12345678", "{}",
        "null\n",
        "sk-ant-xxxx", "sk-ant-api03-XXXXXXXXXXXX", "GOCSPX-xxx", "openssl rand -base64 32", "generate-with-a-tool", "YOURAPIKEY",
        "paste-key-in", "local-dev-secret", "key-goes-here", "supersecret", "n/a", "a" * 16 + "b" * 16, "abcdefghijklmnop1234",
        '{"web": {"client_id": "id-7f", "client_secret": ""}}', '{"uris": ["https://a7.company.com", "your-domain"]}',
        '{"client_id": "xxx.apps.googleusercontent.com", "client_secret": "b8Q"}',
        '{"client_id": "id-7f", "client_secret": "your-client-secret"}', '{"client_id": ""}', '{"client_id": null}',
    ],
)  # fmt: skip
async def test_a_placeholder_is_not_real(aws: AnsweringAws, placeholder: str) -> None:
    values = (await value(aws, placeholder)).values
    assert (values["real"], values["ok"]) == (False, False)


@pytest.mark.parametrize(
    "held",
    [
        KEY, "sk-ant-api03-Zk3vQ", "hunter2-and-more", '{"id": "a7", "port": 5}', "[1", "5f" * 32, "aXx3-xxy_XX4.there",
        '{"client_id": "481516234299-q7.apps.googleusercontent.com", "redirect_uris": ["https://dev.company.com/api/auth"]}',
    ],
)  # fmt: skip
async def test_a_real_value_is_real(aws: AnsweringAws, held: str) -> None:
    assert (await value(aws, held)).values["real"] is True


@pytest.mark.parametrize(
    ("held", "has"),
    [
        ('{"client_id": "a7", "client_secret": "b8"}', True),
        ('{"client_id": "a7", "client_secret": "b8", "more": 1}', True),
        ('{"client_id": "a7"}', False),
        ('{"client_id": "a7", "client_secret": ""}', False),
        ('{"web": {"client_id": "a7", "client_secret": "b8"}}', False),
        ('["client_id", "client_secret"]', False),
        ("client_id client_secret", False),
        ("[" * 100_000, False),
    ],
)
async def test_a_json_secret_has_every_key(aws: AnsweringAws, held: str, has: bool) -> None:
    values = (await value(aws, held, json_keys=["client_id", "client_secret"])).values
    assert (values["has_keys"], values["ok"]) == (has, has)


@pytest.mark.parametrize(
    ("held", "encrypts"),
    [
        (KEY, True),
        (KEY + "longer", True),
        ("5f" * 32, True),
        (KEY[:31], False),
        ("5f" * 15, False),
        ("é" * 15 + "x", False),
        ("\ud800" * 32, True),
    ],
)
async def test_a_key_makes_the_round_trip_of_aes_256_gcm(aws: AnsweringAws, held: str, encrypts: bool) -> None:
    assert (await value(aws, held, aes_256_gcm=True)).values["encrypts"] is encrypts


async def test_the_value_is_judged_not_the_wrapper_the_console_stores(aws: AnsweringAws) -> None:
    """The console's key/value form stores JSON; the key itself has two characters."""
    reading = await value(aws, '{"transparent-trust/encryption-key": "k7"}', min_length=32, aes_256_gcm=True)
    assert (reading.values["ok"], reading.values["long_enough"], reading.values["encrypts"]) == (False, False, False)
    assert "stored as JSON with the keys: transparent-trust/encryption-key" in reading.evidence.lines


async def test_json_whose_application_reads_the_whole_text_is_not_ok(aws: AnsweringAws) -> None:
    reading = await value(aws, json.dumps({"encryption-key": KEY}), min_length=32, aes_256_gcm=True)
    assert (reading.values["long_enough"], reading.values["encrypts"], reading.values["as_read"]) == (True, True, False)
    assert reading.values["ok"] is False
    assert any("reads the whole text gets that JSON" in line for line in reading.evidence.lines)


async def test_the_key_that_the_application_reads_is_the_one_judged(aws: AnsweringAws) -> None:
    held = json.dumps({"key": KEY, "note": "made by hand on 1 March"})
    good = await value(aws, held, json_key="key", min_length=32, aes_256_gcm=True)
    assert (good.values["ok"], good.values["as_read"], good.values["encrypts"]) == (True, True, True)
    other = await value(aws, held, json_key="kye", min_length=32)
    assert (other.values["ok"], other.values["as_read"], other.values["long_enough"]) == (False, False, False)
    plain = await value(aws, KEY, json_key="key", min_length=32)
    assert (plain.values["ok"], plain.values["as_read"]) == (False, False)
    assert "stored as plain text; the plan reads the JSON key key" in plain.evidence.lines


async def test_each_of_several_keys_is_long_enough_or_it_is_not_ok(aws: AnsweringAws) -> None:
    held = json.dumps({"client_id": "481516234299-q7", "client_secret": "b8"})
    values = (await value(aws, held, json_keys=["client_id", "client_secret"], min_length=10)).values
    assert (values["has_keys"], values["long_enough"], values["ok"]) == (True, False, False)


def test_one_key_or_several() -> None:
    with pytest.raises(ValidationError, match="not both"):
        ValueParams(secret="s", json_key="a", json_keys=["b"])


async def test_a_binary_secret_is_not_judged(aws: AnsweringAws) -> None:
    held = base64.b64encode(KEY.encode()).decode()
    reading = await value(aws, wire({"Name": "s", "SecretBinary": held}))
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}
    assert "binary" in reading.unknown["ok"].detail
    assert KEY not in repr(reading)


async def test_an_answer_without_a_value_is_not_judged(aws: AnsweringAws) -> None:
    reading = await value(aws, wire({"Name": "s"}))
    assert {u.reason for u in reading.unknown.values()} == {Reason.NO_DATA}


@pytest.mark.parametrize(("said", "reason"), [*NOT_KNOWING, (GONE, Reason.NOT_FOUND)])
async def test_not_knowing_the_value(aws: AnsweringAws, said: Any, reason: Reason) -> None:
    reading = await value(aws, said)
    assert not reading.values
    assert {u.reason for u in reading.unknown.values()} == {reason}
    if reason is Reason.ACCESS_DENIED:
        assert "secretsmanager:GetSecretValue" in reading.unknown["ok"].hint


async def test_a_secret_scheduled_for_deletion_says_how_to_bring_it_back(aws: AnsweringAws) -> None:
    words = "You can't perform this operation on the secret because it was marked for deletion."
    reading = await value(aws, refusal("InvalidRequestException", words))
    assert "restore-secret" in reading.unknown["ok"].hint


# -- no value gets out ------------------------------------------------------------------------------------------------

BROKEN = wire('{"Name": "s", "SecretString": "%s"' % KEY)  # noqa: UP031 - an answer cut off on its way


@pytest.mark.parametrize(
    "held",
    [
        KEY,
        json.dumps({"client_id": KEY, "client_secret": KEY}),
        KEY + "\ud800",
        BROKEN,
        wire({"Name": "s", "SecretBinary": base64.b64encode(KEY.encode()).decode()}),
        wire({"Name": "s", "SecretString": KEY}, 500),
        refusal("InternalServiceError", f"cannot store password={KEY}", 500),
    ],
)
async def test_the_value_is_in_no_reading_log_exception_or_repr(
    aws: AnsweringAws, held: Any, caplog: pytest.LogCaptureFixture
) -> None:
    botocore = logging.getLogger("botocore")
    level = botocore.level
    try:
        botocore.setLevel(logging.INFO)  # as AwsClient sets it for the clients it makes
        caplog.set_level(logging.DEBUG)
        probe = SecretValue(
            ValueParams(secret="s", min_length=8, json_keys=["client_id"], aes_256_gcm=True), aws.clients
        )
        aws.on["GetSecretValue"] = wire({"Name": "s", "SecretString": held}) if isinstance(held, str) else held
        reading = await probe.read(NOW)
    finally:
        botocore.setLevel(level)
    texts = [repr(reading), str(reading), pickle.dumps((dict(reading.values), dict(reading.unknown))).decode("latin-1")]
    texts += [
        repr(probe),
        repr(probe.params),
        repr(vars(probe)),
        caplog.text,
        repr([r.__dict__ for r in caplog.records]),
    ]
    for text in texts:
        assert KEY not in text
        assert base64.b64encode(KEY.encode()).decode() not in text


async def test_a_refused_call_s_exception_holds_no_earlier_value(aws: AnsweringAws) -> None:
    await value(aws, KEY)
    aws.on["GetSecretValue"] = refusal("AccessDeniedException")
    with pytest.raises(Unseen) as raised:
        await aws.clients.aws("secretsmanager", "get_secret_value", SecretId="s")
    shown = traceback.TracebackException.from_exception(raised.value, capture_locals=True)
    assert KEY not in "".join(shown.format())
    assert raised.value.__suppress_context__


async def test_against_a_simulated_secrets_manager(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    monkeypatch.delenv("AWS_PROFILE", raising=False)
    with mock_aws():
        manager = boto3.client("secretsmanager", "us-east-1")
        manager.create_secret(Name=NAMES[0], SecretString=KEY)
        manager.create_secret(Name=NAMES[1], SecretString='{"client_id": "a7", "client_secret": "b8"}')
        clients = Clients(AwsOptions(region="us-east-1"))
        caplog.set_level(logging.DEBUG)
        caplog.clear()
        good = await SecretValue(ValueParams(secret=NAMES[0], min_length=32, aes_256_gcm=True), clients).read(NOW)
        both = await SecretMetadata(MetadataParams(names=NAMES), clients).read(NOW)
        manager.delete_secret(SecretId=NAMES[0])
        deleted = await SecretMetadata(MetadataParams(names=NAMES), clients).read(NOW)
        hidden = await SecretValue(ValueParams(secret=NAMES[0]), clients).read(NOW)
        gone = await SecretMetadata(MetadataParams(names=["gone"]), clients).read(NOW)
        await clients.close()
    assert good.values["ok"] is True
    assert both.values["all_present"] is True
    assert (deleted.values["all_present"], deleted.values["deleted_count"]) == (False, 1)
    assert hidden.unknown["ok"].reason is Reason.NOT_FOUND
    assert gone.values["missing"] == ("gone",)
    assert KEY not in caplog.text + repr(good)
