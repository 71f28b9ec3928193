"""Which record a share is for, where it holds none yet: everybody who starts at once keeps the same one."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.records.short_record import make_folder, open_journal
from support.waiting import LAST_RESORT_S, until

from cockpit.decide.events import PhaseBegan
from cockpit.engine import record_sharing as module
from cockpit.engine import share_at_start
from cockpit.engine.recording import CannotRecord, recording
from cockpit.journal import share_place
from cockpit.journal.record_claims import MOST_CLAIMS, claim_record, claimed_record
from cockpit.journal.share_place import records_in
from cockpit.journal.shared_store import LONGEST_CLAIM, DirectoryStore, Part, StoreUnreachable
from cockpit.journal.sharing import Sync
from cockpit.journal.writer import Journal, writer_name
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan
from cockpit.rehearsal.object_store.server import ObjectStore

BEGINNER = Path(__file__).with_name("record_beginner.py")
HERE = Path(__file__).parents[1]
DEAD = "20260301T210000Z-signing"
"""A record that somebody claimed a share for, and of which nothing came."""


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return signing_plan(tmp_path)


@pytest.fixture
def share(tmp_path: Path) -> DirectoryStore:
    return DirectoryStore(tmp_path / "share")


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE_S", 0.02)
    monkeypatch.setattr(share_at_start, "ANSWERS_WITHIN_S", 0.3)
    monkeypatch.setattr(share_at_start, "LOOKS_EVERY_S", 0.02)


def beginner(folder: Path, plan: Plan, endpoint: str, ahead_s: int) -> subprocess.Popen[str]:
    """A cockpit on a machine of its own, whose clock is ahead."""
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parent)]),
        "XDG_STATE_HOME": str(folder),
        "AWS_ENDPOINT_URL_S3": endpoint,
        "AWS_ACCESS_KEY_ID": "rehearsal",
        "AWS_SECRET_ACCESS_KEY": "rehearsal-secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    command = [sys.executable, str(BEGINNER), str(folder), plan.path, str(ahead_s)]
    return subprocess.Popen(command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    assert process.stdout is not None
    return process.stdout.readline().strip()


def test_of_processes_that_start_at_once_all_keep_one_record(tmp_path: Path, plan: Plan) -> None:
    places = [f"{kind}{n}" for n in range(2) for kind in (f"{tmp_path}/share-", "s3://records/night-")]
    with ExitStack() as opened:
        s3 = opened.enter_context(ObjectStore("records"))
        both = [opened.enter_context(beginner(tmp_path / f"m{n}", plan, s3.url, n)) for n in range(2)]
        assert [said(each) for each in both] == ["ready", "ready"]
        for place in places:
            for each in both:
                assert each.stdin is not None
                each.stdin.write(f"{place}\n")
                each.stdin.flush()
            first, second = (said(each) for each in both)
            assert first == second != "", place
            if not place.startswith("s3:"):
                found = records_in(DirectoryStore(Path(place)))
                assert {id_: len(writers) for id_, writers in found.items()} == {first: 2}
        for each in both:
            each.communicate(timeout=LAST_RESORT_S)


async def test_who_finds_a_claim_takes_its_name_before_anything_is_written(
    tmp_path: Path, plan: Plan, share: DirectoryStore
) -> None:
    """Whether its cockpit lives or not: of a claim without a line nobody can know."""
    assert claim_record(share, DEAD) == DEAD
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share) as kept:
        assert [path.name for path in (tmp_path / "records").iterdir()] == [DEAD]
        await until(lambda: records_in(share), "it is shared")
        assert not kept.trouble
    assert list(records_in(share)) == [DEAD]


async def test_a_record_with_entries_goes_before_a_claim_of_which_nothing_comes(
    tmp_path: Path, plan: Plan, share: DirectoryStore
) -> None:
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records") as kept:
        kept.record.append(PhaseBegan(kept.clock.now(), Phase.POST_DEPLOY))
        night = kept.folder.id
    claim_record(share, DEAD)
    clock = HandClock()
    clock.time += timedelta(minutes=1)
    async with recording(plan, clock, who="ada", root=tmp_path / "records", store=share) as kept:
        assert kept.folder.id == night
        assert kept.record.all(PhaseBegan)
        await until(lambda: records_in(share), "it is shared")
    assert list(records_in(share)) == [claimed_record(share)] == [night]


async def test_who_was_outdone_before_its_first_line_was_shared_shares_none(
    tmp_path: Path, plan: Plan, share: DirectoryStore
) -> None:
    """It claimed, and hung until another took the place."""
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "slow", store=share) as slow:
        assert slow.sharing.sync is not None
        assert claimed_record(share) == slow.folder.id
        claim_record(share, "20260301T220007Z-signing", over=slow.folder.id)
        await until(lambda: "20260301T220007Z-signing, of which nothing is there yet" in slow.trouble, "it says so")
        assert not records_in(share)
        await until(lambda: records_in(share), f"after {share_place.LOOKS} looks that one has come to nothing, too")
    assert list(records_in(share)) == [slow.folder.id]


class Paused(DirectoryStore):
    """A cockpit's share that stands still right before the cockpit's first line is put there."""

    meanwhile: Callable[[], None] | None = None
    """What others do then."""

    def put(self, part: Part, data: bytes) -> bool:
        if self.meanwhile is not None:
            meanwhile, self.meanwhile = self.meanwhile, None
            meanwhile()
        return super().put(part, data)


@pytest.mark.parametrize("has_lines", [True, False])
async def test_who_stands_still_between_its_claim_and_its_first_line_shares_no_second_record(
    has_lines: bool, tmp_path: Path, plan: Plan
) -> None:
    """Whoever outdid it meanwhile has the place, if anything came of that; and both sides say that another is there."""
    other = make_folder(tmp_path / "other")
    bobs = open_journal(other, writer_name("bob", "there"))
    paused, share = Paused(tmp_path / "share"), DirectoryStore(tmp_path / "share")
    theirs = Sync(other.journal, share, [bobs.writer], record=bobs.record, known=False)

    def outdo() -> None:
        claim_record(share, bobs.record, claimed_record(share))
        if has_lines:
            assert theirs.once()

    paused.meanwhile = outdo
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=paused) as kept:
        await until(lambda: kept.folder.id in records_in(share), "its first line is there")
        if has_lines:
            await until(lambda: f"it holds the record {bobs.record}" in kept.trouble, "it says so")
            assert "start again with --record" in kept.trouble
            assert theirs.once()
            assert "1 object as of ada" in theirs.strange
            assert claimed_record(share) == bobs.record
        else:
            await until(lambda: claimed_record(share) == kept.folder.id, "it says anew which record it is")
            assert not theirs.once()
            assert f"it holds the record {kept.folder.id}" in theirs.trouble
            assert not kept.trouble
        before = len(share.parts())
        kept.record.append(PhaseBegan(kept.clock.now(), Phase.PRE_DEPLOY))
    assert (len(share.parts()) == before) == has_lines, "and nothing more is put into the place of another"
    bobs.close()


async def test_claims_without_end_put_before_the_first_line_hold_up_no_lines_of_others(
    tmp_path: Path, plan: Plan, monkeypatch: pytest.MonkeyPatch
) -> None:
    paused = Paused(tmp_path / "share")

    def fill() -> None:
        for number in range(2, MOST_CLAIMS + 1):
            odd_claim(tmp_path / "share", f"record-{number}.claim", "..")

    paused.meanwhile = fill
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=paused) as kept:
        await until(lambda: f"{MOST_CLAIMS} claims" in kept.trouble, "it is said")
        with monkeypatch.context() as there:
            there.setenv("XDG_STATE_HOME", str(tmp_path / "bob's machine"))
            other, bob = make_folder(tmp_path / "other"), writer_name("bob", "there")
            Journal.open(other.journal, bob, kept.folder.id, body={"plan_digest": plan.digest}).close()
            assert Sync(other.journal, DirectoryStore(tmp_path / "share"), [bob], record=kept.folder.id).once()
        await until((kept.folder.journal / f"{bob}.jsonl").exists, "what he writes is taken in")


def odd_claim(folder: Path, name: str, kind: str) -> None:
    folder.mkdir(exist_ok=True)
    path = folder / name
    if kind == "pipe":
        os.mkfifo(path)
    elif kind == "large":
        with path.open("wb") as file:
            file.truncate(3 << 29)
    else:
        path.write_text(kind)


@pytest.mark.parametrize(
    "kind", ["../../etc", "/etc/passwd", ".", "..", "", "a b", "x" * (LONGEST_CLAIM + 1), "pipe", "large"]
)
async def test_a_claim_that_names_no_record_says_nothing(
    kind: str, tmp_path: Path, plan: Plan, share: DirectoryStore
) -> None:
    odd_claim(tmp_path / "share", "record-1.claim", kind)
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share) as kept:
        (made,) = (tmp_path / "records").iterdir()
        assert made.name == kept.folder.id == claimed_record(share)
        await until(lambda: records_in(share), "it is shared")


async def test_a_share_full_of_claims_holds_nobody_up_and_is_shown(
    tmp_path: Path, plan: Plan, share: DirectoryStore
) -> None:
    for number in range(1, MOST_CLAIMS + 1):
        odd_claim(tmp_path / "share", f"record-{number}.claim", "..")
    with pytest.raises(StoreUnreachable):
        claim_record(share, DEAD)
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share) as kept:
        assert f"{MOST_CLAIMS} claims" in kept.trouble


async def test_a_claim_names_no_record_of_another_plan_here(tmp_path: Path, plan: Plan, share: DirectoryStore) -> None:
    """What this machine keeps of another plan is nobody's in that share."""
    text = Path(plan.path).read_text().replace("name: signing", "name: secret")
    other = tmp_path / "other"
    other.mkdir()
    secret = signing_plan(other)
    Path(secret.path).write_text(text)
    async with recording(load_plan(secret.path), HandClock(), who="ada", root=tmp_path / "records") as kept:
        private = kept.folder
    before = sorted(private.path.rglob("*"))
    claim_record(share, private.id)
    with pytest.raises(CannotRecord, match="another plan's"):
        async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share):
            pass
    assert sorted(private.path.rglob("*")) == before
    assert not records_in(share)


class Stuck(DirectoryStore):
    """A network drive whose server goes away once it was asked what lies there."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.there = threading.Event()

    def claimed(self, number: int) -> bytes | None:
        self.there.wait()
        return super().claimed(number)


@pytest.fixture
def stuck(tmp_path: Path) -> Iterator[Stuck]:
    made = Stuck(tmp_path / "share")
    yield made
    made.there.set()


async def test_a_share_that_hangs_at_the_claim_delays_neither_start_nor_end(
    tmp_path: Path, plan: Plan, stuck: Stuck
) -> None:
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=stuck) as kept:
        assert "no answer" in kept.trouble
    assert not stuck.there.is_set()
    assert not records_in(stuck)
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=stuck) as kept:
        stuck.there.set()
        await until(lambda: records_in(stuck), "it is shared")
        assert claimed_record(stuck) == kept.folder.id


async def test_a_share_nobody_may_write_to_is_shown_and_delays_nobody(tmp_path: Path, plan: Plan) -> None:
    (tmp_path / "share").write_text("in the way")
    share = DirectoryStore(tmp_path / "share")
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share) as kept:
        assert "share/record-1.claim" in kept.trouble
        (tmp_path / "share").unlink()
        await until(lambda: records_in(share), "it is shared once it can be")
