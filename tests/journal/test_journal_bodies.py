"""What deciding looks at survives the journal exactly; what must not enter does not."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.records.short_record import START, change, make_folder, open_journal

from cockpit.decide.events import Change, Entry, Occurrence, PhaseBegan, SignOff
from cockpit.decide.states import State, Word
from cockpit.journal.codec import _KINDS, from_body, to_body, type_of, without_secrets
from cockpit.journal.entry import Type
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase

ZONES = st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=45)), timezone(timedelta(hours=-9))])
TIMES = st.datetimes(datetime(2000, 1, 2), datetime(2199, 12, 30), timezones=ZONES)
OCCURRENCES = st.lists(st.builds(Occurrence, TIMES, st.text()), max_size=3).map(tuple)
VALUES = {
    datetime: TIMES,
    datetime | None: TIMES | st.none(),
    str: st.text(),
    bool: st.booleans(),
    int: st.integers(0, 10**9),
    Phase: st.sampled_from(Phase),
    tuple[str, ...]: st.lists(st.text(), max_size=3).map(tuple),
    tuple[Occurrence, ...] | None: OCCURRENCES | st.none(),
}
WORDS = {"choice": st.sampled_from(["go", "no-go", "hold"]), "outcome": st.sampled_from(["done", "failed", "open"])}
ENTRIES = st.one_of(
    [
        st.builds(
            kind,
            **{
                each.name: WORDS.get(each.name, VALUES[get_type_hints(kind)[each.name]])
                for each in fields(kind)
                if each.name != "proof"
            },
        )
        for kind in _KINDS.values()
    ]
)


def test_every_kind_of_entry_has_a_body() -> None:
    assert set(_KINDS.values()) == set(Entry.__args__)


@settings(suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(ENTRIES, max_size=8))
def test_every_record_survives(entries: list[Entry]) -> None:
    bodies = [json.loads(json.dumps(to_body(entry))) for entry in entries]
    assert [from_body(body) for body in bodies] == entries


@settings(max_examples=20)
@given(st.lists(ENTRIES, max_size=5))
def test_every_record_survives_the_file(tmp_path_factory: pytest.TempPathFactory, entries: list[Entry]) -> None:
    folder = make_folder(tmp_path_factory.mktemp("records"))
    journal = open_journal(folder)
    lines = journal.extend([Draft.of(entry) for entry in entries])
    journal.close()
    kept = [from_body(line.entry.body) for _, line in folder.lines()]
    kept = [entry for entry in kept if entry is not None]
    assert kept == [from_body(line.entry.body) for line in lines]
    shown = [without_secrets(to_body(entry)) for entry in entries]
    assert [to_body(entry) for entry in kept if entry is not None] == shown


def test_what_earlier_versions_wrote_is_read_as_it_was_meant() -> None:
    """They named no trips and no occurrence: None, which is not the same as naming none."""
    at = "2026-01-02T22:00:00+00:00"
    said = {"by": "ann", "why": "it burns", "role": "on_call", "plan_digest": "d"}
    decision = from_body({"kind": "decision", "at": at, "choice": "execute", "advised": "ROLLBACK"} | said)
    seen = from_body({"kind": "acknowledgement", "at": at, "subject": "alarm"} | said)
    turned = from_body({"kind": "change", "at": at, "subject": "verdict", "before": "HOLD", "after": "ROLLBACK"})
    assert (decision.answers, decision.until) == (None, None)  # type: ignore[union-attr]
    assert seen.since is None  # type: ignore[union-attr]
    assert turned.latched is None  # type: ignore[union-attr]


@pytest.mark.parametrize(
    "odd",
    [{"answers": "all"}, {"answers": [{"subject": "a"}]}, {"answers": [7]}, {"answers": [{"x": 1}]}, {"until": "soon"}],
)
def test_a_decision_that_names_its_trips_oddly_is_not_valid(odd: dict[str, object]) -> None:
    body = {"kind": "decision", "at": "2026-01-02T22:00:00+00:00", "choice": "execute", "by": "ann", "why": "it burns"}
    with pytest.raises(ValueError, match="decision"):
        from_body(body | odd)


def test_the_verdict_turning_is_a_trigger_and_a_phase_nobody_began_a_note() -> None:
    assert type_of(Change(START, "verdict", Word.GO, Word.ROLLBACK)) is Type.TRIGGER
    assert type_of(Change(START, "errors", State.PENDING, State.TRIPPED)) is Type.TRIGGER
    assert type_of(change()) is Type.PROBE
    assert type_of(PhaseBegan(START, Phase.PRE_DEPLOY)) is Type.NOTE
    assert type_of(PhaseBegan(START, Phase.POST_DEPLOY, "alex")) is Type.DECISION


@pytest.mark.parametrize(
    "broken",
    [
        {"kind": "vote"},
        {"kind": "change", "at": "yesterday", "subject": "a", "before": "", "after": ""},
        {"kind": "change", "at": "2026-01-01T00:00:00", "subject": "a", "before": "", "after": ""},
        {"kind": "change", "at": 5, "subject": "a", "before": "", "after": ""},
        {"kind": "change", "at": "2026-01-01T00:00:00+00:00", "subject": None, "before": "", "after": ""},
        {"kind": "phase_began", "at": "2026-01-01T00:00:00+00:00", "phase": "teatime"},
    ],
)
def test_a_malformed_body_is_refused(broken: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=str(broken["kind"])):
        from_body(broken)


def test_other_bodies_are_no_entries_and_newer_fields_are_left_out() -> None:
    assert from_body({"torn": []}) is None
    assert from_body({"kind": "sonnet"}) is None
    assert from_body(to_body(change()) | {"mood": "calm"}) == change()


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        to_body(Change(datetime(2026, 1, 1), "a", "", ""))


def test_no_secret_reaches_the_file(tmp_path: Path) -> None:
    folder = make_folder(tmp_path)
    journal = open_journal(folder)
    journal.add(SignOff(START, "db", "alex", "on_call", "postgresql://app:hunter2@db/x works", "d"))
    journal.append(
        Draft(
            Type.ACTION_START,
            {
                "argv": ["psql", "postgresql://app:hunter2@db/x"],
                "url": "https://b.s3.amazonaws.com/k?X-Amz-Signature=hunter2&X-Amz-Credential=hunter2",
                "environ": {"DATABASE_PASSWORD": "hunter2", "deep": [{"client_secret": "hunter2"}]},
            },
        )
    )
    journal.close()
    text = journal.path.read_text()
    assert "hunter2" not in text
    assert "works" in text


def test_halves_of_characters_and_what_json_cannot_hold(tmp_path: Path) -> None:
    journal = open_journal(make_folder(tmp_path))
    line = journal.append(Draft(Type.NOTE, {"text": "a\ud800b"}))
    assert line.entry.body["text"] == "a\ufffdb"
    for wrong in ({"x": float("nan")}, {"x": object()}, {"x": START}):
        with pytest.raises(ValueError, match=r"x|JSON"):
            journal.append(Draft(Type.NOTE, wrong))
    with pytest.raises(ValueError, match="takes"):
        journal.append(Draft(Type.NOTE, {"x": ["y" * 1000] * 2000}))
    assert journal.append(Draft(Type.NOTE, {"still": "writing"})).entry.seq == 3
    journal.close()
