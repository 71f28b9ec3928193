"""No secret survives redaction, redacting twice changes nothing, and no text makes it slow."""

from __future__ import annotations

import doctest
import json
import re

import pytest
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

import probes.redact
from probes.redact import HIDDEN, LIMIT, one_line, redact

LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"


def of(alphabet: str, low: int, high: int = 60) -> st.SearchStrategy[str]:
    return st.text(alphabet, min_size=low, max_size=high)


WORD = of(LETTERS, 8)
DIRTY = of(LETTERS + "!#$%^*-_+/.~@=", 8).filter(lambda text: not text.startswith(("-", "=", "*")))
ANYTHING = of(LETTERS + " \"'\\,;:{}[]()&=@/\n\té☃", 8)
NAMES = st.sampled_from(
    [
        "password", "DB_PASSWORD", "passwd", "pwd", "client_secret", "NEXTAUTH_SECRET", "apiKey", "api-key",
        "ANTHROPIC_API_KEY",
        "AWS_SECRET_ACCESS_KEY", "aws_session_token", "accessToken", "refresh.token", "ENCRYPTION_KEY", "privateKey",
        "credential",
        "SLACK_WEBHOOK_URL", "db_pass", "passphrase",
    ]
)  # fmt: skip
BARE_SHAPES = st.sampled_from(
    [
        "{name}={secret}", "{name}: {secret}", "export {name}={secret}\n", "{name} = {secret}, user=me", "({name}={secret})",
        "{name}=>{secret};", "?{name}={secret}&user=me", '{{"message":"with {name}={secret}","level":"info"}}',
    ]
)  # fmt: skip
SHAPES_OF_KEYS = st.sampled_from(
    [
        "sk-ant-{w}", "sk-{w}{w}", "ghp_{w}{w}{w}", "GOCSPX-{w}", "xoxb-{w}", "https://hooks.slack.com/services/T/{w}",
        "Bearer {w}", "authorization: Basic {w}", "Cookie: theme=dark; session={w}; a=b",
        'Authorization: Digest a="b", response="{w}"',
        "https://x/?X-Amz-Credential=a&X-Amz-Signature={w}&b=c", "https://x/cb?code={w}", "eyJhbGciOiJIUzI1NiJ9.{w}.{w}",
        "-----BEGIN RSA PRIVATE KEY-----\n{w}\n{w}\n-----END RSA PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----\\n{w}",
        "--password {w}",
        "--client-secret {w}", "ALTER ROLE app PASSWORD '{w}'", "{{'Cookie': 'session={w}'}}", "x-api-key: {w}",
        'secret: ["a", "{w}"]',
        'api_token={{"a": "{w}"}}', 'password="{w}', "password='{w}",
    ]
)  # fmt: skip
FRAGMENTS = [
    "password", "_token", "=", ": ", '"', "'", "\\", '\\"', "://", "@", ":", "/", "?", "&", ",", " ", "\n", "[", "]", "{",
    "}", "abc",
    "cookie", "authorization", "bearer ", "sk-ant-x", "eyJ", ".", "-", "--secret", "***", "42", "AKIA",
    "-----BEGIN PRIVATE KEY-----",
    "… [7 more characters]",
]  # fmt: skip


@given(NAMES, BARE_SHAPES, DIRTY)
def test_a_named_secret_does_not_survive(name: str, shape: str, secret: str) -> None:
    assert secret not in redact(shape.format(name=name, secret=secret))


@given(NAMES, ANYTHING.filter(lambda text: len(text.strip()) > 5), st.integers(1, 3))
def test_a_secret_in_json_does_not_survive_however_often_it_is_wrapped(name: str, secret: str, depth: int) -> None:
    text = json.dumps({name: secret, "user": "me"})
    for _ in range(depth - 1):
        text = json.dumps({"line": text})
    hidden = redact(text)
    written = json.dumps(secret)[1:-1]
    for _ in range(depth - 1):
        written = json.dumps(written)[1:-1]
    assert written not in hidden
    assert HIDDEN in hidden


@given(NAMES, ANYTHING.filter(lambda text: len(text.strip()) > 5))
def test_a_secret_in_a_printed_mapping_does_not_survive(name: str, secret: str) -> None:
    assert repr(secret)[1:-1] not in redact(repr({name: secret, "user": "me"}))


@given(SHAPES_OF_KEYS, WORD)
def test_a_secret_of_a_known_shape_does_not_survive(shape: str, word: str) -> None:
    word = f"Q9{word}"
    assert word not in redact(f"before {shape.format(w=word)}")


@given(st.sampled_from(["AKIA", "ASIA"]), of("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", 16, 16))
def test_an_access_key_id_does_not_survive(kind: str, rest: str) -> None:
    assert rest not in redact(f"InvalidAccessKeyId {kind}{rest}_x")


@given(st.sampled_from(["postgresql", "redis", "https"]), st.sampled_from(["", "app", "a.b-c", "me@x.org"]), DIRTY)
@example("postgresql", "app", "pa/ss@wo:rd")
@example("redis", "", "12345/x")
def test_the_password_of_a_url_does_not_survive(scheme: str, user: str, secret: str) -> None:
    assume(not user or not re.match(r"\d{1,5}([/#]|$)", secret))  # reads like a port
    hidden = redact(f"cannot reach {scheme}://{user}:{secret}@db.example.com:5432/x?sslmode=require")
    assert f":{secret}@" not in hidden
    assert hidden.endswith("@db.example.com:5432/x?sslmode=require")


@pytest.mark.parametrize(
    "text",
    [
        "http://host:3000/login?email=me@x.org",
        "https://us-east-1.console.aws.amazon.com/ecs/v2/clusters/c/services/s/health?region=us-east-1",
        "ecs describe-services --cluster c --services s",
        "secretsmanager describe-secret --secret-id {transparent-trust/encryption-key,transparent-trust/nextauth-secret}",
        "arn:aws:ecs:us-east-1:123456789012:task/transparent-trust-prod/0f",
        "run `aws sso login --profile night`, then press r",
        "Using environment variable fallback for transparent-trust/encryption-key",
        "2 tasks healthy, 0 failed",
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert redact(text) == text


def test_the_rest_of_a_json_line_stays_readable() -> None:
    line = '{"inputTokens":512,"durationMs":4000,"error":{"accessToken":"abc","status":429}}'
    assert redact(line) == '{"inputTokens":***,"durationMs":4000,"error":{"accessToken":***,"status":429}}'


@pytest.mark.parametrize(("words", "shape"), [(words, shape) for words, shape, _ in probes.redact._PATTERNS])
@given(st.data())
@settings(max_examples=4)
def test_no_shape_is_without_the_words_it_is_looked_for_by(
    words: tuple[str, ...], shape: re.Pattern[str], data: st.DataObject
) -> None:
    text = data.draw(st.from_regex(shape, alphabet=st.characters(codec="ascii")))
    assert any(word in text.lower() for word in words)


@pytest.mark.parametrize("name", ["pa\u017f\u017fword", "to\u212aen", "ap\u0131_\u212aey", "AUTHOR\u0130ZATION"])
def test_a_letter_that_only_ignoring_case_makes_another_hides_no_name(name: str) -> None:
    assert "hunter2hunter2" not in redact(f"{name}=hunter2hunter2")


@settings(max_examples=4 * settings().max_examples)
@given(st.lists(st.sampled_from(FRAGMENTS), max_size=24).map("".join))
def test_redacting_twice_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@given(st.integers(0, 9000), st.sampled_from(["x", "a b ", "pwd=a ", "pwd=a;", "postgres://u:pa@h "]))
@settings(max_examples=12)
def test_redacting_long_text_twice_changes_nothing(over: int, unit: str) -> None:
    text = (unit * LIMIT)[: LIMIT - 100 + over]
    once = redact(text)
    assert redact(once) == once
    assert len(once) <= LIMIT + 40


def test_long_text_is_cut_and_says_by_how_much() -> None:
    hidden = redact("x" * (LIMIT + 1000))
    assert hidden == "x" * LIMIT + "… [1000 more characters]"
    assert redact("x" * LIMIT) == "x" * LIMIT


@pytest.mark.parametrize(
    "secret", ["postgres://app:s3cretword@db/x", "AKIAIOSFODNN7EXAMPLE", "'postgres://app:s3cretword@db/x'"]
)
def test_a_cut_does_not_go_through_a_secret(secret: str) -> None:
    for inside in range(1, len(secret), 3):
        text = "a " * ((LIMIT - inside) // 2 - 1)
        hidden = redact(text + " " * (LIMIT - inside - len(text)) + secret + " end")
        assert "s3cret" not in hidden
        assert "AKIAIOS" not in hidden


def test_one_line_is_one_line_and_short() -> None:
    assert one_line("a\n  b\tpassword=hunter2", 300) == "a b password=***"
    assert len(one_line("x" * 1000, 50)) == 50


def test_the_examples_in_the_documentation_hold() -> None:
    assert doctest.testmod(probes.redact).failed == 0
