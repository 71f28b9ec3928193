"""The crew: plays the operators where nobody wants to practise their part; all of it is marked as rehearsal."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from cockpit.decide.counted import deciding_roles
from cockpit.decide.events import Acknowledgement, PhaseBegan, SignOff, Vote
from cockpit.decide.situation import Badge, SignOffStatus, Situation
from cockpit.decide.states import Check, State, Word
from cockpit.plan.model import Gate, Person, Phase, Plan

_ANSWERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("address", "tailnet", "tailscale", "vpn"), "100.96.14.7 answered over the tailnet; refused from outside"),
    (
        ("restore", "snapshot", "backup"),
        "Restored last night's snapshot to a scratch instance in 11 min; row counts match",
    ),
    (("slack", "webhook", "page"), "Test alert arrived in #transparent-trust-alerts at once"),
    (("upload", "document"), "Uploaded a 2 MB PDF; it opens, and its object is in the bucket"),
    (("revoked", "key", "rotat"), "Rotated this morning; the old key answers 401"),
    (("console", "callback", "whitelist"), "Callback listed under the production client in the Google console"),
    (("log in", "login", "sign in", "signed in"), "Signed in with my company account; my name shows top right"),
    (("question", "project", "answer"), "Created RFP 4711 and asked two questions; answers in 4 s and 6 s"),
    (("dashboard", "widget", "graph"), "Every widget shows data: 60 requests a minute, p95 0.3 s, no 5xx"),
    (("load", "users"), "50 users for 10 minutes: p95 0.6 s, no errors, report attached"),
    (("rollback",), "Read it aloud with the backup; previous revision and digest are noted"),
    (("critical", "error"), "Read the last 30 minutes: nothing above warn that we do not know"),
    (("number", "how many", "count"), "2 of 2, as expected"),
)
_DEFAULT_ANSWER = "Looked at it just now: as expected"


def answer_to(question: str) -> str:
    """What a member of the crew types when asked `question`.

    >>> answer_to("Which address answered over the tailnet?")
    '100.96.14.7 answered over the tailnet; refused from outside'
    """
    lowered = question.lower()
    return next((answer for words, answer in _ANSWERS if any(word in lowered for word in words)), _DEFAULT_ANSWER)


def sign(plan: Plan, situation: Situation) -> list[SignOff]:
    """Sign-offs for everything that waits for nothing but one; what the evidence contradicts is not signed."""
    signed = []
    for subject, waiting in _waiting(situation):
        found = _somebody(plan, waiting.roles)
        if found is not None:
            person, role = found
            answer = answer_to(waiting.ask)
            signed.append(SignOff(situation.now, subject, person.id, role, answer, plan.digest, rehearsal=True))
    return signed


def vote(plan: Plan, situation: Situation) -> list[Vote]:
    """Go votes at gates still open, each by another person, once every blocking item before them is done."""
    if not ready(situation):
        return []
    missing = {status.id for status in situation.gates if not status.passed}
    return [
        cast
        for gate in plan.gates
        if gate.id in missing and _is_due(gate, situation)
        for cast in _poll(plan, gate, situation.now)
    ]


def acknowledge(plan: Plan, situation: Situation) -> list[Acknowledgement]:
    """What was already true before the cutover began is seen, by name."""
    found = _somebody(plan, deciding_roles(plan))
    if found is None:
        return []
    person, role = found
    why = "Seen: true before we began, known, not ours"
    return [
        Acknowledgement(situation.now, c.id, person.id, why, role, plan.digest, c.pre_existing)
        for c in situation.criteria
        if Badge.PRE_EXISTING in c.badges and not c.ok
    ]


def ready(situation: Situation) -> bool:
    """Whether every blocking item of the phase is done."""
    return all(
        item.check.meaning.done
        for section in situation.sections
        if section.phase is Phase.PRE_DEPLOY or situation.verdict.phase is Phase.POST_DEPLOY
        for item in section.items
        if item.blocking
    )


def move_on(plan: Plan, situation: Situation) -> PhaseBegan | None:
    """The beginning of the next phase, once the verdict before deployment is GO."""
    if situation.verdict.phase is not Phase.PRE_DEPLOY or situation.verdict.word is not Word.GO:
        return None
    why = "rehearsal: the gate says GO"
    found = _somebody(plan, deciding_roles(plan))
    if found is None:
        return PhaseBegan(situation.now, Phase.POST_DEPLOY, why=why)
    person, role = found
    return PhaseBegan(situation.now, Phase.POST_DEPLOY, person.id, why, role, plan.digest)


def _waiting(situation: Situation) -> Iterator[tuple[str, SignOffStatus]]:
    """Open sign-offs: before deployment those of that phase, afterwards all, as the verdict asks for all of them."""
    before = situation.verdict.phase is Phase.PRE_DEPLOY
    for section in situation.sections:
        if before and section.phase is not Phase.PRE_DEPLOY:
            continue
        for item in section.items:
            if item.sign_off is not None and not item.sign_off.given and item.check in (Check.PENDING, Check.STALE):
                yield item.id, item.sign_off
    for criterion in situation.criteria:
        seen = not criterion.because.condition or criterion.state in (State.MET, State.PROVING, State.CLEAR)
        if not before and seen and criterion.sign_off is not None and not criterion.sign_off.given:
            yield criterion.id, criterion.sign_off


def _somebody(plan: Plan, roles: tuple[str, ...]) -> tuple[Person, str] | None:
    """Somebody who holds one of the roles."""
    return next(((person, role) for role in roles for person in plan.people if role in person.roles), None)


def _is_due(gate: Gate, situation: Situation) -> bool:
    """Before deployment only the gate that guards it is polled."""
    return gate.before == "deploy" or situation.verdict.phase is not Phase.PRE_DEPLOY


def _poll(plan: Plan, gate: Gate, now: datetime) -> Iterator[Vote]:
    """One go from each person who may vote, under their first role that counts."""
    for person in plan.people:
        role = next((role for role in gate.poll.roles if role in person.roles), None)
        if role is not None:
            yield Vote(now, gate.id, person.id, role, "go", rehearsal=True, plan_digest=plan.digest)
