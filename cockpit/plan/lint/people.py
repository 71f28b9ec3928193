"""Who is asked: names still in brackets, roles nobody holds, and rules for two that one person can satisfy."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cockpit.plan.lint.rule import Found, rule
from cockpit.plan.lint.subject import Subject
from cockpit.plan.model import Person
from cockpit.plan.signing_keys import without_keys

_BRACKETS = re.compile(r"^\s*[\[<{].*[\]>}]\s*$|^\s*(TODO|TBD|FIXME)\b", re.IGNORECASE)
_TWO = r"\btwo (people|persons|engineers)\b|\bfour[- ]eyes\b|\bboth (people|engineers)\b"


@rule(
    "contact-in-brackets",
    "A name or contact nobody filled in",
    why="In an incident somebody needs a name here, and finds [Your Name].",
    instead="Fill it in, and call the number once before the cutover.",
)
def contact_in_brackets(subject: Subject) -> Iterator[Found]:
    for index, person in enumerate(subject.plan.people):
        if _BRACKETS.match(person.name):
            yield Found(("people", index, "name"), f"the name of '{person.id}' is still {person.name}")
    for key, contact in subject.plan.contacts.items():
        if _BRACKETS.match(contact):
            yield Found(("contacts", key), f"{key} is still {contact}")
    written = subject.tree.value_at(("target", "account"))
    if isinstance(written, str) and _BRACKETS.match(written):
        yield Found(("target", "account"), f"the account is still {written}: any account would do")


@rule(
    "role-nobody-holds",
    "A sign-off role that nobody real holds",
    why="The line can never be signed, or is signed by somebody who should not.",
    instead="Name a person for the role, with a name and a way to reach them.",
)
def unassigned_role(subject: Subject) -> Iterator[Found]:
    held = {role for person in subject.plan.people if not _BRACKETS.match(person.name) for role in person.roles}
    seen: set[str] = set()
    for path, ask in subject.asks():
        if not set(ask.roles) & held and not set(ask.roles) & seen:
            seen |= set(ask.roles)
            yield Found((*path, "roles"), f"nobody with a name holds {' or '.join(ask.roles)}")


@rule(
    "one-person-quorum",
    "A two-person rule that one person can satisfy",
    why="The second approval can come from the same person.",
    instead="Ask for distinct people, name different ones, and give each an ssh_key to sign with.",
)
def one_person_quorum(subject: Subject) -> Iterator[Found]:
    for path, gate in subject.gates():
        poll, where = gate.poll, (*path, "poll")
        voters = [person for person in subject.plan.people if set(person.roles) & set(poll.roles)]
        if poll.required < 2:
            if re.search(_TWO, gate.title, re.IGNORECASE):
                yield Found(where, "its title asks for two people, and one vote opens it")
            continue
        most = max((len(set(one.roles) & set(poll.roles)) for one in voters), default=0)
        if not poll.distinct_people and most > 1:
            yield Found(where, f"{most} votes can come from one person with several roles")
        elif twins := _twins(voters):
            yield Found(where, f"'{twins[0].id}' and '{twins[1].id}' are one person: same name or key")


def _twins(voters: list[Person]) -> tuple[Person, Person] | None:
    for index, one in enumerate(voters):
        for other in voters[index + 1 :]:
            same_name = one.name.casefold().strip() == other.name.casefold().strip()
            if same_name or (one.fingerprint and one.fingerprint == other.fingerprint):
                return one, other
    return None


@rule(
    "production-without-keys",
    "A production plan whose people cannot sign",
    why="Without a key anybody at any cockpit can vote and sign under this name, and the record cannot tell.",
    instead="Give each of them an ssh_key (`ssh-add -L` shows it). For one night: cockpit run --allow-claimed REASON.",
    must=True,
)
def production_without_keys(subject: Subject) -> Iterator[Found]:
    where = {person.id: index for index, person in enumerate(subject.plan.people)}
    roles: dict[str, list[str]] = {}
    for role, people in without_keys(subject.plan):
        for one in people:
            roles.setdefault(one, []).append(role)
    for one, held in roles.items():
        yield Found(("people", where[one]), f"'{one}' has no ssh_key, and votes or signs as {', '.join(held)}")


RULES = (contact_in_brackets, unassigned_role, one_person_quorum, production_without_keys)
