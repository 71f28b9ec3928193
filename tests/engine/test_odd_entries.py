"""Whatever another cockpit writes, of whatever shape: nothing raises, nothing rests on it, and it is shown and named."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.records.victim import Victim, elsewhere, victim
from support.sources import NoSource

from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.codec import _KINDS, LONGEST_TEXT
from cockpit.journal.entry import MAX_BYTES, Type, as_text, hash_of
from cockpit.journal.shared_store import DirectoryStore, Part
from cockpit.journal.validity import _NOTES, _OPEN
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Journal, writer_name
from cockpit.replay.player import Player
from cockpit.replay.trace import trace_of
from cockpit.report.formats.html import html
from cockpit.report.formats.markdown import markdown
from cockpit.report.load_record import account_of
from cockpit.tui.views import timeline

WORDS = ["go", "done", "open", "post_deploy", "execute", "verdict", "restore", "run.deploy", "ROLLBACK", "cockpit"]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.sampled_from([10**18, 10**400, -1, 0, 1 << 63]),
    st.floats(),
    st.text(max_size=40),
    st.sampled_from(
        [
            "9999-12-31T23:59:59.999999+00:00",
            "9999-12-31T23:59:59.999999-23:59",
            "0001-01-01T00:00:00+23:59",
            "2199-12-31T23:59:59+00:00",
            "2026-01-02T03:04:05",
            "\ud800",
            "\x00\x1b[31m",
            "x" * (LONGEST_TEXT + 1),
            "",
            *WORDS,
        ]
    ),
)
DEEP = st.integers(1, 3000).map(lambda depth: json.loads("[" * min(depth, 900) + "]" * min(depth, 900)))
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
)
ANY = VALUES | DEEP
PLAIN: dict[Any, Any] = {datetime: "2026-01-02T03:04:05+00:00", str: "restore", bool: False}


def plain(kind: type) -> dict[str, Any]:
    hints = get_type_hints(kind)
    return {each.name: PLAIN.get(hints[each.name], "pre_deploy") for each in fields(kind) if each.name != "proof"}


BODIES: list[dict[str, Any]] = [
    *({"kind": name, **plain(kind)} for name, kind in _KINDS.items()),
    *({"kind": name, **{field.removesuffix("!"): "x" for field in shape}} for name, shape in _NOTES.items()),
    dict.fromkeys(_OPEN, "x"),
    {"kind": "readings", "file": "x", "first": 1, "last": 1, "count": 1, "sha256": "x", "lost": 0, "opening": True},
    {"torn": [{"line": 1, "bytes": 1, "sha256": "0" * 64}]},
]
FIELDS = [(body, name) for body in BODIES for name in body]


@st.composite
def odd(draw: st.DrawFn) -> tuple[str, dict[str, Any], dict[str, Any]]:
    """Type, body and what is changed around them."""
    body, name = draw(st.sampled_from(FIELDS))
    changed = {**body, name: draw(ANY)} if draw(st.booleans()) else {k: v for k, v in body.items() if k != name}
    around = draw(st.dictionaries(st.sampled_from(["ts", "actor", "seen", "mono_ns", "seq", "v"]), ANY, max_size=1))
    return draw(st.sampled_from(sorted(Type))), changed, around


class Forger:
    """Writes lines a session really signed, of any content."""

    def __init__(self, journal: Journal) -> None:
        self.path = journal.path
        self.head, self.key = journal.close(), journal._key

    def write(self, type_: str, body: Any, at: datetime, **around: Any) -> None:
        entry = {
            "v": 1, "seq": 1, "prev": "", "ts": as_text(at), "mono_ns": 1, "type": type_, "actor": {"id": "eve"},
            "seen": {}, "body": body, **around,
        }  # fmt: skip
        payload = json.dumps(entry, separators=(",", ":"))
        self.raw(json.dumps({"payload": payload, "sigs": [self.key.sign(payload)]}, separators=(",", ":")).encode())

    def follow(self, type_: str, body: Any, at: datetime, **around: Any) -> None:
        """A line in its place, as far as that is not what is changed."""
        self.write(type_, body, at, **{"prev": self.head, **around})
        self.head = hash_of(self.path.read_bytes().splitlines(keepends=True)[-1])

    def raw(self, data: bytes) -> None:
        with self.path.open("ab") as file:
            file.write(data + b"\n")


def readers(to: Victim) -> None:
    """Everything that reads a record: the cockpit itself, the command line, the report, the replay, the check."""
    to.takes_in()
    assert len(timeline.changes(to.kept.record.entries, to.watch.situation)) == len(to.kept.record.entries)
    folder = to.kept.folder
    assert not Watch(to.plan, NoSource(), to.clock, record_in(folder)).situation.gates[0].passed
    account = account_of(folder)
    assert not account.gates[0].passed
    assert markdown(account)
    assert html(account)
    trace = trace_of(folder, to.kept.journal.writer)
    Player(trace).play_to(len(trace.steps))
    verify_record(folder.path)


async def test_no_line_of_another_raises_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with victim(tmp_path) as to:
        await to.desk.vote("deploy", "go")
        forger = Forger(elsewhere(monkeypatch, tmp_path, to))

        @settings(max_examples=7, suppress_health_check=list(HealthCheck))
        @given(st.lists(odd(), max_size=40))
        def arrives(lines: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
            for type_, body, around in lines:
                forger.write(type_, body, to.clock.now(), **around)
            readers(to)
            assert not to.gate_open

        arrives()
        folder, writer = to.kept.folder, to.kept.journal.writer
        assert "eve not valid and set aside" in to.watch.notice
    # And a cockpit starts on it, as on any other record.
    async with recording(to.plan, to.clock, who="ada", name=str(folder.path), root=tmp_path / "records") as again:
        assert again.journal.writer == writer
        assert again.resumed


@pytest.mark.parametrize(
    "value", [pytest.param(None, marks=pytest.mark.long), 7, pytest.param([{}], marks=pytest.mark.long)], ids=str
)
async def test_no_field_of_another_raises_anywhere(value: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each field of each kind of entry and note, under each type of line, is once not what it should be."""
    async with victim(tmp_path) as to:
        forger = Forger(elsewhere(monkeypatch, tmp_path, to))
        for type_ in Type:
            for body, name in FIELDS:
                forger.write(type_, {**body, name: value}, to.clock.now())
        readers(to)


async def test_no_object_in_a_share_raises_anywhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = DirectoryStore(tmp_path / "share")
    async with victim(tmp_path, store) as to:
        sync = to.kept.sharing.sync
        assert sync is not None
        with monkeypatch.context() as other:
            other.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
            eve = writer_name("eve", "laptop")
            forger = Forger(Journal.open(tmp_path / "theirs", eve, to.kept.folder.id, clock=to.clock.now))
        shared = 0

        @settings(max_examples=7, suppress_health_check=list(HealthCheck))
        @given(st.lists(odd(), max_size=25))
        def arrives(lines: list[tuple[str, dict[str, Any], dict[str, Any]]]) -> None:
            nonlocal shared
            for type_, body, around in lines:
                forger.follow(type_, body, to.clock.now(), **around)
            forger.follow("note", {"kind": "nothing"}, to.clock.now())
            data = forger.path.read_bytes()[shared:]
            store.put(Part.of(eve, shared, data), data)
            assert sync.once()
            readers(to)
            taken = to.kept.folder.journal / f"{eve}.jsonl"
            # A session that nobody vouches for is refused: nothing of what comes after it is taken in.
            shared = taken.stat().st_size
            data = taken.read_bytes()
            forger.path.write_bytes(data)
            forger.head = hash_of(data.splitlines(keepends=True)[-1])

        arrives()
        assert f"{eve} not valid and set aside" in to.watch.notice


CASES: dict[str, tuple[dict[str, Any], str]] = {
    "a number for a text": ({"choice": 7}, "vote.choice: int is not str"),
    "no word of it": ({"choice": "maybe"}, "vote.choice: 'maybe' is none of go, no-go, hold"),
    "the year 9999": ({"at": "9999-12-31T23:59:59+00:00"}, "vote.at: the year 9999 is not between 2000 and 2199"),
    "no zone": ({"at": "2026-01-02T03:04:05"}, "vote.at: a time needs a zone"),
    "a long text": ({"why": "x" * (LONGEST_TEXT + 1)}, f"vote.why: has more than {LONGEST_TEXT} characters"),
    "half a character": ({"why": "\udc80"}, "holds half a character"),
    "deep": ({"more": json.loads("[" * 40 + "]" * 40)}, "nested too deep"),
    "infinite": ({"more": float("inf")}, "Infinity is not a value"),
    "a large number": ({"more": 10**30}, "a number has more than 19 digits"),
}


@pytest.mark.parametrize("case", CASES)
async def test_what_is_not_valid_is_set_aside_counted_shown_and_named(
    case: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    changed, why = CASES[case]
    async with victim(tmp_path) as to:
        forger = Forger(elsewhere(monkeypatch, tmp_path, to))
        before = len(forger.path.read_bytes().splitlines())
        vote = {"kind": "vote", **plain(_KINDS["vote"]), "choice": "go"}
        forger.write("vote", vote, to.clock.now())
        for _ in range(3):
            forger.write("vote", {**vote, **changed}, to.clock.now())
        to.takes_in()
        assert to.kept.record.set_aside["eve"][0] == 3
        notice = to.watch.notice
        assert "3 lines of eve not valid and set aside" in notice
        assert why in notice
        named = {each.line for each in verify_record(to.kept.folder.path).broken if why in each.what}
        assert named == {before + 2, before + 3, before + 4}


async def test_a_line_of_any_length_takes_no_more_memory_than_an_entry(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import tracemalloc

    async with victim(tmp_path) as to:
        forger = Forger(elsewhere(monkeypatch, tmp_path, to))
        with forger.path.open("ab") as file:
            file.truncate(file.tell() + (192 << 20))  # one line of zeros, which takes no disk
        forger.raw(b"")
        forger.write("note", {"kind": "nothing"}, datetime.now(UTC))
        tracemalloc.start()
        to.takes_in()
        record_in(to.kept.folder)
        verify_record(to.kept.folder.path)
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert most < 24 * MAX_BYTES
        assert f"takes more than {MAX_BYTES} bytes" in to.watch.notice


def test_every_kind_is_tried() -> None:
    assert {str(body.get("kind")) for body in BODIES} >= {*_KINDS, *_NOTES}
