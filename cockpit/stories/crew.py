"""The crew: plays the operators where nobody wants to practise their part; all of it is marked as rehearsal."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from cockpit.decide.because import Observed
from cockpit.decide.counted import deciding_roles
from cockpit.decide.events import Acknowledgement, Entry, GateUsed, PhaseBegan, Record, SignOff, Vote
from cockpit.decide.gate import used
from cockpit.decide.next_action import deploying
from cockpit.decide.situation import Badge, SignOffStatus, Situation, StepStatus
from cockpit.decide.states import Check, State, Word
from cockpit.plan.model import Gate, Person, Phase, Plan, Step

_ANSWERS: tuple[tuple[tuple[str, ...], str], ...] = (
    (("address", "tailnet", "tailscale", "vpn"), "100.96.14.7 answered over the tailnet; refused from outside"),
    (("commit", "upload", "open"), "Commit 4f2a91c; uploaded a 2 MB PDF and opened it again"),
    (("commit", "file", "who read"), "Of commit 4f2a91c; the backup and I read it together"),
    (("commit", "run", "green"), "CI run 318 of commit 4f2a91c is green"),
    (("connection_limit", "tasks"), "connection_limit=20; 2 tasks use it, 4 while a deployment rolls"),
    (("category", "prompt"), "The category Security, and the default prompt Questionnaire"),
    (
        ("restore", "rehearsed", "backup"),
        "Restored last night's snapshot to a scratch instance in 11 min; row counts match",
    ),
    (("corruption", "snapshot"), "No row is corrupt: nothing is restored"),
    (("log line", "secret"), "The line that names the encryption key, a minute after the tasks began"),
    (("upload", "document", "s3key"), "Uploaded a 2 MB PDF; its row has an s3Key, and the object is in the bucket"),
    (("redis", "fallback"), "Redis answered from a task; nobody has to accept the fallback"),
    (("decrypt", "row", "new key"), "Decrypted the newest customer's row with the new key"),
    (("revoked", "issuer", "rotat"), "Rotated this morning; the old key answers 401"),
    (("slack", "webhook", "test message"), "Two minutes ago, in #transparent-trust-alerts, at once"),
    (("notified", "posted"), "At once: the rollback, its revision and what users see were posted"),
    (("console", "callback", "redirect"), "Callback listed under the production client in the Google console"),
    (("log in", "login", "sign in", "signed in"), "Signed in with my company account; my name shows top right"),
    (("project", "question", "answer begin"), "Created RFP 4711 and asked two questions; answers in 4 s and 6 s"),
    (("dashboard", "widget", "graph"), "Every widget shows data: 60 requests a minute, p95 0.3 s, no 5xx"),
    (("load", "users", "p95"), "50 users for 10 minutes: p95 0.6 s, no errors, report attached"),
    (("revision", "digest", "rollback"), "The revision before this one; its digest is written down"),
    (("critical", "error in the log"), "Read the last 30 minutes: nothing above warn that we do not know"),
)
"""Words of a question, and the answer. The one with the most words in the question is given; of two alike the first."""
_DEFAULT_ANSWER = "Looked at it just now: as expected"


def answer_to(question: str, seen: Sequence[Observed] = ()) -> str:
    """What a member of the crew types when asked `question` beside the evidence `seen`.

    >>> answer_to("Which address answered over the tailnet?")
    '100.96.14.7 answered over the tailnet; refused from outside'
    """
    lowered = question.lower()
    if _asks_of_the_migration(question):
        return _of_the_migration(seen)
    best = max(_ANSWERS, key=lambda row: sum(word in lowered for word in row[0]))
    return best[1] if any(word in lowered for word in best[0]) else _DEFAULT_ANSWER


def _asks_of_the_migration(question: str) -> bool:
    return any(word in question.lower() for word in ("migrated", "copied"))


def _of_the_migration(seen: Sequence[Observed]) -> str:
    """Whether documents were moved is not for the crew to make up: it reads the evidence."""
    values = {observed.path.rpartition(".")[2]: observed.value for observed in seen}
    if values.get("prepared") is False:
        return "None, and none failed: no ledger is prepared, so tonight they stay in the database"
    if values.get("complete") is True:
        return "All of them, each read back from S3; none failed"
    return "As the ledger counts them: see `cockpit migrate status`"


def sign(plan: Plan, situation: Situation, *, files_wait: bool = False) -> list[SignOff]:
    """Sign-offs for everything that waits for nothing but one; what the evidence contradicts is not signed.

    `files_wait`: files are still to be moved, so nobody answers yet how many were.
    """
    signed = []
    for subject, waiting, seen in _waiting(situation):
        if files_wait and _asks_of_the_migration(waiting.ask):
            continue
        found = somebody(plan, waiting.roles)
        if found is not None:
            person, role = found
            answer = answer_to(waiting.ask, seen)
            signed.append(SignOff(situation.now, subject, person.id, role, answer, plan.digest, rehearsal=True))
    return signed


def vote(plan: Plan, situation: Situation) -> list[Vote]:
    """Go votes at gates still open, each by another person, once every blocking item before them is done.

    The gate of the step that comes next is voted on without: such a step may be what an item waits for.
    """
    all_done, comes_next = ready(situation), _gate_of_the_next_step(plan, situation)
    missing = {status.id for status in situation.gates if not status.passed}
    return [
        cast
        for gate in plan.gates
        if gate.id in missing and _is_due(gate, situation) and (all_done or gate.id == comes_next)
        for cast in _poll(plan, gate, situation.now)
    ]


def acknowledge(plan: Plan, situation: Situation) -> list[Acknowledgement]:
    """What was already true before the cutover began is seen, by name."""
    found = somebody(plan, deciding_roles(plan))
    if found is None:
        return []
    person, role = found
    why = "Seen: true before we began, known, not ours"
    return [
        Acknowledgement(situation.now, c.id, person.id, why, role, plan.digest, c.pre_existing)
        for c in situation.criteria
        if Badge.PRE_EXISTING in c.badges and not (c.ok or c.acknowledged)
    ]


def owed(plan: Plan, situation: Situation) -> list[Entry]:
    """Everything that is asked of people now: sign-offs, acknowledgements and votes."""
    return [*sign(plan, situation), *acknowledge(plan, situation), *vote(plan, situation)]


def next_statements(plan: Plan, record: Record, situation: Situation) -> list[Entry]:
    """What is asked of people now; where nothing is, the beginning of the next phase, once the verdict allows it."""
    return owed(plan, situation) or [*move_on(plan, record, situation)]


def ready(situation: Situation) -> bool:
    """Whether every blocking item of the phase is done."""
    return all(
        item.check.meaning.done
        for section in situation.sections
        if section.phase is Phase.PRE_DEPLOY or situation.verdict.phase is Phase.POST_DEPLOY
        for item in section.items
        if item.blocking
    )


def move_on(plan: Plan, record: Record, situation: Situation) -> list[PhaseBegan | GateUsed]:
    """The beginning of the next phase, once the verdict before deployment is GO, and the use of the gates before it."""
    if situation.verdict.phase is not Phase.PRE_DEPLOY or situation.verdict.word is not Word.GO:
        return []
    why = "rehearsal: the gate says GO"
    found = somebody(plan, deciding_roles(plan))
    if found is None:
        return [PhaseBegan(situation.now, Phase.POST_DEPLOY, why=why)]
    person, role = found
    begun = PhaseBegan(situation.now, Phase.POST_DEPLOY, person.id, why, role, plan.digest)
    return [begun, *used(plan, record, "deploy", situation.now, person, role)]


def _waiting(situation: Situation) -> Iterator[tuple[str, SignOffStatus, Sequence[Observed]]]:
    """Open sign-offs: before deployment those of that phase, afterwards all, as the verdict asks for all of them."""
    before = situation.verdict.phase is Phase.PRE_DEPLOY
    for section in situation.sections:
        if before and section.phase is not Phase.PRE_DEPLOY:
            continue
        for item in section.items:
            if item.sign_off is not None and not item.sign_off.given and item.check in (Check.PENDING, Check.STALE):
                yield item.id, item.sign_off, item.because.observed
    for criterion in situation.criteria:
        seen = not criterion.because.condition or criterion.state in (State.MET, State.PROVING, State.CLEAR)
        if not before and seen and criterion.sign_off is not None and not criterion.sign_off.given:
            yield criterion.id, criterion.sign_off, criterion.because.observed


def somebody(plan: Plan, roles: tuple[str, ...]) -> tuple[Person, str] | None:
    """Somebody who holds one of the roles."""
    return next(((person, role) for role in roles for person in plan.people if role in person.roles), None)


def _gate_of_the_next_step(plan: Plan, situation: Situation) -> str:
    """Id of the gate before the first step that is not over, once the deployment has begun; empty where there is none."""
    if situation.verdict.phase is Phase.PRE_DEPLOY:
        return ""
    return next((step.gate for step, status in in_turn(plan, situation) if not status.over), "")


def in_turn(plan: Plan, situation: Situation) -> list[tuple[Step, StepStatus]]:
    """The steps of this phase, in order: before the deployment those before it, then those from it on."""
    at = next(deploying(situation.runbook), 1) - 1
    every = list(zip(plan.runbook, situation.runbook, strict=True))
    return every[:at] if situation.verdict.phase is Phase.PRE_DEPLOY else every[at:]


def _is_due(gate: Gate, situation: Situation) -> bool:
    """Before deployment only the gate that guards it is polled."""
    return gate.before == "deploy" or situation.verdict.phase is not Phase.PRE_DEPLOY


def _poll(plan: Plan, gate: Gate, now: datetime) -> Iterator[Vote]:
    """One go from each person who may vote, under their first role that counts."""
    for person in plan.people:
        role = next((role for role in gate.poll.roles if role in person.roles), None)
        if role is not None:
            yield Vote(now, gate.id, person.id, role, "go", rehearsal=True, plan_digest=plan.digest)
