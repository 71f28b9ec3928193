"""Whatever others say, on every screen: what is painted is what is seen, in its own line, and nothing raises."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
from tui.stage import FIELDS, HERE, Broken, Stage, opened, plan, shown, until
from tui.test_frame_everywhere import PLACES, Unsigned, screen_kinds

from cockpit.decide.events import (
    Acknowledgement,
    Change,
    Decision,
    Happened,
    PhaseBegan,
    PointOfNoReturn,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.states import Word
from cockpit.engine.operator_desk import Desk
from cockpit.plan.model import Gate, Phase, Plan, Section, Step, Target
from cockpit.report.formats.situation_text import situation_text
from cockpit.tui.app import CockpitApp
from cockpit.tui.screens.base import FrameScreen
from cockpit.tui.screens.pages import CardScreen
from probes.reading import Evidence, Field, Reading, Reason, Unknown, Value

MARK = "✓ GO  (forged)"
HOSTILE = {
    "control": "a\x00\x07\x08\x7f\x85b",
    "escape": "a\x1b[2J\x1b[1;1H\x1b[31m\x9b2Jb",
    "osc": "a\x1b]0;title\x07\x1b]52;c;eHh4\x1b\\\x1bP+q\x1b\\b",
    "return": f"a\r{MARK}",
    "newline": f"a\n{MARK}\n\n{MARK}\r\n{MARK}",
    "direction": "a\u202e\u2066\u200f\u061cb",
    "separators": f"a\u2028{MARK}\u2029{MARK}\x0b{MARK}\x0c{MARK}",
    "invisible": "a\u00ad\u200b\u200d\ufeff\u3164b",
    "tags": "a\U000e0041\U000e0042\U000e007fb",
    "markup": "[red]a[/] [/nothing] [@click=app.exit]b[/] [link=http://x]c[/link] [bold",
    "long": "x" * 100_000,
    "long with spaces": "a b " * 25_000,
    "wide": "\u5b57" * 300 + "e\u0301" * 200,
}
WALKED = {
    "short": " ".join(HOSTILE[kind] for kind in [*list(HOSTILE)[:10], "wide"]),
    "long": HOSTILE["long"][:20_000],  # ten times what is shown of one text
}
"""Every screen is opened once with each of these."""
UNSEEN = frozenset({"Cc", "Cf", "Cs", "Cn", "Co", "Zl", "Zp"})


def hostile_plan(text: str) -> Plan:
    """What a plan holds is read from a file with rules of its own; here every text of it is whatever it likes."""
    of = plan()
    fields = (*FIELDS, Field("what", str, text, text, text), Field("names", tuple, text, (text,)))
    probes = {name: replace(spec, title=text, fields=fields) for name, spec in of.probes.items()}
    sections = [
        Section(text, part.phase, tuple(replace(item, title=text, caution=text, ref=text) for item in part.items))
        for part in of.checklist
    ]
    step = Step("step", text, HERE, command=text, expect=text, caution=text, ref=text)

    def told(criterion):  # type: ignore[no-untyped-def]
        return replace(criterion, title=text, caution=text, ref=text, runbook=text)

    return replace(
        of,
        name=text[:200],
        title=text,
        target=Target(text[:200], text[:200]),
        probes=probes,
        people=tuple(replace(person, name=text) for person in of.people),
        checklist=tuple(sections),
        gates=tuple(Gate(gate.id, text, gate.before, gate.poll, gate.position) for gate in of.gates),
        success_criteria=tuple(map(told, of.success_criteria)),
        rollback_triggers=tuple(map(told, of.rollback_triggers)),
        runbook=(step,),
        rollback_plan=(replace(step, id="back"),),
    )


def hostile_stage(text: str) -> Stage:
    """A night in which AWS, the plan, peers and people all say this."""
    stage = Stage(hostile_plan(text))
    stage.account = stage.arn = text
    stage.notices.append(lambda: text)
    for _ in range(8):
        tell(stage, text, rate=0.12)
    stage.hand.time += timedelta(seconds=5)
    now = stage.hand.time
    digest = stage.plan.digest
    stage.record.extend(
        [
            SignOff(now, "i.vpn", "ada", "on_call", text, digest, evidence=text),
            SignOff(now, "site.up", text, text, text, text),
            Vote(now, "go", "bob", "backup", "go", plan_digest=digest, why=text),
            Vote(now, "go", text, text, text, plan_digest=text, why=text),
            Waiver(now, "site.up", text, text, now + timedelta(hours=1)),
            Acknowledgement(now, "site.up", text, text),
            Decision(now, text, text, text, text),
            StepBegan(now, "step", "ada", "on_call", digest),
            StepEnded(now, "step", "ada", text, text, "on_call", digest),
            Happened(now, text, text, text),
            ReleaseSeen(now, text, text, text, text, text),
            PhaseBegan(now, Phase.POST_DEPLOY, text, text),
            PointOfNoReturn(now, text),
            Change(now, "verdict", text, text, text),
            Change(now, text, text, text, text),
        ]
    )
    tell(stage, text, rate=0.12)
    why = Unknown(Reason.ERROR, text, text)
    tell(stage, text, blind={"service": why})
    return stage


def tell(stage: Stage, text: str, *, blind: Mapping[str, Unknown] | None = None, **values: Value) -> None:
    stage.hand.time += timedelta(seconds=15)
    now = stage.hand.time
    evidence = Evidence(text, text, text, (text, text))
    for name in stage.plan.probes:
        why = (blind or {}).get(name)
        good: dict[str, Value] = {"rate": 0.01, "running": 2, "ok": True, "what": text, "names": (text,)}
        known = {} if why else good | values
        unknown = {field.name: why for field in stage.plan.probes[name].fields} if why else {}
        stage.board.add(name, Reading(now, now, known, unknown, evidence, latency_s=0.012))
    stage.tick()


def check(app: CockpitApp, place: str, width: int) -> None:
    screen = shown(app)
    unseen = {f"{ord(each):x}" for each in screen if each != "\n" and unicodedata.category(each) in UNSEEN}
    assert not unseen, place
    lines = screen.splitlines()
    assert "READ-ONLY" in lines[0], place
    assert f"{app.cutover.situation.verdict.word}" in lines[1], place
    for line in lines:
        assert not line.strip(" │▌|▎").startswith(MARK), (place, line)
        assert line.count("\x1b") == 0


@pytest.mark.parametrize("kind", WALKED)
async def test_nothing_but_what_is_seen_reaches_the_cells(kind: str) -> None:
    text = WALKED[kind]
    stage = hostile_stage(text)
    assert stage.situation.verdict.word is not Word.GO
    app = CockpitApp(stage, drill=Broken(), desk=Desk(stage, Unsigned(stage)), card=lambda: (text, text))
    seen = set()
    async with opened(app, (80, 24), notifications=True) as pilot:
        app.paint()
        await until(pilot, lambda: isinstance(app.screen, CardScreen) and "READ-ONLY" in shown(app))
        for place, keys in PLACES.items():
            await pilot.press(*keys)
            check(app, f"{kind}: {place}", 80)
            front = next(screen for screen in reversed(app.screen_stack) if isinstance(screen, FrameScreen))
            seen.add(type(front))
            app.show_message(text)
            await pilot.pause()
            check(app, f"{kind}: a message over {place}", 80)
        assert app.is_running
    assert seen == screen_kinds()


@pytest.mark.parametrize("kind", HOSTILE)
def test_a_printed_situation_has_as_many_lines_whatever_others_say(kind: str) -> None:
    text = situation_text(hostile_stage(HOSTILE[kind]).situation)
    assert len(text.split("\n")) == len(situation_text(hostile_stage("a").situation).split("\n"))
    assert not [line for line in text.split("\n") if line.lstrip().startswith(MARK)]
    assert not [each for each in text if each != "\n" and unicodedata.category(each) in UNSEEN]
