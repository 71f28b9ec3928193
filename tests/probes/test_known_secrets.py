"""What is known to be secret never comes out again, however it is written; what is plainly public does."""

from __future__ import annotations

import base64
import html
import json
import re
import shlex
from collections.abc import Callable
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.clients.dsn import libpq_parameters
from probes.display_text import visible
from probes.known_secrets import HIDDEN, KnownSecrets, hide, is_public, remember, words_of
from probes.reading import Unseen
from probes.redact import redact

SECRET = "p@ss/w0rd!+ü'\"\\x&<y"


def b64(text: str, before: str = "", after: str = "") -> str:
    return base64.b64encode(f"{before}{text}{after}".encode()).decode()


SHAPES: dict[str, Callable[[str], str]] = {
    "as it is": lambda s: s,
    "inside a word": lambda s: f"x{s}y",
    "after =": lambda s: f"x={s}",
    "after ,": lambda s: f"a,{s},b",
    "in brackets": lambda s: f"[{s}]",
    "with CR": lambda s: f"{s}\r",
    "with CR LF": lambda s: f"{s}\r\n",
    "with LF": lambda s: f"{s}\n",
    "with spaces": lambda s: f"  {s}  ",
    "with NUL": lambda s: f"{s}\0",
    "twice": lambda s: s + s,
    "in a line": lambda s: f'psycopg.OperationalError: could not connect with "{s}"',
    "URL-encoded": lambda s: quote(s, safe=""),
    "URL-encoded, slashes kept": quote,
    "URL-encoded, lower-case": lambda s: re.sub(r"%\w\w", lambda found: found[0].lower(), quote(s, safe="")),
    "form-encoded": quote_plus,
    "in a form": lambda s: urlencode({"a": s}),
    "in a URL's userinfo": lambda s: f"https://u:{quote(s, safe='')}@h/",
    "in a DSN": lambda s: f"postgresql://u:{quote(s, safe='')}@h:5432/d",
    "in libpq's words": lambda s: f"host=h password={s} user=u",
    "JSON": json.dumps,
    "JSON, not ASCII": lambda s: json.dumps(s, ensure_ascii=False),
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)),
    "JSON in JSON, not ASCII": lambda s: json.dumps(json.dumps(s, ensure_ascii=False)),
    "JSON object": lambda s: json.dumps({"a": [s]}),
    "repr": repr,
    "repr of a dict": lambda s: repr({"a": s}),
    "exception": lambda s: repr(ValueError(s)),
    "exception's text": lambda s: str(KeyError(s)),
    "HTML": html.escape,
    "HTML text": lambda s: html.escape(s, quote=False),
    "SQL": lambda s: "'" + s.replace("'", "''") + "'",
    "SQL, escaped": lambda s: s.replace("\\", "\\\\"),
    "shell": shlex.quote,
    "environment": lambda s: f"EXPORT A={s}",
    "argv": lambda s: repr(["psql", "--dbname", s]),
    "a command line": lambda s: f"psql -v x={shlex.quote(s)}",
    "shown": visible,
    "base64": b64,
    "base64 from its second byte": lambda s: b64(s, "a"),
    "base64 from its third byte": lambda s: b64(s, "ab"),
    "base64 with more behind": lambda s: b64(s, "ab", "rest"),
    "Basic": lambda s: f"Basic {b64(s, 'user:')}",
    "base64 for URLs": lambda s: base64.urlsafe_b64encode(s.encode()).decode(),
    "base64 for URLs, moved": lambda s: base64.urlsafe_b64encode(f"a{s}bc".encode()).decode(),
    "base64 without padding": lambda s: b64(s).rstrip("="),
    "base64 of JSON": lambda s: b64(json.dumps({"p": s})),
    "hex": lambda s: s.encode().hex(),
    "HEX": lambda s: s.encode().hex().upper(),
}


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("secret", [SECRET, "Zx9kQ2mV7bN4", "correct horse battery"])
def test_no_shape_of_a_known_secret_is_left(shape: str, secret: str) -> None:
    known = KnownSecrets()
    known.remember(secret)
    written = SHAPES[shape](secret)
    hidden = known.hide(written)
    assert HIDDEN in hidden, shape
    assert secret not in hidden
    assert known.hide(hidden) == hidden


def test_there_are_forty_nine_shapes() -> None:
    assert len(SHAPES) == 49


@given(
    st.text(min_size=6, max_size=40).filter(lambda text: len(text.strip()) >= 6),
    st.binary(max_size=5),
    st.binary(max_size=5),
)
def test_base64_never_decodes_to_it_again(secret: str, before: bytes, after: bytes) -> None:
    secret = secret.encode("utf-8", "replace").decode()
    known = KnownSecrets()
    known.remember(secret)
    if known.hide(secret.strip()) != HIDDEN:
        return  # a public form, or a short word inside others
    data = base64.b64encode(before + secret.strip().encode() + after).decode()
    assert known.hide(data) != data


@pytest.mark.parametrize("public", ["prod", "1", "true", "us-east-1", "123456789012", "8080", "a\r\n", "******"])
def test_what_is_short_or_has_a_public_form_is_shown(public: str) -> None:
    known = KnownSecrets()
    known.remember(public)
    assert known.hide(f"in {public} now") == f"in {public} now"


def test_a_word_of_the_plan_is_no_secret() -> None:
    known = KnownSecrets()
    known.remember("orders-production", public=words_of('vars: {cluster: "orders-production"}'))
    assert known.hide("orders-production") == "orders-production"


def test_a_short_word_is_hidden_alone_and_not_inside_others() -> None:
    known = KnownSecrets()
    known.remember("postgres")
    assert known.hide('postgresql: "postgres" refused') == f'postgresql: "{HIDDEN}" refused'


@pytest.mark.parametrize(
    ("name", "value", "declared", "public"),
    [
        ("cluster", "orders-production", "orders-staging", True),
        ("url", "https://app.example.com/health", "http://localhost", True),
        ("image", "ghcr.io/shop/web@sha256:" + "a" * 64, "none", True),
        ("tasks", "4", 2, True),
        ("token", "orders-production", "orders-staging", False),
        ("cluster", "orders-production", "", False),
        ("cluster", "hunter2hunter2", "orders", False),
        ("cluster", "Zx9kQ2mV7bN4", "orders", False),
        ("url", "https://u:secret@app.example.com", "http://localhost", False),
        ("anything", "value", "${env:X}", False),
    ],
)
def test_a_var_is_public_only_where_the_plan_publishes_such_values(
    name: str, value: str, declared: object, public: bool
) -> None:
    assert is_public(name, value, declared) is public


@pytest.mark.parametrize(
    "dsn",
    [
        "postgresql://app:half@otherhalf@db.example.com/x",
        "postgresql://app:half/otherhalf@db.example.com/x",
        "postgresql://app:half?otherhalf@db.example.com/x",
        "postgresql://app:12?otherhalf@db.example.com/x",
        "postgresql://app:half:otherhalf@db@x/y",
        "mysql://app:half@otherhalf@db/x",
        "host=db password=half otherhalf",
    ],
)
def test_a_connection_string_that_cannot_be_parsed_is_not_shown_in_part(dsn: str) -> None:
    with pytest.raises(Unseen) as raised:
        libpq_parameters(dsn, 1000)
    said = f"{raised.value.unknown.detail} {raised.value.unknown.hint}"
    assert "half" not in said
    assert dsn not in redact(f"nothing at {dsn}")
    assert "otherhalf" not in redact(f"nothing at {dsn}")


def test_the_password_of_a_connection_string_is_known_from_its_first_use() -> None:
    libpq_parameters("postgresql://app:N3verSeen%21@db/x", 1000)
    assert hide("N3verSeen! and N3verSeen%21") == f"{HIDDEN} and {HIDDEN}"


def test_the_redactor_knows_them() -> None:
    remember("Qz7-unlikely")
    assert redact("it was Qz7-unlikely.") == f"it was {HIDDEN}."
