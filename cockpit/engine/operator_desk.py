"""What the person at this cockpit may sign, vote and decide, and the rules for it. Everything is kept in the record."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

from cockpit import formatting
from cockpit.decide.because import Explanation
from cockpit.decide.counted import CHOICES, LONGEST_WAIVER, Rules, deciding_roles
from cockpit.decide.events import (
    DECISION,
    MIGRATION,
    Acknowledgement,
    Decision,
    GateUsed,
    Happened,
    LinesMissing,
    Occurrence,
    PhaseBegan,
    Proof,
    SignOff,
    Statement,
    StepBegan,
    StepEnded,
    Vote,
    Waiver,
)
from cockpit.decide.gate import missing_before, opening, used, worded
from cockpit.decide.situation import Situation, Verdict
from cockpit.decide.states import Word
from cockpit.decide.withheld import GO_WITHOUT, MISSING
from cockpit.engine.given_text import observation, reason
from cockpit.engine.ports import Keeper, Refused
from cockpit.engine.watch import Watch
from cockpit.journal.readings import digest_of
from cockpit.plan.model import Ask, Gate, Person, Phase

IDENTIFY = "identify yourself first: press i"
S = TypeVar("S", bound=Statement)


class Desk:
    """What one person may do in the cutover. Every method raises Refused with the reason, and then nothing was kept."""

    def __init__(self, watch: Watch, keeper: Keeper, who: str = "") -> None:
        self.watch = watch
        self.keeper = keeper
        self.person: Person | None = None
        if who:
            self.identify(who)

    # -- identity ---------------------------------------------------------------------------------------------------------

    def identify(self, who: str) -> None:
        """Set the person at this cockpit. Raises Refused for one the plan does not have."""
        person = next((each for each in self.watch.plan.people if each.id == who), None)
        if person is None:
            known = ", ".join(each.id for each in self.watch.plan.people) or "nobody"
            raise Refused(f"the plan has no person {who}: {known}" if who else f"choose a person: {known}")
        self.person = person

    def may_sign(self, roles: Iterable[str]) -> bool:
        """Whether the person here holds one of the roles."""
        return self.person is not None and not set(self.person.roles).isdisjoint(roles)

    @property
    def deciding_roles(self) -> tuple[str, ...]:
        """Roles that waive, acknowledge, decide and begin phases."""
        return deciding_roles(self.watch.plan)

    def may_decide(self) -> Person:
        """The person here, if they hold a role that decides."""
        return self._in_role(self.deciding_roles, "this decision")[0]

    def _in_role(self, roles: Iterable[str], what: str) -> tuple[Person, str]:
        wanted = tuple(roles)
        if self.person is None:
            raise Refused(IDENTIFY)
        role = next((role for role in wanted if role in self.person.roles), None)
        if role is None:
            held = ", ".join(map(formatting.role, self.person.roles))
            raise Refused(f"{what} needs {formatting.roles(wanted)}; {self.person.id} is {held}")
        return self.person, role

    # -- sign-offs ---------------------------------------------------------------------------------------------------

    async def sign(self, subject: str, answer: str) -> SignOff:
        """A typed observation about an item, a criterion or a step."""
        ask = self.ask_of(subject)
        if ask is None:
            raise Refused("this line needs no sign-off")
        person, role = self._in_role(ask.roles, "this")
        observed = observation(answer)
        now, plan = self.watch.clock.now(), self.watch.plan
        entry = SignOff(now, subject, person.id, role, observed, plan.digest, evidence=self._evidence(subject))
        return await self._keep(entry, person, role)

    async def _keep(self, entry: S, person: Person, role: str) -> S:
        """Keep a statement, signed with the person's key where they have one; what could not count is not kept."""
        entry = replace(entry, proof=Proof(own=True, key=await self.keeper.key_of(person)))
        rules = Rules(self.watch.plan, self.watch.record, self.watch.clock.now())
        if why := rules.objection(entry):
            hint = "" if entry.key else "; load your key with ssh-add, or give it with --key"
            raise Refused(f"this would not count: {why}{hint if person.fingerprint else ''}")
        await self.keeper.keep(entry, person, role)
        return entry

    async def retract(self, subject: str) -> None:
        """Withdraw the sign-off, the waiver or the ended step of a subject, by a counter-entry."""
        record, now, digest = self.watch.counted(), self.watch.clock.now(), self.watch.plan.digest
        waiver = record.latest(Waiver, subject)
        if waiver is not None and now < waiver.until:
            person, role = self._in_role(self.deciding_roles, "withdrawing a waiver")
            await self._keep(Waiver(now, subject, person.id, "withdrawn", now, role, digest), person, role)
            return
        given = record.latest(SignOff, subject)
        if given is not None and not given.retracted:
            ask = self.ask_of(subject)
            person, role = self._in_role((*(ask.roles if ask else ()), *self.deciding_roles), "withdrawing a sign-off")
            await self._keep(SignOff(now, subject, person.id, role, "withdrawn", digest, retracted=True), person, role)
            return
        ended = record.latest(StepEnded, subject)
        if ended is not None and ended.outcome != "open":
            await self._step(StepEnded(now, subject, self._identified().id, "open", "withdrawn"))
            return
        raise Refused("this line has nothing to withdraw")

    def ask_of(self, subject: str) -> Ask | None:
        """What is asked about a subject; None where nothing is."""
        return self.watch.plan.asks().get(subject)

    def _evidence(self, subject: str) -> str:
        because = because_of(self.watch.situation, subject)
        if because is None or not because.probes:
            return ""
        seen = {name: reading for name in because.probes if (reading := self.watch.latest(name)) is not None}
        return f"{because.line} [sha256 {digest_of(seen)}]"

    # -- gates and exceptions ----------------------------------------------------------------------------------------

    async def vote(self, gate_id: str, choice: str, why: str = "") -> Vote:
        """Go, no-go or hold at a gate."""
        gate = self._gate(gate_id)
        person, role = self._in_role(gate.poll.roles, gate.title)
        if choice not in CHOICES:
            raise Refused(f"vote {', '.join(CHOICES)}")
        if choice != "go" and len(why.strip()) < 3:
            raise Refused(f"{choice} needs a reason")
        digest = self.watch.plan.digest
        entry = Vote(self.watch.clock.now(), gate.id, person.id, role, choice, plan_digest=digest, why=why.strip())
        return await self._keep(entry, person, role)

    def missing_before(self, what: str) -> list[str]:
        """What the gates before something still need, from whom; empty when this person may begin it."""
        who = self.person.id if self.person else ""
        found = missing_before(self.watch.plan, self.watch.record, what, self.watch.clock.now(), who)
        return worded(found, IDENTIFY)

    async def waive(self, subject: str, why: str, duration: timedelta) -> Waiver:
        """Suspend one item or criterion; it re-arms itself at the end."""
        person, role = self._in_role(self.deciding_roles, "a waiver")
        known = {item.id for _, item in self.watch.plan.items()} | {each.id for each in self.watch.plan.criteria()}
        if subject not in known:
            raise Refused("only items and criteria can be waived")
        if not timedelta(0) < duration <= LONGEST_WAIVER:
            raise Refused(f"a waiver ends within {formatting.duration(LONGEST_WAIVER)}")
        now = self.watch.clock.now()
        entry = Waiver(now, subject, person.id, reason(why), now + duration, role, self.watch.plan.digest)
        return await self._keep(entry, person, role)

    async def acknowledge(self, subject: str, why: str) -> Acknowledgement:
        """This trigger was true before the cutover began, and a named person acknowledged it."""
        person, role = self._in_role(self.deciding_roles, "an acknowledgement")
        since = next((each.pre_existing for each in self.watch.situation.criteria if each.id == subject), None)
        if since is None:
            raise Refused("only what was true before the cutover began can be acknowledged")
        now, digest = self.watch.clock.now(), self.watch.plan.digest
        return await self._keep(
            Acknowledgement(now, subject, person.id, reason(why), role, digest, since), person, role
        )

    # -- decisions ---------------------------------------------------------------------------------------------------

    async def decide(
        self, choice: str, why: str, *, shown: Verdict | None = None, lasts: timedelta | None = None
    ) -> Decision:
        """Answer the trips that a verdict names: execute, dismiss, or fix_forward. What trips later is not answered.

        `shown`: the verdict that the person decides on; by default the one of now. Where a decision is under way already, this
        one takes its place, and a dismissal withdraws it. `lasts`: of a dismissal; None: these trips alone.
        """
        person, role = self._in_role(self.deciding_roles, "this decision")
        verdict = shown or self.watch.situation.verdict
        if verdict.latch is None and verdict.under_way is None:
            raise Refused("no rollback is waiting for a decision")
        if choice == "execute":
            self.may_go_back()
        if lasts is not None and (choice != "dismiss" or not timedelta(0) < lasts <= LONGEST_WAIVER):
            raise Refused(f"a dismissal lasts {formatting.duration(LONGEST_WAIVER)} at most, or until it is clear")
        made = self._decision(choice, person, role, why, verdict, withdraws=choice == "dismiss")
        ends = None if lasts is None else made.at + lasts
        return await self._keep(replace(made, until=ends), person, role)

    async def execute(self, why: str) -> Decision:
        """Decide that a rollback is executed, whether or not the verdict calls for one: before the cockpit does it."""
        person, role = self._in_role(self.deciding_roles, "this decision")
        self.may_go_back()
        verdict = self.watch.situation.verdict
        return await self._keep(self._decision("execute", person, role, why, verdict), person, role)

    def may_go_back(self) -> None:
        """Raises Refused past the point of no return, whether or not the verdict calls for anything."""
        if loses := self.watch.counted().loses:
            raise Refused(f"past the point of no return: a rollback would lose {loses}. Fix forward")

    async def migrate(self, why: str, line: str, act: str = "") -> None:
        """State that a migration phase is begun, as `line` says it, and that the gates before `act` are used: before it is.

        What is begun rests on it (`opening`). A plan without people has nobody to state it: it is noted. Where a signature was
        refused halfway, what was stated is gone on with: the gates that it did not use yet are used.
        """
        if not self.watch.plan.people:
            self.watch.record.append(Happened(self.watch.clock.now(), MIGRATION, f"decided: {reason(why)} ({line})"))
            return
        person, role = self._in_role(self.deciding_roles, "this decision")
        now, digest = self.watch.clock.now(), self.watch.plan.digest
        halfway = opening(self.watch.plan, self.watch.record, act, (line,), now, person.id)
        goes_on = halfway.statement is not None and not halfway.whole
        missing = worded(halfway.missing, IDENTIFY) if goes_on else self.missing_before(act)
        if missing:
            raise Refused(f"{missing[0]}; nothing was changed")
        uses = self._gates_before(act, person, role)
        advised = self.watch.situation.verdict.word if self.watch.revision else ""
        decided = Decision(now, "migrate", person.id, f"{reason(why)} ({line})", advised, role, digest, ())
        if not goes_on:
            await self._keep(decided, person, role)
        for use in uses:
            await self._keep(use, person, role)

    def _decision(
        self, choice: str, person: Person, role: str, why: str, verdict: Verdict, *, withdraws: bool = False
    ) -> Decision:
        """`withdraws`: without a trip that waits, it takes back the decision that is under way."""
        answers = verdict.latch.trips if verdict.latch else ()
        if verdict.latch is None and verdict.under_way is not None:
            answers = verdict.under_way.answers or ()
            if withdraws:
                given = verdict.under_way
                answers = (*answers, Occurrence(given.proof.dated or given.at, DECISION))
        now, digest = self.watch.clock.now(), self.watch.plan.digest
        return Decision(now, choice, person.id, reason(why), verdict.word, role, digest, answers)

    async def begin(self, phase: Phase, why: str = "") -> PhaseBegan:
        """Go on to the next phase. Against the verdict only with a reason, which is kept with what was advised."""
        person, role = self._in_role(self.deciding_roles, "beginning a phase")
        verdict = self.watch.situation.verdict
        if verdict.phase is phase and verdict.word is not Word.ROLLED_BACK:
            raise Refused(f"{phase} has begun already")
        self._approved(phase)
        if verdict.word is not Word.GO:
            now, digest = self.watch.clock.now(), self.watch.plan.digest
            proceed = Decision(now, "proceed", person.id, reason(why), verdict.word, role, digest, ())
            await self._keep(proceed, person, role)
        return await self.state_phase(phase, why.strip())

    async def state_phase(self, phase: Phase, why: str) -> PhaseBegan:
        """State which phase the cutover is in, whatever the verdict: how a cockpit is opened. No gate is passed by."""
        self._approved(phase)
        person, role = self._in_role(self.deciding_roles, "beginning a phase")
        now, digest = self.watch.clock.now(), self.watch.plan.digest
        rests_on = self._gates_before("deploy", person, role) if phase is Phase.POST_DEPLOY else []
        begun = await self._keep(PhaseBegan(now, phase, person.id, why, role, digest), person, role)
        for use in rests_on:
            await self._keep(use, person, role)
        return begun

    def _gates_before(self, act: str, person: Person, role: str) -> list[GateUsed]:
        return used(self.watch.plan, self.watch.record, act, self.watch.clock.now(), person, role)

    def _approved(self, phase: Phase) -> None:
        if phase is Phase.POST_DEPLOY and (missing := self.missing_before("deploy")):
            raise Refused(missing[0])

    def caller_to_accept(self) -> str:
        """Name of the AWS caller that is refused now, which this person may accept. Raises Refused."""
        self.may_decide()
        if self.watch.callers is None:
            raise Refused("this cockpit does not watch an AWS account")
        return self.watch.callers.wanted()

    async def accept_caller(self, typed: str) -> str:
        """Go on reading AWS under the caller now in use, by its name: a decision, kept first. Raises Refused."""
        name = self.caller_to_accept()
        assert self.watch.callers is not None
        if " ".join(typed.split()) != name:
            raise Refused(f"type  {name}  to continue with it")
        person, role = self._in_role(self.deciding_roles, "this decision")
        now, verdict = self.watch.clock.now(), self.watch.situation.verdict
        why, digest = f"the credentials are of {name}", self.watch.plan.digest
        await self._keep(Decision(now, "accept_caller", person.id, why, verdict.word, role, digest, ()), person, role)
        return self.watch.callers.accept(name)

    def missing_lines(self) -> LinesMissing:
        """The note of what is missing of others, which this person may go on without. Raises Refused."""
        self.may_decide()
        note = self.watch.record.lines_missing
        if note is None or not self.watch.counted().withheld.sentences:
            raise Refused("no lines of others are known to be missing")
        return note

    async def go_without(self, note: LinesMissing, why: str) -> None:
        """Go on without what that note says is missing: a decision with a reason, kept first. Raises Refused.

        What is noted as missing after it holds again.
        """
        if self.missing_lines() is not note:
            raise Refused("by now something else is missing: look at it first")
        person, role = self._in_role(self.deciding_roles, "this decision")
        now, verdict = self.watch.clock.now(), self.watch.situation.verdict
        text = f"{reason(why)} (without {self.watch.counted().withheld.what})"
        digest, about = self.watch.plan.digest, (Occurrence(note.at, MISSING),)
        await self._keep(Decision(now, GO_WITHOUT, person.id, text, verdict.word, role, digest, about), person, role)

    # -- steps -------------------------------------------------------------------------------------------------------

    async def start_step(self, step: str) -> None:
        """Begin a step, by the votes of the gates before it. Raises Refused where they are not passed."""
        person = self._identified()
        guarded = any(gate.before == step for gate in self.watch.plan.gates)
        if guarded and (missing := self.missing_before(step)):
            raise Refused(f"{missing[0]}; the step was not begun")
        uses: list[GateUsed] = []
        if guarded:
            person, role = self._in_role(self.deciding_roles, "beginning this step")
            uses = self._gates_before(step, person, role)
        await self._step(StepBegan(self.watch.clock.now(), step, person.id))
        for use in uses:
            await self._keep(use, person, use.role)

    async def end_step(self, step: str, outcome: str, seen: str) -> None:
        """How a step ended (done, failed, skipped), with what was seen."""
        await self._step(StepEnded(self.watch.clock.now(), step, self._identified().id, outcome, observation(seen)))

    def _identified(self) -> Person:
        if self.person is None:
            raise Refused(IDENTIFY)
        return self.person

    async def _step(self, entry: StepBegan | StepEnded) -> None:
        person = self._identified()
        known = {step.id for step in (*self.watch.plan.runbook, *self.watch.plan.rollback_plan)}
        if entry.subject not in known:
            raise Refused("the plan has no such step")
        role = person.roles[0] if person.roles else ""
        await self._keep(replace(entry, role=role, plan_digest=self.watch.plan.digest), person, role)

    def _gate(self, gate_id: str) -> Gate:
        found = next((gate for gate in self.watch.plan.gates if gate.id == gate_id), None)
        if found is None:
            raise Refused("the plan has no such gate")
        return found


def because_of(situation: Situation, subject: str) -> Explanation | None:
    """The reason of an item or criterion."""
    for section in situation.sections:
        for item in section.items:
            if item.id == subject:
                return item.because
    return next((each.because for each in situation.criteria if each.id == subject), None)
