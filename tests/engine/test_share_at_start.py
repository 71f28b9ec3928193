"""Whoever can write to a share neither keeps a cockpit from starting nor puts another record in the place of its own."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from support.clock import HandClock
from support.plans.signing_plan import signing_plan
from support.records.short_record import make_folder
from support.waiting import until

from cockpit.decide.events import PhaseBegan
from cockpit.engine import record_sharing as module
from cockpit.engine.recording import CannotRecord, Recording, recording
from cockpit.journal.record_claims import claim_record
from cockpit.journal.share_place import records_in
from cockpit.journal.shared_store import DirectoryStore, Part, StoreUnreachable
from cockpit.journal.sharing import Sync
from cockpit.journal.writer import Journal, writer_name
from cockpit.plan.load import load_plan
from cockpit.plan.model import Phase, Plan

EVIL, MINE = "20260301T215900Z-signing", "20260301T230000Z-mine"


class Share(DirectoryStore):
    """Some objects in it cannot be read, as those that were moved to an archive."""

    archived = ""

    def get(self, part: Part) -> bytes:
        if self.archived and part.writer.startswith(self.archived):
            raise StoreUnreachable("get_object: InvalidObjectState")
        return super().get(part)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    return signing_plan(tmp_path)


@pytest.fixture
def share(tmp_path: Path) -> Share:
    return Share(tmp_path / "share")


@pytest.fixture(autouse=True)
def short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "SHARE_S", 0.02)


def eve_writes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, record: str = EVIL) -> None:
    """On a machine of her own, in a record of her own."""
    with monkeypatch.context() as hers:
        hers.setenv("XDG_STATE_HOME", str(tmp_path / "eve's machine"))
        folder, writer = make_folder(tmp_path / "eve"), writer_name("eve", "there")
        Journal.open(folder.journal, writer, record, body={"plan_digest": "0" * 64}).close()
        assert Sync(folder.journal, DirectoryStore(tmp_path / "share"), [writer], record=record).once()


async def night(plan: Plan, share: Share, tmp_path: Path, name: str = "") -> Recording:
    async with recording(plan, HandClock(), who="ada", root=tmp_path / "records", store=share, name=name) as kept:
        if not kept.record.all(PhaseBegan):
            kept.record.append(PhaseBegan(kept.clock.now(), Phase.POST_DEPLOY))
        await until(lambda: kept.trouble or kept.folder.id in records_in(share), "it is shared, or says why not")
        assert "no answer" not in kept.trouble
        return kept


@pytest.mark.parametrize("done", ["beside", "instead", "archived", "all archived"])
async def test_a_record_that_was_shared_goes_on_whatever_lies_in_the_share_then(
    done: str, plan: Plan, share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In another record the deployment has not begun, and its triggers are silent."""
    first = await night(plan, share, tmp_path)
    if done == "instead":
        shutil.rmtree(tmp_path / "share" / first.journal.writer)
    eve_writes(tmp_path, monkeypatch)
    share.archived = {"archived": "eve", "all archived": "e"}.get(done, "")
    if done == "all archived":
        shutil.rmtree(tmp_path / "share" / first.journal.writer)
    again = await night(plan, share, tmp_path)
    assert again.folder.id == first.folder.id
    assert [each.phase for each in again.record.all(PhaseBegan)] == [Phase.POST_DEPLOY]
    wanted = {"beside": f"it belongs to the record {EVIL}", "instead": f"it holds the record {EVIL}"}
    assert wanted.get(done, "InvalidObjectState") in again.trouble


async def test_who_has_no_record_yet_is_asked_which_and_is_given_it(
    plan: Plan, share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = await night(plan, share, tmp_path)
    eve_writes(tmp_path, monkeypatch)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "another machine"))
    with pytest.raises(CannotRecord, match="choose one with --record"):
        await night(plan, share, tmp_path / "there")
    assert (await night(plan, share, tmp_path / "there", ours.folder.id)).record.all(PhaseBegan)
    share.archived = "eve"
    for chain in (tmp_path / "share").glob("ada-*"):
        shutil.rmtree(chain)
    with pytest.raises(
        CannotRecord,
        match=r"^the share cannot be used: .*InvalidObjectState; named with --record, one begins all the same",
    ):
        await night(plan, share, tmp_path / "elsewhere")
    assert (await night(plan, share, tmp_path / "elsewhere", MINE)).folder.id == MINE


@pytest.mark.parametrize("has_lines", [True, False])
async def test_a_record_that_is_named_is_not_replaced_by_one_the_share_names(
    has_lines: bool, plan: Plan, share: Share, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Least of all by a record of another plan that this machine keeps."""
    (tmp_path / "other").mkdir()
    secret = signing_plan(tmp_path / "other")
    Path(secret.path).write_text(Path(plan.path).read_text().replace("name: signing", "name: secret"))
    async with recording(load_plan(secret.path), HandClock(), who="ada", root=tmp_path / "records") as private:
        pass
    before = sorted(private.folder.path.rglob("*"))
    if has_lines:
        eve_writes(tmp_path, monkeypatch, private.folder.id)
    else:
        claim_record(share, private.folder.id)
    with pytest.raises(CannotRecord, match="another plan's; see --record"):
        await night(plan, share, tmp_path)
    for name in (MINE, ""):
        kept = await night(plan, share, tmp_path, name)
        assert kept.folder.id == MINE
        assert ("it holds the record" in kept.trouble) == has_lines
    assert sorted(private.folder.path.rglob("*")) == before
