"""Lines of others that are not here leave a trace: in what the share announced, in what others had read, in a share that is away.

They hold until they are here, or until somebody who decides goes on without them by name.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from engine.test_withheld_lines import Bob, all_go, altered, looks, reads, standing, verified
from support.records.victim import Victim, forge, victim
from support.sources import NoSource

from cockpit.decide.act import Act
from cockpit.decide.events import Decision, LinesMissing, Occurrence
from cockpit.decide.next_action import next_for
from cockpit.decide.states import Check, Word
from cockpit.decide.withheld import GO_WITHOUT, MISSING
from cockpit.engine.ports import Refused
from cockpit.engine.record_sharing import UNREAD_AFTER
from cockpit.engine.recorded import record_in
from cockpit.engine.recording import recording
from cockpit.engine.watch import Watch
from cockpit.journal.heads_of_others import LOOKS
from cockpit.journal.shared_store import DirectoryStore
from cockpit.journal.sharing import Sync
from cockpit.journal.writer import Journal, writer_name
from cockpit.plan.model import Phase


class Carol:
    """A cockpit on a third machine, where nobody states anything: it reads what the others share, and shares that it has."""

    def __init__(self, to: Victim, folder: Path, patch: pytest.MonkeyPatch) -> None:
        with patch.context() as other:
            other.setenv("XDG_STATE_HOME", str(folder / "carol's machine"))
            body = {"plan": to.plan.name, "plan_digest": to.plan.digest}
            name, record = writer_name("carol", "third"), to.kept.folder.id
            self.journal = Journal.open(folder / "hers", name, record, body=body, clock=to.clock.now)
        self.sync = Sync(folder / "hers", DirectoryStore(folder / "share"), [name], lambda: self.journal.size, record)

    def looks(self, to: Victim) -> None:
        """Once: and she notes what she saw, as every line does."""
        assert self.sync.once()
        forge(self.journal, LinesMissing(to.clock.now()))
        assert self.sync.once()


def passes(to: Victim, time: timedelta) -> None:
    """With a look at the share and a reading every second."""
    ends = to.clock.time + time
    while to.clock.time < ends:
        reads(to.watch, to.clock.now())
        looks(to)


async def test_what_was_announced_once_holds_when_it_is_taken_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        bob.states(taken_back=True)
        altered(bob.objects[-1])
        looks(to)
        taken = f"{bob.journal.writer}/{bob.objects[-1].name}"
        bob.objects[-1].unlink()
        looks(to)
        assert standing(to) == (False, False, False)
        assert to.watch.situation.withheld.names == (taken,)
    root, share = to.kept.folder.path.parent, DirectoryStore(tmp_path / "share")
    async with recording(to.plan, to.clock, who="ada", root=root, store=share) as again:
        await again.sharing.share()
        assert again.record.lines_missing is not None
        assert again.record.lines_missing.names == (taken,), "the next session knows of it"
        bob.sync.once()  # his cockpit puts there what was taken out
        await again.sharing.share()
        assert again.record.missing == ()


async def test_what_another_had_read_and_was_taken_out_before_it_was_read_here_holds(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob, carol = Bob(to, tmp_path, monkeypatch), Carol(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        bob.states(taken_back=True)
        carol.looks(to)
        bob.objects[-1].unlink()  # and his cockpit is gone
        for _ in range(LOOKS):
            looks(to)
        assert standing(to) == (False, False, False)
        (line,) = to.watch.record.missing
        assert bob.journal.writer in line
        assert f"{carol.journal.writer} had read more" in line
        later = Watch(to.plan, NoSource(), to.clock, record_in(to.kept.folder))
        reads(later, to.clock.time)
        later.tick()
        assert not later.situation.gates[0].passed
        bob.sync.once()
        looks(to)
        assert to.watch.record.missing == (), "it runs after all"
        assert standing(to) == (False, False, False), "he took it back"


async def test_what_is_in_one_look_and_comes_with_the_next_holds_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob, carol = Bob(to, tmp_path, monkeypatch), Carol(to, tmp_path, monkeypatch)
        bob.states()
        carol.looks(to)
        name = bob.objects[-1]
        late = name.rename(tmp_path / "on its way")
        looks(to)
        late.rename(name)
        looks(to)
        assert to.watch.record.all(LinesMissing) == []


async def test_a_share_that_is_away_holds_ends_nothing_and_says_since_when(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        passes(to, timedelta(seconds=2))
        assert standing(to) == (True, True, True)
        share = (tmp_path / "share").rename(tmp_path / "the server that has it")
        since = to.clock.time - timedelta(seconds=1)  # when it was looked at, before the tick
        passes(to, UNREAD_AFTER / 2)
        assert standing(to) == (True, True, True), "a round or two that went wrong"
        passes(to, UNREAD_AFTER)
        assert standing(to) == (False, False, True)
        situation = to.watch.situation
        assert situation.verdict.word is Word.HOLD
        (line,) = (each for each in situation.verdict.reasons if "share is not read" in each)
        assert f"since {since:%H:%M:%S}" in line
        assert f"since {since:%H:%M:%S}" in situation.verdict.cause
        assert next_for(situation, "ada").act is Act.ACCEPT
        assert any("was not read since" in line for line in verified(to).row("completeness").unproven)
        share.rename(tmp_path / "share")
        passes(to, to.plan.verdict_dwell + timedelta(seconds=2))
        assert standing(to) == (True, True, True)


async def test_an_empty_folder_in_the_place_of_a_drive_is_a_share_that_is_away(tmp_path: Path) -> None:
    other = Path("/dev/shm")
    if not other.is_dir() or other.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is one file system here")
    (tmp_path / "share").mkdir()
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        looks(to)
        assert to.kept.sharing.sync is not None
        assert to.kept.sharing.sync.read
        (tmp_path / "share").rename(tmp_path / "unmounted")
        (tmp_path / "share").symlink_to(other)
        looks(to)
        assert not to.kept.sharing.sync.read
        assert "mounted" in to.kept.trouble


async def test_somebody_who_decides_goes_on_without_them_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        with pytest.raises(Refused, match="no lines"):
            to.desk.missing_lines()
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        bob.states(taken_back=True)
        name = f"{bob.journal.writer}/{bob.objects[-1].name}"
        altered(bob.objects[-1])
        looks(to)
        situation = to.watch.situation
        assert name in situation.verdict.cause, "a rollback may be decided in it: that is where to look"
        assert name in next_for(situation, "ada").what
        assert any("by name (A" in line for line in verified(to).row("completeness").unproven)
        note = to.desk.missing_lines()
        with pytest.raises(Refused, match="reason"):
            await to.desk.go_without(note, "")
        await to.desk.go_without(note, "rang bob: he stands by it")
        to.tick()
        assert to.watch.situation.withheld.sentences == ()
        assert (to.gate_open, to.item("seed")) == (True, Check.PASS)
        decided = to.watch.counted().all(Decision)[-1]
        assert decided.choice == GO_WITHOUT
        assert name in decided.why
        bob.states(taken_back=True)
        altered(bob.objects[-1])
        looks(to)
        assert not to.gate_open, "what is missing since then was accepted by nobody"
        with pytest.raises(Refused, match="something else is missing"):
            await to.desk.go_without(note, "rang bob: he stands by it")


async def test_what_another_cockpit_goes_on_without_is_still_missing_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        bob.states(taken_back=True)
        altered(bob.objects[-1])
        looks(to)
        (note,) = to.watch.record.all(LinesMissing)
        carol, at = Carol(to, tmp_path, monkeypatch), to.clock.now()
        made = Decision(
            at, GO_WITHOUT, "bob", "as I see it", "", "dba", to.plan.digest, (Occurrence(note.at, MISSING),)
        )
        forge(carol.journal, made, to.bob)
        carol.sync.once()
        looks(to)
        assert to.watch.counted().all(Decision) == [made]
        assert to.watch.situation.withheld.sentences


async def test_that_a_session_without_a_close_wrote_no_more_is_not_provable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        assert any(
            bob.journal.writer in line and "no close" in line for line in verified(to).row("completeness").unproven
        )
        bob.journal.close()
        bob.sync.once()
        looks(to)
        unproven = verified(to).row("completeness").unproven
        assert not any(f"that {bob.journal.writer} wrote nothing" in line for line in unproven)
        assert any(f"that {to.kept.journal.writer} wrote nothing" in line for line in unproven), "hers goes on"


async def test_a_gate_that_was_used_is_not_shown_as_passed_while_it_may_have_been_voted_on_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        await to.desk.begin(Phase.POST_DEPLOY, "as it was voted on")
        to.tick()
        assert to.gate_open
        bob.states(taken_back=True)
        altered(bob.objects[-1])
        looks(to)
        assert not to.gate_open


async def test_what_is_signed_once_more_while_it_passes_has_passed_all_along(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with victim(tmp_path, DirectoryStore(tmp_path / "share")) as to:
        bob = Bob(to, tmp_path, monkeypatch)
        bob.states()
        looks(to)
        await all_go(to)
        assert standing(to) == (True, True, True)
        await to.desk.sign("vpn", "203.0.113.7 answered once more")
        to.tick()
        assert standing(to) == (True, True, True)
