"""Who outside proves when the record was written, as a plan names them."""

from __future__ import annotations

import textwrap
from pathlib import Path

import pytest
from support.plans.written_plan import own_probes, plan, problem
from support.timestamp_authority import TimestampAuthority
from support.transparency_log import TransparencyLog

from cockpit.engine.trusted_plans import TrustedPlans, wanted_by

__all__ = ["own_probes"]
URL = "https://log.example.com"


def block(pem: str) -> str:
    return "|\n" + textwrap.indent(pem, "      ")


def log_part(pem: str, url: str = URL) -> str:
    return f"record:\n  transparency_log:\n    url: {url}\n    key: {block(pem)}"


def test_without_them_nobody_is_asked() -> None:
    made = plan("")
    assert (made.timestamps, made.transparency_log) == (None, None)
    assert not [line for line in wanted_by(made) if "record" in line]


def test_address_and_certificate_or_key_are_named(tmp_path: Path) -> None:
    pem = TimestampAuthority(tmp_path / "tsa").ca.read_text()
    made = plan(f"record:\n  timestamps:\n    url: http://tsa.example.com/tsr\n    root: {block(pem)}")
    assert made.timestamps is not None
    assert (made.timestamps.url, made.timestamps.pem.strip()) == ("http://tsa.example.com/tsr", pem.strip())
    log = TransparencyLog()
    made = plan(log_part(log.pem))
    assert made.transparency_log is not None
    assert made.transparency_log.pem == log.pem


def test_nobody_is_asked_before_the_operator_allows_it(tmp_path: Path) -> None:
    made, trusted = plan(log_part(TransparencyLog().pem)), TrustedPlans(tmp_path / "trusted.json")
    sends = f"the record: sends hashes of the record to the transparency log {URL}, which publishes them"
    assert sends in wanted_by(made)
    assert "cockpit trust" in trusted.record_held_back(made, ())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (log_part("no key\n"), "holds no PEM public key"),
        (log_part(TransparencyLog().pem, "ftp://log"), "url"),
        (f"record:\n  transparency_log:\n    url: {URL}\n", "key"),
        (f"record:\n  timestamps:\n    url: {URL}\n    root: none\n", "holds no PEM certificate"),
    ],
)
def test_what_is_wrong_with_them_is_said(text: str, said: str) -> None:
    assert said in str(problem(text))
