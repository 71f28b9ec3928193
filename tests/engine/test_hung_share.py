"""A share that hangs, as a network drive does when its server is away: it delays neither the start nor the end."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from support.plans.signing_plan import signing_plan
from support.waiting import at_last, until

from cockpit.decide.events import PhaseBegan
from cockpit.engine import record_sharing as module
from cockpit.engine import share_at_start
from cockpit.engine.clock import SessionClock
from cockpit.engine.recording import recording
from cockpit.journal.entry import Type
from cockpit.journal.shared_store import DirectoryStore, Part
from cockpit.journal.verify import verify_record
from cockpit.journal.writer import Draft
from cockpit.plan.model import Phase


class NetworkDrive(DirectoryStore):
    """A folder whose server can go away: then a call does not return until it is back."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.folder = folder
        self.there = threading.Event()
        self.there.set()
        self.asked = 0

    def parts(self) -> Sequence[Part]:
        self.asked += 1
        self.there.wait()
        return super().parts()


@pytest.fixture
def drive(tmp_path: Path) -> Iterator[NetworkDrive]:
    (tmp_path / "share").mkdir()
    made = NetworkDrive(tmp_path / "share")
    yield made
    made.there.set()


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "NO_ANSWER_S", 0.05)
    monkeypatch.setattr(share_at_start, "ANSWERS_WITHIN_S", 0.05)


def chains_there(drive: NetworkDrive) -> set[str]:
    return {path.name for path in drive.folder.iterdir() if path.is_dir()}


async def test_the_start_goes_on_with_the_record_of_this_machine_and_says_so(
    drive: NetworkDrive, tmp_path: Path
) -> None:
    plan = signing_plan(tmp_path)
    async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as kept:
        await until(lambda: chains_there(drive), "it is shared")
        before = kept.folder.id
    drive.there.clear()
    async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as kept:
        assert kept.folder.id == before
        assert "no answer" in kept.trouble
        drive.there.set()
        await until(lambda: not kept.trouble, "what was missing is shared")
    assert chains_there(drive) == {path.stem for path in kept.folder.journal.glob("*.jsonl")}


async def test_a_record_that_was_begun_alone_is_shared_where_there_is_none(drive: NetworkDrive, tmp_path: Path) -> None:
    drive.there.clear()
    plan = signing_plan(tmp_path)
    async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as kept:
        assert not chains_there(drive)
        drive.there.set()
        await until(lambda: chains_there(drive) == {kept.journal.writer}, "it is shared")


async def test_a_record_that_was_begun_alone_is_not_mixed_with_another_in_the_share(
    drive: NetworkDrive, tmp_path: Path
) -> None:
    plan = signing_plan(tmp_path)
    async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as theirs:
        await until(lambda: chains_there(drive), "it is shared")
    before = {path.name for path in drive.folder.rglob("*.jsonl")}
    drive.there.clear()
    async with recording(plan, SessionClock(), who="ben", root=tmp_path / "elsewhere", store=drive) as kept:
        drive.there.set()
        await until(lambda: f"it holds the record {theirs.folder.id}" in kept.trouble, "the screen says so")
        assert "--record" in kept.trouble
    after = {path.name for path in drive.folder.rglob("*.jsonl")}
    assert before <= after
    assert chains_there(drive) == {theirs.journal.writer}


async def test_it_is_shown_and_holds_nobody_up_at_the_end(drive: NetworkDrive, tmp_path: Path) -> None:
    plan = signing_plan(tmp_path)

    async def night() -> Path:
        async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as kept:
            await until(lambda: drive.asked > 1, "it is shared")
            drive.there.clear()
            await until(lambda: "no answer" in kept.trouble, "the screen says so")
            before = drive.asked
            kept.record.append(PhaseBegan(kept.clock.now(), Phase.POST_DEPLOY))
            await asyncio.wrap_future(kept.writer_thread.submit(Draft(Type.NOTE, {})))
            assert drive.asked == before, "no second call joins one that hangs"
            return kept.folder.path

    folder = await at_last(night())
    assert not drive.there.is_set(), "it ended while the share hung"
    assert verify_record(folder).broken == []
    drive.there.set()
    async with recording(plan, SessionClock(), who="ada", root=tmp_path / "records", store=drive) as again:
        await until(lambda: not again.trouble and drive.asked, "the next session shares it")
    ours = {path.stem: path.read_bytes() for path in (folder / "journal").glob("*.jsonl")}
    for writer, chain in ours.items():
        parts = sorted(path.read_bytes() for path in (tmp_path / "share" / writer).iterdir())
        assert sorted(chain.splitlines()) == sorted(line for part in parts for line in part.splitlines())


async def test_what_a_share_that_hangs_may_hold_back_is_noted_while_it_hangs(
    drive: NetworkDrive, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "UNREAD_AFTER", timedelta(0))
    async with recording(
        signing_plan(tmp_path), SessionClock(), who="ada", root=tmp_path / "records", store=drive
    ) as kept:
        await until(lambda: drive.asked > 1, "it is shared")
        drive.there.clear()
        await until(
            lambda: kept.record.lines_missing and kept.record.lines_missing.unread, "nobody knows what is there"
        )
        drive.there.set()
        await until(lambda: kept.record.lines_missing and not kept.record.lines_missing.unread, "it is read again")


async def test_a_share_that_was_never_read_holds_from_the_start(drive: NetworkDrive, tmp_path: Path) -> None:
    """Whatever lies there: no round that went wrong is the first."""
    drive.there.clear()
    async with recording(
        signing_plan(tmp_path), SessionClock(), who="ada", root=tmp_path / "records", store=drive
    ) as kept:
        assert (noted := kept.record.lines_missing)
        assert noted.unread
        drive.there.set()
        await until(
            lambda: kept.record.lines_missing and not kept.record.lines_missing.unread, "it is read for the first time"
        )


async def test_a_shared_record_that_is_gone_on_with_without_its_share_may_lack_a_no(tmp_path: Path) -> None:
    plan, root, share = signing_plan(tmp_path), tmp_path / "records", DirectoryStore(tmp_path / "share")
    (tmp_path / "share").mkdir()
    async with recording(plan, SessionClock(), who="ada", root=root, store=share):
        await until(share.parts, "it is shared")
    async with recording(plan, SessionClock(), who="ada", root=root) as alone:
        await until(lambda: alone.record.lines_missing, "nobody knows what is there")
        assert (noted := alone.record.lines_missing)
        assert noted.unread
    async with recording(plan, SessionClock(), who="ada", root=root, store=share) as again:
        await until(lambda: again.record.lines_missing and not again.record.lines_missing.unread, "it is read again")


async def test_a_share_that_is_empty_where_this_record_was_may_lack_a_no(tmp_path: Path) -> None:
    """As the folder is in whose place a drive is not mounted."""
    plan, root = signing_plan(tmp_path), tmp_path / "records"
    share, empty = DirectoryStore(tmp_path / "share"), DirectoryStore(tmp_path / "empty")
    async with recording(plan, SessionClock(), who="ada", root=root, store=share):
        await until(share.parts, "it is shared")
    async with recording(plan, SessionClock(), who="ada", root=root, store=empty) as alone:
        await until(lambda: alone.record.lines_missing, "nobody knows what is there")
        assert (noted := alone.record.lines_missing)
        assert noted.unread


async def test_a_record_that_never_was_shared_lacks_nothing(tmp_path: Path) -> None:
    plan, root = signing_plan(tmp_path), tmp_path / "records"
    for _ in range(2):
        async with recording(plan, SessionClock(), who="ada", root=root) as kept:
            await kept.sharing.share()
            assert kept.record.lines_missing is None
