"""A phase is begun as it was shown, or not at all: what the proposal says, and what differs from it."""

from __future__ import annotations

from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta

import pytest

from cockpit.commands.migrate.confirmation import files_of
from cockpit.engine.given_text import typed_reason
from cockpit.engine.ports import Refused
from cockpit.migration.phase_proposal import PhaseProposal, proposal_from
from cockpit.migration.progress import Progress, TableProgress
from cockpit.migration.states import ItemState, PhaseName

SHOWN = PhaseProposal(
    PhaseName.PURGE,
    account="123456789012",
    region="us-east-1",
    principal="arn:aws:iam::123456789012:user/ada",
    database="db.example.com/app",
    bucket="s3://docs/documents/",
    workers="2 processes on here",
    part="",
    files=1204,
    checks=("bucket docs: there",),
    at=datetime(2026, 11, 23, 22, 30, tzinfo=UTC),
)
OTHER = {
    "phase": PhaseName.RESTORE,
    "files": 1205,
    "checks": ("bucket docs: there", "versioning: Suspended"),
}


@pytest.mark.parametrize("name", [each.name for each in fields(PhaseProposal) if each.name not in ("at", "stated")])
def test_whatever_differs_is_named(name: str) -> None:
    now = replace(SHOWN, **{name: OTHER.get(name, "another"), "at": SHOWN.at + timedelta(seconds=9)})  # type: ignore[arg-type]
    (found,) = SHOWN.differences(now)
    assert found.startswith(f"{name} was ")


def test_files_that_were_not_counted_when_it_was_stated_may_be_counted_now() -> None:
    stated = replace(SHOWN, files=None).line
    assert stated in SHOWN.lines
    assert stated not in replace(SHOWN, database="other/app").lines
    assert SHOWN.line not in replace(SHOWN, files=None).lines


def test_what_it_begins_by_is_shown() -> None:
    assert "stated" not in dict(SHOWN.shown())
    assert dict(replace(SHOWN, stated="at 22:30 by ada").shown())["stated"] == "at 22:30 by ada"


def test_a_later_look_at_the_same_differs_in_nothing() -> None:
    assert SHOWN.differences(replace(SHOWN, at=SHOWN.at + timedelta(hours=1))) == ()


def test_it_is_handed_over_whole() -> None:
    assert proposal_from(SHOWN.as_json()) == SHOWN
    for text in ("", "[]", "{}", SHOWN.as_json().replace('"purge"', '"sweep"')):
        with pytest.raises(ValueError, match="this is no proposal of a phase"):
            proposal_from(text)


@pytest.mark.parametrize("phase", PhaseName)
def test_all_of_it_is_shown_and_the_words_name_the_host(phase: PhaseName) -> None:
    proposal = replace(SHOWN, phase=phase)
    shown = " ".join(f"{name} {value}" for name, value in proposal.shown())
    for told in (SHOWN.account, SHOWN.region, SHOWN.principal, SHOWN.database, SHOWN.bucket, "1,204 files", "loses"):
        assert told in shown
    assert "bucket docs: there, at 22:30:00" in shown
    assert proposal.words == f"{phase} db.example.com/app"
    assert typed_reason(proposal.words, f" {proposal.words}: it is time ") == "it is time"


@pytest.mark.parametrize(
    "typed", ["purge app: why not", "purge db.example.com/app", "purge db.example.com/app2: typo", ""]
)
def test_other_words_or_none_and_no_reason_are_refused(typed: str) -> None:
    with pytest.raises(Refused):
        typed_reason(SHOWN.words, typed)


def test_what_was_restored_is_shown_as_to_be_copied_again() -> None:
    tables = [
        TableProgress(label, 9, 0, 0, 0, {ItemState.PLANNED: 1, ItemState.RESTORED: 3, ItemState.VERIFIED: 5})
        for label in ("a", "b")
    ]
    of = Progress(prepared=True, tables=tuple(tables))
    assert (files_of(of, PhaseName.COPY), files_of(of, PhaseName.COPY, "a")) == (8, 4)
    assert (files_of(of, PhaseName.PURGE), files_of(of, PhaseName.RESTORE)) == (10, 10)
