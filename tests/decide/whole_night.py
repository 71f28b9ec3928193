"""A plan with something of everything, and what happens to it, step by step."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

from decide.scene import (
    FIELDS,
    HERE,
    PEOPLE,
    ask,
    at,
    blind,
    gate,
    item,
    plan,
    probe,
    reading,
    seconds,
    success,
    trigger,
)
from decide.written_out import WrittenNight

from cockpit.decide.events import (
    Decision,
    PhaseBegan,
    ReleaseSeen,
    SignOff,
    StepBegan,
    StepEnded,
    Vote,
)
from cockpit.decide.gate import used
from cockpit.plan.change_window import ChangeWindow, Opening
from cockpit.plan.model import Gate, Migration, Mode, OnUnknown, Phase, Plan, Poll, Severity, Step
from probes.reading import Evidence, Field, Reading, Reason, Value

MINUTE = 60
Answer = Mapping[str, Value] | Reason
"""What a probe says otherwise than usual, or why it says nothing."""
SERVICE = (
    *FIELDS,
    Field("stable", bool, "runs as wanted", example=True),
    Field("task_definition", str, "what it runs", "web:41"),
    Field("digests", tuple, "its images", ("sha256:1",)),
    Field("share", float, "how far it is", 0.5, "ratio", low=0, high=1),
)
ARN = "arn:aws:ecs:us-east-1:123456789012:task-definition/"


def service(name: str, cluster: str = "shop") -> object:
    return replace(probe(name), uses="ecs.service", params={"cluster": cluster, "service": name}, fields=SERVICE)


def step(id_: str, title: str, minutes: float | None, **more: object) -> Step:
    return Step(id_, title, HERE, duration=seconds(minutes * MINUTE) if minutes else None, **more)  # type: ignore[arg-type]


UNTIL_ONE = ChangeWindow("UTC", once=Opening(at(-MINUTE * 30), at(MINUTE * 180)))


def whole(window: ChangeWindow = UNTIL_ONE) -> Plan:
    """Something of everything a plan can hold."""
    made = plan(
        success("fine", "m.ok && n.ok", hold_for=60, ref="R1"),
        success("served", "n.rate < 0.05", hold_for=30, min_samples=3, gap_tolerance=30, stale_after=45),
        success("team", "", sign_off=ask("on_call", valid_for=40 * MINUTE), caution="ask twice"),
        success("warm", "m.running >= 2", until=10 * MINUTE),
        trigger(
            "errors", "m.rate > 0.05", hold_for=30, clear_for=45, runbook="https://run/errors", caution="look first"
        ),
        trigger("share", "n.rate > 0.2", within=120, at_least=0.5),
        trigger("slow", "m.running < 2", severity=Severity.MAJOR),
        trigger("few", "n.running < 2", severity=Severity.MAJOR, clear_for=30, clear_condition="n.running > 3"),
        trigger("dark", "p.rate > 0.5", on_unknown=OnUnknown.ROLLBACK, unknown_limit=90),
        trigger("watched", "m.rate > 0.01 && !n.ok", mode=Mode.SHADOW, hold_for=60),
        trigger("alarm", "!p.ok", initial_delay=30),
        trigger("lag", "t.rate > 0.3 || n.rate > 0.9", hold_for=120, stale_after=None, gap_tolerance=None),
        items=(
            item("infra", "web.stable && m.ok", blocking=False, ref="C1"),
            item("vpn", sign_off=ask("db_owner", valid_for=30 * MINUTE), killer=True, caution="both sites"),
            item("backup", "n.ok", sign_off=ask()),
        ),
        after=(item("smoke", "web.task_definition == 'web:42'", sign_off=ask("backup")), item("mail", "p.ok")),
        gates=(
            gate(valid_for=20 * MINUTE),
            Gate("copy", "Copy?", "migrate", Poll(("on_call", "backup"), 1, exclude_initiator=True), HERE),
            Gate("flip", "Flip?", "deploy.it", Poll(("db_owner", "backup"), 2, distinct_people=False), HERE),
        ),
        probes=(probe("m"), probe("n"), probe("p"), probe("t", period=60, settle=30), service("old"), service("web")),  # type: ignore[arg-type]
        runbook=(
            step("prepare", "Prepare the images", 10, in_window=False, owner="bob"),
            step("freeze", "Freeze writes", 5, sign_off=ask("db_owner"), command="freeze", expect="no writes"),
            step("copy.rows", "Copy the rows", 30, progress=("web.share",), after=("freeze",)),
            step("deploy.it", "Deploy the release", 20, gate="flip", after=("freeze",), caution="once"),
            step("look", "Look at the site", None),
        ),
        rollback_plan=(
            step("back.old", "Put the release back", 10, roles=("on_call",)),
            step("back.rows", "Thaw writes", 5, sign_off=ask("db_owner"), after=()),
        ),
    )
    guard = trigger(
        "busy", "m.rate > 0.5 || t.rate > 0.9", hold_for=30, clear_for=30, stale_after=None, gap_tolerance=None
    )
    return replace(
        made,
        migration=Migration("postgresql://nobody", "documents", "us-east-1", (), guards=(guard,)),
        window=window,
        rollback_reserve=timedelta(minutes=15),
    )


class Night(WrittenNight):
    """People do things in the order of the script; each poll is 15 seconds after the one before it."""

    def polls(self, times: int = 1, **levels: Answer) -> Night:
        """Every probe is read; `levels`: what differs from a good reading, by probe; an Unknown reason for all of a probe."""
        for _ in range(times):
            self.now += seconds(15)
            for name in self.plan.probes:
                self.board.add(name, self._answer(name, levels.get(name, {})))
            self.tick()
        return self

    def _answer(self, name: str, values: Answer) -> Reading:
        if isinstance(values, Reason):
            return blind(self.now, values, f"{name} says {values}", f"allow s3:Get{name}")
        usual: dict[str, Value] = {"rate": 0.01, "running": 4}
        evidence = Evidence(f"read {name}", "r-1", f"https://console/{name}", (f"2026-03-01 22:00:00 {name} said so",))
        if name in ("web", "old"):
            usual |= {
                "stable": True,
                "task_definition": f"{name}:41",
                "digests": (f"sha256:{name}41",),
                "share": 0.0,
            }
        data_at = None if name != "t" else self.now - timedelta(seconds=30 + self.now.timestamp() % 60)
        return reading(
            self.now, {**usual, **(values or {})}, evidence=evidence, **({"data_at": data_at} if data_at else {})
        )

    def sign(self, by: str, role: str, *subjects: str, **more: object) -> None:
        self._say(SignOff(self.now, each, by, role, "seen", "d1", **more) for each in subjects)  # type: ignore[arg-type]

    def vote(self, to: str, choice: str, *voters: str, **more: object) -> None:
        """Each voter as `person/role`."""
        pairs = [each.split("/") for each in voters]
        self._say(Vote(self.now, to, by, role, choice, plan_digest="d1", why="so", **more) for by, role in pairs)  # type: ignore[arg-type]

    def decided(self, choice: str, by: str = "ann", **more: object) -> None:
        latch = self.situation.verdict.latch
        answers = latch.trips if latch else ()
        self.say(Decision(self.now, choice, by, "it burns", "ROLLBACK", "on_call", "d1", answers, **more))  # type: ignore[arg-type]

    def did(self, subject: str, by: str = "bob", outcome: str = "done", took: float = 60) -> None:
        self.say(StepBegan(self.now, subject, by, "backup", "d1"))
        self.polls(int(took // 15))
        self.say(StepEnded(self.now, subject, by, outcome, f"{subject} was {outcome}", "backup", "d1"))

    def deploy(self) -> None:
        self.say(ReleaseSeen(self.now, "shop", "web", f"{ARN}web:41", "web:1 log:2", "sha256:web41 sha256:log"))
        spent = used(self.plan, self.record, "deploy", self.now, PEOPLE[0], "on_call")
        self.say(PhaseBegan(self.now, Phase.POST_DEPLOY, "primary", "now", "on_call", "d1"), *spent)

    def noted(self, what: object) -> None:
        self.text.append(f"  {what}")

    def _say(self, entries: object) -> None:
        self.say(*entries)  # type: ignore[misc]


NEW: Mapping[str, Value] = {"task_definition": "web:42", "digests": ("sha256:web42", "sha256:log"), "share": 0.4}
