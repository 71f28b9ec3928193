"""What each person does next. Pure. Everybody gets one thing: the most urgent that they may do; else what they wait for."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from cockpit import formatting
from cockpit.decide.act import Act, NextAction
from cockpit.decide.counted import deciding_roles
from cockpit.decide.situation import Badge, CriterionStatus, GateStatus, ItemStatus, Situation, StepStatus
from cockpit.decide.states import Check, State, StepState, Word
from cockpit.plan.model import Person, Phase, Plan
from probes.frozen import frozen

ANYBODY = Person("", "", ())
Line = ItemStatus | CriterionStatus
_MIGRATION = "migration"


def next_actions(plan: Plan, situation: Situation) -> tuple[NextAction, ...]:
    """One for each person of the plan, in its order; one for whoever is there where it names nobody."""
    moment = _Moment(plan, situation, deciding_roles(plan), unsigned(situation))
    moment = replace(moment, soon=next(moment.breaching(), None), left=next(moment.left_over(), None))
    found = [moment.of(person) for person in plan.people or (ANYBODY,)]
    return tuple(_waiting(each, found, situation) if each.act is Act.WAIT else each for each in found)


def next_for(situation: Situation, who: str | None) -> NextAction:
    """The next action at one cockpit: of the person there, "" for one who has not said who they are, None where nobody can.

    Where nobody can act at this cockpit, it is what the others have to do.
    """
    actions = situation.next_actions
    mine = next((each for each in actions if each.by == (who or "")), None)
    if mine is not None:
        return mine
    owed = next((each for each in actions if each.for_others), None)
    if who is None or not actions:
        return NextAction(Act.WAIT, owed.for_others if owed else next((each.what for each in actions), "nothing"))
    return NextAction(Act.IDENTIFY, f"identify yourself: {owed.for_others}" if owed else "identify yourself")


def also(situation: Situation, mine: NextAction) -> tuple[str, ...]:
    """What the others have to do, ready to show."""
    return tuple(each.for_others for each in situation.next_actions if each.owed and each.by != mine.by)


def worded(situation: Situation) -> tuple[str, ...]:
    """What there is to do for everybody who has something to do: `primary (on-call): decide: roll back or fix forward`."""
    return tuple(
        f"{formatting.person(each.by, each.role)}: {each.what}" if each.by else each.what
        for each in situation.next_actions
        if each.act is not Act.WAIT
    )


def deploying(runbook: Sequence[StepStatus]) -> Iterator[int]:
    """Numbers of the steps whose titles say that they deploy, over or not."""
    return (number for number, step in enumerate(runbook, 1) if "deploy" in step.title.lower())


def open_lines(situation: Situation, roles: Iterable[str]) -> list[Line]:
    """Items and criteria of this phase whose sign-off is missing and which somebody in one of `roles` may give."""
    return _of_roles(unsigned(situation), roles)


def unsigned(situation: Situation) -> Sequence[Line]:
    """Items and criteria of this phase whose sign-off is missing, whoever may give it; what is waived needs none."""
    before = situation.verdict.phase is Phase.PRE_DEPLOY
    lines: list[Line] = [
        item
        for section in situation.sections
        if not before or section.phase is Phase.PRE_DEPLOY
        for item in section.items
        if item.check is not Check.WAIVED
    ]
    lines += [each for each in situation.criteria if not before and Badge.WAIVED not in each.badges]
    return [each for each in lines if each.sign_off and not each.sign_off.given]


def _of_roles(lines: Sequence[Line], roles: Iterable[str]) -> list[Line]:
    held = frozenset(roles)
    return [each for each in lines if each.sign_off and not held.isdisjoint(each.sign_off.roles)]


@frozen
class _Moment:
    """The situation, asked for one person at a time."""

    plan: Plan
    situation: Situation
    deciding: tuple[str, ...]
    """In the order of the plan: whoever holds several acts in the first."""
    unsigned: Sequence[Line]
    soon: NextAction | None = None
    """The same for everybody, before all else: what trips soon."""
    left: NextAction | None = None
    """The same for everybody who has nothing of their own to do."""

    def of(self, person: Person) -> NextAction:
        found = next(self._in_order(person), None)
        return NextAction(Act.WAIT, "", person.id) if found is None else replace(found, by=person.id)

    def _in_order(self, person: Person) -> Iterator[NextAction]:
        verdict = self.situation.verdict
        if verdict.latch is not None:
            yield from self._decide(person)
            return
        if verdict.under_way is not None:
            yield from self._carry_out(person, verdict.under_way.choice)
            return
        if self.soon is not None:
            yield self.soon
        yield from self._withheld(person)
        if verdict.word is Word.ROLLED_BACK:
            yield from self._unrecorded()
        yield from self._own_step(person)
        yield from self._acknowledge(person)
        if verdict.word is not Word.ROLLED_BACK:
            yield from self._sign(person)
        yield from self._vote(person)
        yield from self._begin(person)
        if self.left is not None:
            yield self.left

    def left_over(self) -> Iterator[NextAction]:
        """What somebody should do, whoever it is."""
        yield from self._failing()
        yield from self._unseen()
        yield from self._step()

    # -- a rollback --------------------------------------------------------------------------------------------------

    def _decide(self, person: Person) -> Iterator[NextAction]:
        if role := _role(person, self.deciding):
            past = self.situation.verdict.word is Word.FIX_FORWARD
            what = "decide: fix forward or dismiss" if past else f"decide: roll back{self._released()} or fix forward"
            yield NextAction(Act.DECIDE, what, role=role, owed="has to decide on the rollback")

    def _released(self) -> str:
        """What a rollback would take away, by its revision."""
        new = [each.runs for each in self.situation.releases if each.differs]
        return f" {new[0]}" if len(new) == 1 else f" {len(new)} services" if new else ""

    def _carry_out(self, person: Person, choice: str) -> Iterator[NextAction]:
        if choice != "execute":
            yield from self._tripped()
            yield from self.breaching()
            yield from self._failing()
            return
        for number, step in enumerate(self.situation.rollback_plan, 1):
            if step.over:
                continue
            name = f"rollback step {number}: {step.title}"
            if not step.progress.meaning.done:
                yield NextAction(Act.DECIDE, _worded(step, name), subject=step.id)
            elif step.sign_off is not None and (role := _role(person, step.sign_off.roles)):
                yield NextAction(
                    Act.DECIDE,
                    f"sign {name}",
                    role=role,
                    owed=f"has to sign rollback step {number}",
                    subject=step.id,
                )

    def _unrecorded(self) -> Iterator[NextAction]:
        """The world is back, whoever brought it back: nothing of the plan is to be done again, and how it went is to be said."""
        left = [step for step in self.situation.rollback_plan if not step.over]
        if left:
            steps, them = formatting.count(len(left), "rollback step"), "it" if len(left) == 1 else "them"
            what = f"record how {steps} went, or skip {them} with a reason"
            yield NextAction(Act.DECIDE, what, subject=left[0].id)

    def _tripped(self) -> Iterator[NextAction]:
        """Fixing forward ends when every trigger is clear: what is true comes before what only fails."""
        for each in self.situation.criteria:
            if each.enforced and each.state is State.TRIPPED:
                yield NextAction(Act.WATCH, f"fix what tripped: {each.title}", subject=each.id)

    # -- on the way to GO --------------------------------------------------------------------------------------------

    def breaching(self) -> Iterator[NextAction]:
        soon = [
            (each.trips_in, each) for each in self.situation.criteria if each.enforced and each.trips_in is not None
        ]
        for time, each in sorted(soon, key=lambda one: one[0]):
            what = f"look at {each.title}: trips {formatting.left(time)}"
            yield NextAction(Act.WATCH, what, subject=each.id)

    def _withheld(self, person: Person) -> Iterator[NextAction]:
        withheld = self.situation.withheld
        if withheld.sentences and (role := _role(person, self.deciding)):
            what = f"ask the others, then go on without what is not here: {withheld.what}"
            yield NextAction(
                Act.ACCEPT, what, role=role, owed="has to go on without lines that are missing, or get them"
            )

    def _own_step(self, person: Person) -> Iterator[NextAction]:
        for number, step in enumerate(self.situation.runbook, 1):
            if step.progress is StepState.STARTED and step.by == person.id:
                yield NextAction(Act.RUN_STEP, _worded(step, f"step {number}: {step.title}"), subject=step.id)

    def _acknowledge(self, person: Person) -> Iterator[NextAction]:
        for each in self.situation.criteria:
            older = each.enforced and Badge.PRE_EXISTING in each.badges and not (each.ok or each.acknowledged)
            if older and (role := _role(person, self.deciding)):
                what = f"acknowledge {each.title}: it was true before the cutover began"
                owed = "has a trigger to acknowledge"
                yield NextAction(Act.ACKNOWLEDGE, what, role=role, owed=owed, subject=each.id)

    def _sign(self, person: Person) -> Iterator[NextAction]:
        lines = _of_roles(self.unsigned, person.roles)
        if not lines:
            return
        critical = [each for each in lines if isinstance(each, ItemStatus) and each.killer]
        note = f" ({len(critical)} critical: {critical[0].title})" if critical else f": {lines[0].title}"
        asked = lines[0].sign_off
        yield NextAction(
            Act.SIGN,
            f"sign your {formatting.count(len(lines), 'open line')}{note}",
            role=_role(person, asked.roles) if asked else "",
            owed=f"has {formatting.count(len(lines), 'line')} to sign",
            subject=lines[0].id,
        )

    def _vote(self, person: Person) -> Iterator[NextAction]:
        statuses = {status.id: status for status in self.situation.gates}
        for gate in self.plan.gates:
            status = statuses[gate.id]
            role = _role(person, gate.poll.roles)
            if role and person.id not in status.voted and self._wants_votes(status):
                what = f"vote go or no-go: {gate.title}, before {gate.before}"
                yield NextAction(Act.VOTE, what, role=role, owed=f"has to vote: {gate.title}", subject=gate.id)

    def _wants_votes(self, gate: GateStatus) -> bool:
        """Votes are wanted when all else before the deployment is there; they lapse. After it, for the
        copy of the files, and for the step that comes next."""
        verdict = self.situation.verdict
        if verdict.word is Word.ROLLED_BACK:
            return gate.before == "deploy" and (not gate.passed or gate.used_at is not None)
        if gate.passed:
            return False
        if verdict.phase is Phase.PRE_DEPLOY:
            others = {each.id for each in self.situation.gates}
            return gate.before == "deploy" and all(step.subject in others for step in self.situation.path_to_go)
        return gate.before == "migrate" or gate.before == self._next_step()

    def _next_step(self) -> str | None:
        """The first step of the runbook that is not over; None where there is none."""
        return next((step.id for step in self.situation.runbook if not step.over), None)

    def _begin(self, person: Person) -> Iterator[NextAction]:
        verdict = self.situation.verdict
        ready = verdict.phase is Phase.PRE_DEPLOY and verdict.word is Word.GO
        voted = all(gate.passed and gate.used_at is None for gate in self.situation.gates if gate.before == "deploy")
        again = verdict.word is Word.ROLLED_BACK and voted
        if (ready or again) and (role := _role(person, self.deciding)):
            number = self._deploying_step()
            run = f"run step {number}" if number else "run it yourself"
            what = f"begin the deployment{' again' if again else ''} (it does not deploy: {run})"
            yield NextAction(Act.BEGIN, what, role=role, owed="can begin the deployment")

    def _deploying_step(self) -> int:
        """Number of the step that deploys, by its title, else of the first that is not over; 0 where there is none."""
        open_ = [number for number, step in enumerate(self.situation.runbook, 1) if not step.over]
        named = (number for number in deploying(self.situation.runbook) if number in open_)
        return next(named, open_[0] if open_ else 0)

    def _out(self) -> str:
        """What runs since the deployment, by its revision: "web:42 runs"; empty where no service is seen to run another."""
        new = [each.runs for each in self.situation.releases if each.differs]
        return f"{', '.join(new)} {'runs' if len(new) == 1 else 'run'}" if new else ""

    def _failing(self) -> Iterator[NextAction]:
        situation, before = self.situation, self.situation.verdict.phase is Phase.PRE_DEPLOY
        for each in situation.criteria:
            unsigned = each.sign_off is not None and not each.because.condition
            if each.enforced and each.state is State.NOT_MET and not each.ok and not before and not unsigned:
                yield self._found_out(each, Act.WATCH)
        for section in situation.sections:
            for item in section.items:
                if item.check is Check.FAIL and item.blocking and (not before or section.phase is Phase.PRE_DEPLOY):
                    yield self._found_out(item, Act.CHECK)

    def _found_out(self, line: Line, shown: Act) -> NextAction:
        """What fails is found out about where it is `shown`; where its probe knows what to do about it, that is done."""
        because = line.because
        if not because.hint:
            return NextAction(shown, f"find out why it fails: {line.title}", subject=line.id)
        done_here = because.done_in == _MIGRATION and self.plan.migration is not None
        return NextAction(Act.MIGRATE if done_here else shown, f"{because.hint}: {line.title}", subject=line.id)

    def _unseen(self) -> Iterator[NextAction]:
        for cause in self.situation.root_causes:
            what = f"make it visible: {cause.hint or cause.detail}"
            yield NextAction(Act.PROBES, what, subject=next(iter(cause.probes), ""))

    def _step(self) -> Iterator[NextAction]:
        """The first step that nobody has started: before the deployment begins one before it, then one from it on.

        What should have been done before the deployment, and was not recorded, is not what comes next once it runs.
        """
        before = self.situation.verdict.phase is Phase.PRE_DEPLOY
        deployed_by = next(deploying(self.situation.runbook), None)
        begins = self._deploying_step() if before else deployed_by or 1
        for number, step in enumerate(self.situation.runbook, 1):
            due = number < begins if before else number >= begins
            if step.progress is StepState.OPEN and due:
                what = (
                    f"{_worded(step, f'step {number}: {step.title}')}{'' if before else ', or record that it is done'}"
                )
                if number == deployed_by and (out := self._out()):
                    what = f"record that step {number} is done: {out}"  # nobody deploys again what is out
                yield NextAction(Act.RUN_STEP, what, subject=step.id)


def _waiting(mine: NextAction, found: Sequence[NextAction], situation: Situation) -> NextAction:
    """What somebody waits for who has nothing to do: a person, else what must hold, else nothing."""
    others = [each.for_others for each in found if each.owed]
    path = situation.path_to_go
    if others:
        what = f"wait: {others[0]}"
    elif path and (eta := path[0].eta):
        what = f"wait until {formatting.clock(eta)}: {path[0].what}"
    elif path:
        what = f"wait: {path[0].what}"
    else:
        what = "nothing to do: everything holds" if situation.verdict.word is Word.GO else "nothing to do"
    return replace(mine, what=what)


def _role(person: Person, roles: Iterable[str]) -> str:
    """The first of `roles` that the person holds."""
    return next((role for role in roles if role in person.roles), "")


def _worded(step: StepStatus, name: str) -> str:
    if step.progress is not StepState.STARTED:
        return f"do {name}"
    return f"follow {name} to its end" if step.action is not None else f"finish {name}"
