"""The keys with which a person signs, votes, waives and decides. The rules are the desk's."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from rich.text import Text

from cockpit import formatting
from cockpit.decide.act import Act
from cockpit.decide.events import Occurrence
from cockpit.decide.next_action import next_for, open_lines
from cockpit.decide.occurrence_text import answers_of, named
from cockpit.decide.situation import Badge, CriterionStatus, GateStatus, ItemStatus
from cockpit.decide.states import StepState, Word
from cockpit.engine.operator_desk import Desk
from cockpit.engine.ports import Refused
from cockpit.plan.model import Phase
from cockpit.tui import theme
from cockpit.tui.action_registry import Handler, handled
from cockpit.tui.keys.accept import accept
from cockpit.tui.keys.choices import (
    CHOOSE,
    PERIODS,
    UNTIL_CLEAR,
    VOTES,
    until,
)
from cockpit.tui.screens.answer import AnswerScreen, Choice
from cockpit.tui.screens.confirm import ConfirmScreen
from cockpit.tui.text import hanging, plain
from cockpit.tui.views.evidence import evidence
from cockpit.tui.views.lookup import find, step_of
from cockpit.tui.views.steps import choices_now, step_text
from probes.periods import parse_duration

if TYPE_CHECKING:
    from cockpit.tui.cockpit import Cockpit


class DeskKeys:
    """Every method opens a page, or says why not."""

    def __init__(self, cockpit: Cockpit) -> None:
        self._cockpit = cockpit
        self._tasks: set[asyncio.Task[None]] = set()

    def do(self, action: str, subject: str) -> None:
        if self._cockpit.desk is None:
            self._cockpit.refuse("no record is kept here, so nothing can be signed")
            return
        KEYS[action](self, self._cockpit.desk, subject)

    # -- sign-offs ---------------------------------------------------------------------------------------------------

    def _sign(self, desk: Desk, subject: str) -> None:
        self._open_sign(desk, subject, walk=False)

    def _next(self, desk: Desk, _: str, signed: frozenset[str] = frozenset()) -> None:
        """The next line this person can sign; after each comes the next, until none is left."""
        open_ = [subject for subject in self.open_for(desk) if subject not in signed]
        if not open_:
            if not signed:  # at the end of a walk the answer to the last line stays
                self._cockpit.refuse("nothing is left that you can sign")
            return
        self._open_sign(desk, open_[0], walk=True, signed=signed)

    def open_for(self, desk: Desk) -> list[str]:
        """Ids of items and criteria whose sign-off is missing and which the person here may give."""
        roles = desk.person.roles if desk.person is not None else ()
        return [line.id for line in open_lines(self._cockpit.cutover.situation, roles)]

    def _due(self, act: Act) -> str:
        """What the next action of the person here begins with, if it is this act; else empty."""
        mine = next_for(self._cockpit.cutover.situation, self._cockpit.who)
        return mine.subject if mine.act is act else ""

    def _open_sign(self, desk: Desk, subject: str, *, walk: bool, signed: frozenset[str] = frozenset()) -> None:
        """`signed`: on this walk already, though the verdict may not have seen it yet."""
        ask = desk.ask_of(subject)
        if ask is None:
            self._cockpit.refuse("this line needs no sign-off")
            return
        who = desk.person.id if desk.person else "not identified (press i)"
        was_open = subject in self.open_for(desk)

        async def submit(text: str) -> str:
            given = await desk.sign(subject, text)
            how = "with your key" if given.key else "not cryptographically signed"
            return f"signed as {given.by} ({formatting.role(given.role)}), {how}: {self._title(subject)}"

        def seen(width: int, height: int) -> Text:
            open_ = self.open_for(desk)
            signer = f"you are {who}; needs sign-off: {formatting.roles(ask.roles)}"
            if was_open and subject not in open_:
                signer = "this line has been signed meanwhile: esc leaves it"
            elif walk:
                signer += f"   {len(open_)} open"
            text = hanging("", signer, width, indent=0, styles=("", theme.QUIET))
            if (step := step_of(self._cockpit.cutover.situation, subject)) is not None:
                return text.append_text(step_text(step, self._cockpit.cutover.situation, width))
            return text.append_text(evidence(self._cockpit.cutover, subject, width, height))

        hint = "describe what you checked   enter signs, esc cancels"
        then = (lambda: self._next(desk, "", signed | {subject})) if walk else (lambda: None)
        self.push(AnswerScreen(ask.ask, seen, hint, submit, about=subject, then=then))

    def _undo(self, desk: Desk, subject: str) -> None:
        async def retract() -> str:
            await desk.retract(subject)
            return f"withdrawn: {subject}; both entries stay in the record"

        title, consequences = (
            f"WITHDRAW {self._title(subject)}",
            "It counts for nothing from then on. Both entries stay.",
        )
        self._cockpit.push_screen(ConfirmScreen(title, consequences, "withdraw", lambda: self.run(retract())))

    # -- exceptions --------------------------------------------------------------------------------------------------

    def _waive(self, desk: Desk, subject: str) -> None:
        if not isinstance(find(self._cockpit.cutover.situation, subject), CriterionStatus | ItemStatus):
            self._cockpit.refuse("select a criterion (1) or an item (2) first")
            return

        async def submit(text: str) -> str:
            period, _, why = text.strip().partition(" ")
            try:
                duration = parse_duration(period)
            except ValueError:
                raise Refused("begin with how long: 30m, 2h; then the reason") from None
            waiver = await desk.waive(subject, why, duration)
            still = "; its rollback still waits for a decision (5)" if self._latched(subject) else ""
            return f"waived until {formatting.clock(waiver.until)}; then it counts again{still}"

        question = f"WAIVE {self._title(subject)}: for how long, and why?"
        if trips := self._latched(subject):
            question += f" This does not answer {named(trips)}: that rollback stays until it is decided (5)"
        self._ask(question, subject, CHOOSE, submit, PERIODS)

    def _acknowledge(self, desk: Desk, subject: str) -> None:
        status = find(self._cockpit.cutover.situation, subject)
        if Badge.PRE_EXISTING not in getattr(status, "badges", ()) and (due := self._due(Act.ACKNOWLEDGE)):
            subject, status = due, find(self._cockpit.cutover.situation, due)
        if Badge.PRE_EXISTING not in getattr(status, "badges", ()):
            self._cockpit.refuse("only what was true before the cutover can be acknowledged")
            return

        async def submit(text: str) -> str:
            await desk.acknowledge(subject, text)
            return "acknowledged"

        since = getattr(status, "pre_existing", None)
        when = f"since {formatting.clock(since)}, before we began" if since else "before we began"
        self._ask(f"{self._title(subject)} was true {when}: what is it?", subject, "what you know about it", submit)

    # -- gates and decisions -----------------------------------------------------------------------------------------

    def _vote(self, desk: Desk, subject: str) -> None:
        gates = self._cockpit.cutover.situation.gates
        found = find(self._cockpit.cutover.situation, subject)
        due = self._due(Act.VOTE)
        gate = found if isinstance(found, GateStatus) else next((g for g in gates if g.id == due), None)
        gate = gate or next((g for g in gates if not g.passed and g.used_at is None), None)
        gate = gate or next(iter(gates), None)
        if gate is None:
            self._cockpit.refuse("this plan has no gates")
            return

        async def submit(text: str) -> str:
            choice, _, why = text.strip().partition(" ")
            vote = await desk.vote(gate.id, choice.lower().rstrip(":,"), why)
            return f"{gate.title}: {vote.by} votes {vote.choice}"

        self._ask(f"{gate.title}, before {gate.before}: go or no-go?", gate.id, CHOOSE, submit, VOTES)

    def _roll_back(self, _: Desk, __: str) -> None:
        self.decide("execute")

    def _fix_forward(self, _: Desk, __: str) -> None:
        self.decide("fix_forward")

    def _dismiss(self, _: Desk, __: str) -> None:
        self.decide("dismiss")

    def decide(self, choice: str) -> None:
        desk = self._cockpit.desk
        if desk is None:
            self._cockpit.refuse("no record is kept here, so nothing can be decided")
            return
        shown = self._cockpit.cutover.situation.verdict  # what trips while the reason is typed is not answered
        if choice not in choices_now(shown):
            self._cockpit.refuse("no rollback waits for this decision")
            return
        asks_until = choice == "dismiss" and shown.latch is not None

        async def submit(text: str) -> str:
            lasts, why = until(text) if asks_until else (None, text)
            made = await desk.decide(choice, why, shown=shown, lasts=lasts)
            done = {"execute": "decided: roll back, step by step", "dismiss": "dismissed"}
            return f"{done.get(choice, 'decided: fix forward')}; {answers_of(made) or 'no trip was waiting'}"

        title = {"execute": "ROLL BACK", "dismiss": "DISMISS THE ROLLBACK"}.get(choice, "FIX FORWARD")
        asked = "until when, and why?" if asks_until else "why?"
        hint = CHOOSE if asks_until else "the reason, for the record"
        choices = (UNTIL_CLEAR, *PERIODS) if asks_until else ()

        def seen(width: int, height: int) -> Text:
            text = Text("\n")
            if shown.latch is not None:
                answers = f"{named(shown.latch.trips)}; what trips later asks again"
                text.append_text(hanging("answers", answers, width, indent=9, styles=(theme.QUIET, theme.STRONG)))
            elif shown.under_way is not None:
                takes = "withdraws" if choice == "dismiss" else "replaces"
                text.append_text(hanging(takes, shown.decided, width, indent=11, styles=(theme.QUIET, theme.STRONG)))
            if asks_until:
                meaning = "clear: these trips, until clear; a new trip asks again. 30m, 2h: new trips too, for so long"
                text.append_text(hanging("until", meaning, width, indent=9, styles=(theme.QUIET, theme.TEXT)))
            return text.append_text(self._verdict_text(width, height))

        self.push(AnswerScreen(f"{title}: {asked}", seen, hint, submit, choices=choices))

    def _latched(self, subject: str) -> tuple[Occurrence, ...]:
        """The trip of a trigger that waits for a decision; empty where none does."""
        latch = self._cockpit.cutover.situation.verdict.latch
        return tuple(each for each in latch.trips if each.subject == subject) if latch is not None else ()

    def _begin(self, desk: Desk, _: str) -> None:
        verdict = self._cockpit.cutover.situation.verdict
        if verdict.phase is Phase.POST_DEPLOY and verdict.word is not Word.ROLLED_BACK:
            self._cockpit.refuse("the deployment has already begun and is being evaluated")
            return
        if why := self._cannot_begin(desk):
            self._cockpit.refuse(why)
            return
        against = verdict.word is not Word.GO

        async def submit(text: str) -> str:
            word, _, why = text.strip().partition(" ")
            if word.lower() != "deploy":
                raise Refused("type deploy" + (" and why, against the advice" if against else ""))
            await desk.begin(Phase.POST_DEPLOY, why)
            return "the deployment has begun: criteria and triggers count from now"

        advice = f"The cockpit advises {verdict.word}. " if against else ""
        hint = f"type: deploy{' and why' if against else ''}    esc cancels"
        question = f"{advice}BEGIN the deployment?"
        self.push(AnswerScreen(question, self._verdict_text, hint, submit, dangerous=True))

    # -- who is here -----------------------------------------------------------------------------------------------------

    def _who(self, desk: Desk, _: str) -> None:
        people = self._cockpit.cutover.plan.people

        async def submit(text: str) -> str:
            desk.identify(text.strip())
            return f"you are {text.strip()}"

        choices = [
            Choice(each.id, each.id, f"{each.name}: {', '.join(map(formatting.role, each.roles))}") for each in people
        ]
        hint = "↑ ↓ chooses, enter takes it; or type the id"
        self.push(AnswerScreen("Identify yourself", lambda *_: Text(""), hint, submit, choices=choices))

    def _accept(self, desk: Desk, _: str) -> None:
        accept(self._cockpit, desk, self.push)

    # -- how ---------------------------------------------------------------------------------------------------------

    def _verdict_text(self, width: int, _: int) -> Text:
        text = Text("\n")
        for line in self._cockpit.cutover.situation.verdict.reasons[:6]:
            text.append_text(hanging("·", line, width, indent=2, styles=(theme.QUIET, theme.TEXT)))
        return text

    def _title(self, subject: str) -> str:
        found = find(self._cockpit.cutover.situation, subject)
        return plain(getattr(found, "title", "") or subject)

    def _ask(
        self,
        question: str,
        subject: str,
        hint: str,
        submit: Callable[[str], Awaitable[str]],
        choices: Sequence[Choice] = (),
    ) -> None:
        def seen(width: int, height: int) -> Text:
            return evidence(self._cockpit.cutover, subject, width, height)

        self.push(AnswerScreen(question, seen, hint, submit, about=subject, choices=choices))

    def _cannot_begin(self, desk: Desk) -> str:
        """Why the person here cannot begin the deployment, whatever they would type; empty where they can."""
        try:
            desk.may_decide()
        except Refused as refused:
            return str(refused)
        missing = desk.missing_before("deploy")
        lapsed = [
            text for gate in self._cockpit.cutover.situation.gates if gate.before == "deploy" for text in gate.lapsed
        ]
        return "; ".join([*missing[:1], *lapsed]) if missing else ""

    def _start_step(self, desk: Desk, subject: str) -> None:
        """Start the selected step; a page of it that is open closes once that is kept."""
        status = step_of(self._cockpit.cutover.situation, subject)
        if status is None:
            self._cockpit.refuse("no step is selected: 7 shows the runbook")
            return
        if status.progress is StepState.STARTED or status.progress.meaning.done:
            under_way = status.progress is StepState.STARTED
            self._cockpit.refuse(
                "it is under way: enter ends it" if under_way else f"it is {status.progress}: enter asks"
            )
            return

        async def start() -> str:
            await desk.start_step(subject)
            front = self._cockpit.screen
            if isinstance(front, AnswerScreen) and front.about == subject:
                self._cockpit.pop_screen()
            return f"started, do it, then press enter and describe the result: {status.title}"

        self.run(start())

    def push(self, screen: AnswerScreen) -> None:
        if not isinstance(self._cockpit.screen, AnswerScreen):
            self._cockpit.push_screen(screen)

    def run(self, request: Awaitable[str]) -> None:
        """Carry out a request that needs no page, and show its answer."""

        action = self._cockpit.doing

        async def done() -> None:
            try:
                if answer := await request:
                    self._cockpit.show_message(answer)
            except Refused as refused:
                self._cockpit.refuse(str(refused), action)
            self._cockpit.paint()

        task = asyncio.ensure_future(done())
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


_KEYS: Mapping[str, Callable[[DeskKeys, Desk, str], None]] = {
    "sign": DeskKeys._sign,
    "next": DeskKeys._next,
    "undo": DeskKeys._undo,
    "waive": DeskKeys._waive,
    "acknowledge": DeskKeys._acknowledge,
    "vote": DeskKeys._vote,
    "roll_back": DeskKeys._roll_back,
    "fix_forward": DeskKeys._fix_forward,
    "dismiss": DeskKeys._dismiss,
    "start_step": DeskKeys._start_step,
    "begin": DeskKeys._begin,
    "who": DeskKeys._who,
    "accept": DeskKeys._accept,
}
KEYS = handled(Handler.DESK, _KEYS)
