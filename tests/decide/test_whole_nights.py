"""Whole nights, with everything that is shown in them, as agreed: `nights/*.txt` has what is new in each moment.

What is shown on purpose otherwise is written with `WRITE_NIGHTS=1 pytest tests/decide/test_whole_nights.py`, and looked through.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from decide.other_cockpits import others, withheld
from decide.scene import (
    PEOPLE,
    START,
    at,
    item,
    plan,
    seconds,
    success,
    trigger,
)
from decide.whole_night import MINUTE, NEW, Night, step, whole

from cockpit.decide.decide import words_of
from cockpit.decide.events import (
    MIGRATION,
    Acknowledgement,
    Decision,
    GateUsed,
    Happened,
    LinesMissing,
    ObserverGap,
    PhaseBegan,
    PointOfNoReturn,
    Proof,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    StepMeasured,
    Vote,
    Waiver,
)
from cockpit.decide.gate import missing_before, missing_to_go_on, used
from cockpit.decide.next_action import next_for, worded
from cockpit.decide.visibility import cause_line
from cockpit.plan.change_window import ChangeWindow
from cockpit.plan.model import Phase
from probes.reading import Reading, Reason, Unknown

NIGHTS = Path(__file__).with_name("nights")


def prepared(night: Night) -> Night:
    """Everything before the deployment is there, and it is begun."""
    night.say(PhaseBegan(START, Phase.PRE_DEPLOY))
    night.polls(3)
    night.sign("primary", "db_owner", "vpn")
    night.sign("ann", "on_call", "backup")
    night.vote("go_no_go", "go", "primary/on_call", "bob/backup")
    night.polls(6)
    night.deploy()
    return night


def deployment() -> Night:
    """From the checklist to GO."""
    night = Night(whole())
    night.show("nothing was read")
    night.say(
        PhaseBegan(START, Phase.PRE_DEPLOY),
        StepMeasured(START, "deploy.it", 3, 1, 600, 900, 1500),
        StepMeasured(START, "back.old", 2, 2, 300, 360, 420),
    )
    night.polls(3, m={"ok": False}, web={"stable": False})
    night.show("something fails before the deployment")
    night.polls(2)
    night.sign("primary", "db_owner", "vpn", evidence="vpn up")
    night.sign("ann", "on_call", "backup", rehearsal=True)
    night.vote("go_no_go", "go", "primary/on_call")
    night.vote("go_no_go", "no-go", "bob/backup")
    night.vote("go_no_go", "go", "eve/intern", "nobody/on_call")
    night.show("signed, and a vote against it; some count for nothing")
    night.sign("ann", "on_call", "backup")
    night.vote("go_no_go", "go", "bob/backup")
    night.did("prepare", took=120)
    night.show("ready")
    night.polls(4)
    night.show("GO to deploy")
    night.noted(missing_before(night.plan, night.record, "deploy", night.now, "primary"))
    night.noted(missing_before(night.plan, night.record, "migrate", night.now, ""))
    night.wait(21 * MINUTE)
    night.show("the votes are over, and nothing was read")
    night.polls(3)
    night.vote("go_no_go", "go", "primary/on_call", "cid/backup")
    night.polls(5)
    night.deploy()
    night.show("deployed")
    night.did("freeze")
    night.show("a step wants its sign-off")
    night.sign("primary", "db_owner", "freeze")
    night.vote("flip", "go", "primary/db_owner", "bob/backup")
    night.say(
        StepBegan(night.now, "copy.rows", "ann", "on_call", "d1"),
        StepBegan(night.now, "deploy.it", "bob", "backup", "d1"),
    )
    night.polls(8, web=NEW)
    night.show("two steps at once")
    night.vote("copy", "go", "ann/on_call", "primary/on_call")
    night.noted(missing_before(night.plan, night.record, "migrate", night.now, "ann"))
    night._say(used(night.plan, night.record, "migrate", night.now, PEOPLE[1], "on_call"))
    night.noted(missing_to_go_on(night.plan, night.record, "migrate", night.now))
    night.polls(2, web=NEW, m={"rate": 0.6})
    night.show("a guard and a trigger are suspected")
    night.polls(4, web={**NEW, "share": 0.9})
    night.say(StepEnded(night.now, "copy.rows", "ann", "failed", "no room", "on_call", "d1"))
    night.say(StepEnded(night.now, "deploy.it", "bob", "done", "web:42", "backup", "d1"))
    night.show("one failed, one is done")
    night.say(StepEnded(night.now, "copy.rows", "ann", "skipped", "later", "on_call", "d1"))
    night.sign("ann", "on_call", "team", "smoke")
    night.sign("bob", "backup", "smoke")
    night.polls(8, web=NEW)
    night.show("on the way to GO")
    night.polls(40, web=NEW)
    night.show("GO")
    night.vote("copy", "hold", "cid/backup")
    night.say(PointOfNoReturn(night.now, "3 documents", "p1"))
    night.polls(1, web=NEW)
    night.noted(missing_to_go_on(night.plan, night.record, "migrate", night.now))
    night.show("past the point of no return")
    return night


def rollback() -> Night:
    """A trip, decisions about it, and the way back."""
    night = prepared(Night(whole()))
    night.polls(6, web=NEW)
    night.polls(2, web=NEW, m={"rate": 0.2})
    night.show("suspected")
    night.polls(2, web=NEW, m={"rate": 0.2}, n=Reason.THROTTLED)
    night.show("tripped")
    night.polls(2, web=NEW, m={"rate": 0.02})
    night.show("recovering, and nobody has decided")
    night.decided("dismiss", until=night.now + timedelta(minutes=10))
    night.polls(6, web=NEW)
    night.show("dismissed for ten minutes")
    night.polls(4, web=NEW, m={"rate": 0.2, "running": 1}, n={"running": 1, "rate": 0.3})
    night.show("it trips again, with two majors")
    night.say(Waiver(night.now, "slow", "bob", "known", night.now + timedelta(minutes=5), "backup", "d1"))
    night.say(Waiver(night.now, "errors", "eve", "known", night.now + timedelta(minutes=5), "intern", "d1"))
    night.polls(1, web=NEW, m={"rate": 0.2, "running": 1}, n={"running": 1, "rate": 0.3})
    night.show("a waiver does not answer")
    night.decided("execute")
    night.show("decided to roll back")
    night.say(StepBegan(night.now, "back.old", "primary", "on_call", "d1"))
    night.polls(4, web=NEW, m={"rate": 0.2})
    night.show("on the way back")
    night.say(StepEnded(night.now, "back.old", "primary", "done", "web:41", "on_call", "d1"))
    night.polls(8)
    night.show("the release before runs again")
    night.say(StepEnded(night.now, "back.rows", "primary", "done", "thawed", "on_call", "d1"))
    night.sign("primary", "db_owner", "back.rows")
    night.polls(30)
    night.show("rolled back")
    night.vote("go_no_go", "go", "primary/on_call", "bob/backup")
    night.polls(1)
    night.show("voted again")
    night.deploy()
    night.polls(2, web=NEW)
    night.show("deployed again")
    return night


def fixed_forward() -> Night:
    """Past the point of no return; then everything is dark."""
    night = prepared(Night(whole()))
    night.polls(4, web=NEW)
    night.say(PointOfNoReturn(night.now, "", "p1"), PointOfNoReturn(night.now, "2 documents", "p2"))
    night.polls(4, web=NEW, m={"rate": 0.3})
    night.show("it burns past the point of no return")
    night.decided("fix_forward")
    night.polls(2, web=NEW, m={"rate": 0.3})
    night.show("fixing forward")
    night.polls(30, web=NEW)
    night.sign("ann", "on_call", "team", "smoke")
    night.sign("bob", "backup", "smoke")
    night.polls(10, web=NEW)
    night.show("fixed")
    night.say(PointOfNoReturn(night.now, "", "p1", undone=True), PointOfNoReturn(night.now, "", "p2", undone=True))
    night.polls(1, web=NEW)
    night.show("the purge was undone")
    night.sign("ann", "on_call", "team", retracted=True)
    night.polls(3, m=Reason.ACCESS_DENIED, n=Reason.ACCESS_DENIED, p=Reason.TIMEOUT, web=Reason.EXPIRED_CREDENTIALS)
    night.show("dark")
    for each in night.situation.root_causes:
        night.noted(cause_line(each))
    night.polls(8, m=Reason.ACCESS_DENIED, p=Reason.TIMEOUT, web=NEW)
    night.show("dark for too long")
    night.decided("dismiss")
    since = night.now
    night.now += timedelta(minutes=10)
    night.board.gap(since, night.now)
    night.say(ObserverGap(night.now, since))
    night.show("asleep")
    night.polls(1, web=NEW)
    night.show("awake")
    night.polls(6, web={**NEW, "stable": False}, n={"rate": 0.07, "ok": False}, t={"rate": 0.4})
    night.show("something fails")
    night.say(LinesMissing(night.now, ("2 lines of bob's cockpit are missing",)))
    night.show("lines of another cockpit are missing")
    return night


def old_breach() -> Night:
    """An alarm that rang before the cutover, statements that do not count, and a deployment begun without its gates."""
    night = Night(
        whole(
            window=ChangeWindow(
                "Europe/Berlin", days=("sun",), opens=(START - timedelta(hours=1)).time(), closes=at(5000).time()
            )
        )
    )
    old = at(-40 * MINUTE)
    night.say(PhaseBegan(START, Phase.PRE_DEPLOY))
    night.polls(4, p={"ok": False})
    night.show("an alarm rings already")
    night.say(PhaseBegan(night.now, Phase.POST_DEPLOY, "primary", "now", "on_call", "d1"))
    night.show("begun with its gate shut")
    night.say(PhaseBegan(night.now, Phase.POST_DEPLOY))
    for _ in range(6):
        night.polls(1, p={"ok": False}, web=NEW)
    night.show("it is from before")
    status = night.situation.criterion("alarm")
    night.say(Acknowledgement(night.now, "alarm", "ann", "since noon", "on_call", "d1", status.pre_existing))
    night.polls(2, p={"ok": False}, web=NEW)
    night.show("acknowledged")
    later, proof = night.now + timedelta(hours=2), Proof(opened=old, written=night.now, received=night.now)
    night.say(
        Vote(later, "go_no_go", "bob", "backup", "go", plan_digest="d1", proof=proof),
        Vote(night.now, "go_no_go", "bob", "backup", "perhaps", plan_digest="d1"),
        Vote(night.now, "go_no_go", "cid", "backup", "go", plan_digest="d0"),
        SignOff(night.now, "vpn", "primary", "on_call", "seen", "d1"),
        SignOff(night.now, "team", "ann", "on_call", "seen", ""),
        SignOff(night.now, "nothing", "ann", "on_call", "seen", "d1"),
        Waiver(night.now, "fine", "ann", "long", night.now + timedelta(hours=13), "on_call", "d1"),
        Decision(night.now, "explode", "ann", "so", "", "on_call", "d1"),
        Decision(night.now, "dismiss", "ann", "so", "", "on_call", "d1", (), night.now + timedelta(hours=13)),
        PointOfNoReturn(night.now, "all", proof=Proof(flaw="its line is altered")),
        ReleaseSeen(night.now, "shop", "web", "web:1", "", "", proof=Proof()),
        Happened(night.now, MIGRATION, "run 1 began"),
        GateUsed(night.now, "copy", "migrate", "ann", "on_call", "d1"),
    )
    night.show("what does not count")
    night.polls(3, p={"ok": False}, web=NEW, old=Reason.NOT_FOUND, n={"rate": 0.3})
    night.polls(1, p={"ok": True}, web=NEW)
    night.polls(1, p={"ok": False}, web=NEW)
    night.show("it rings anew")
    night.wait(70)
    night.show("nothing was read for a while")
    return night


def alone() -> Night:
    """A plan that names nobody, has no window, and whose steps nobody timed."""
    steps = (step("one", "Begin", None), step("two", "Deploy it", 5), step("three", "Look", 5, after=("one",)))
    made = plan(
        success("fine", "m.ok", hold_for=30),
        trigger("errors", "m.rate > 0.05", hold_for=30),
        after=(item("later", "n.ok || m.rate < 0.5"), item("never", "n.rate > 0.9", blocking=False)),
        people=(),
        runbook=steps,
    )
    night = Night(made)
    night.polls(2)
    night.show("begun")
    night.say(StepEnded(night.now, "one", "", "done", "went well"))
    night.polls(4)
    night.board.add(
        "m",
        Reading(
            night.now + seconds(5),
            night.now + seconds(5),
            {"ok": True},
            {"rate": Unknown(Reason.LOW_VOLUME, "3 of 20 requests")},
        ),
    )
    night.wait(6)
    night.show("too few requests")
    night.polls(12)
    night.show("GO")
    night.polls(2, m={"rate": 0.051}, n={"ok": False})
    night.show("worse")
    night.polls(3, m={"rate": 0.051}, n={"ok": False})
    night.show("tripped")
    return night


@pytest.mark.parametrize(
    "play", [deployment, rollback, fixed_forward, old_breach, others, withheld, alone], ids=lambda play: play.__name__
)
def test_a_night_shows_what_was_agreed(play: Callable[[], Night]) -> None:
    night = play()
    if night.situation.schedule is not None and night.situation.schedule.end is not None:
        night.noted(night.situation.schedule.end.line(night.situation.back.window if night.situation.back else None))
    for who in ("ann", "eve", "", None):
        night.noted(f"{who}: {next_for(night.situation, who)}")
    for each in worded(night.situation):
        night.noted(each)
    for subject, word in words_of(night.situation).items():
        night.noted(f"{subject}: {' '.join(word)}")
    shown = f"{play.__doc__}\n" + "\n".join(night.text) + "\n"
    kept = NIGHTS / f"{play.__name__}.txt"
    if os.environ.get("WRITE_NIGHTS"):
        kept.write_text(shown, encoding="utf-8")
    assert shown == kept.read_text(encoding="utf-8")
