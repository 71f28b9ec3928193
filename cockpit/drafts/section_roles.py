"""What a heading says of its section: what its entries become in a plan, and whether it is of the time after the deployment."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from enum import StrEnum

_DECORATION = re.compile(r"^[\W_]+")


class Role(StrEnum):
    """What a section's entries become."""

    CHECKLIST = "checklist"
    SUCCESS = "success_criteria"
    TRIGGERS = "rollback_triggers"
    RUNBOOK = "runbook"
    ROLLBACK = "rollback_plan"
    LEFT_OUT = "left out"


_BACK = r"roll(?:ing|ed)?[ -]?back|back[ -]?out|fall[ -]?back|revert"
_WRONG = (
    r"\bgo(?:ing)? back\b|\bway back\b|\bgoes wrong\b|^(?:if|in case|when)\b.*\b(?:fails?|failed|failure|fallback)\b"
)
_WHEN = r"criteria|criterion|conditions?|triggers?|thresholds?"
_OF_ANOTHER_TIME = re.compile(
    rf"post[ -]?(?:mortem|(?:{_BACK}))|after (?:a |the )?(?:{_BACK})|lessons|retrospective"
    r"|\bnach (?:einem |dem |der )?ruck|nachbesprechung|retour d.experience|apres (?:un |le )?retour",
    re.IGNORECASE,
)
"""Whatever stands below such a heading is of the past, or of the time after a night that went wrong."""
_ROLES: tuple[tuple[Role, str], ...] = (
    (Role.CHECKLIST, rf"\bgo\s*(?:/|or|and|-)\s*no[ -]?go\b|(?:{_BACK}).*\b(?:drill|rehears\w*|test\w*|review\w*)"),
    (Role.LEFT_OUT, r"appendix|glossary|history"),
    (Role.TRIGGERS, rf"(?:{_BACK}|abort|no[ -]?go)\b.*\b(?:{_WHEN}|decision)"),
    (Role.TRIGGERS, rf"\b(?:{_WHEN})\b.*\b(?:{_BACK}|abort|no[ -]?go|going back)"),
    (Role.TRIGGERS, rf"(?:{_BACK}|abort)\s+(?:if|when|in case)\b"),
    (Role.TRIGGERS, rf"(?:when|whether) (?:to|we) (?:{_BACK}|abort|stop|go back)"),
    (Role.ROLLBACK, rf"{_BACK}|{_WRONG}|\b(?:abort|contingency|undo) (?:plan|procedure|steps)|^plan b$"),
    (
        Role.SUCCESS,
        r"success (?:criteria|metrics)|acceptance criteria|exit criteria|definition of done|go[ -]?live criteria",
    ),
    (
        Role.RUNBOOK,
        r"runbook|(?:deploy\w*|release|cutover|cut-over|migration|rollout|go[ -]?live) (?:steps|procedure|sequence|plan|day)",
    ),
    (
        Role.RUNBOOK,
        r"^T ?[-+±]? ?0\b|^during\b|^(?:on )?the (?:day|night)$|\b(?:launch|release|cutover|deployment) (?:day|night)\b",
    ),
    (Role.RUNBOOK, r"^(?:\d+[.)]?\s*)?(?:deploy(?:ment|ing)?|cutover|cut-over|rollout|execution|procedure|steps)$"),
    # German and French, without their accents
    (Role.LEFT_OUT, r"\banhang\b|\bglossar|\bannexes?\b|\bglossaire"),
    (
        Role.TRIGGERS,
        r"\babbruch|ruckfall-?(?:kriteri|bedingung|schwell)|\b(?:criteres?|conditions?|seuils?) (?:de retour|d.a(?:bandon|rret))",
    ),
    (
        Role.ROLLBACK,
        r"\bruck(?:fall|bau|setz|kehr|abwicklung)|\bruckweg|\bzuruck(?:roll|setz)|\bretour (?:en )?arriere|\brepli\b",
    ),
    (Role.SUCCESS, r"\b(?:erfolgs|abnahme)-?kriteri|\bcriteres? (?:de succes|de reussite|d.acceptation)"),
    (
        Role.RUNBOOK,
        r"\bdurchfuhrung|\bablauf(?:plan)?\b|schritte\b|\betapes?\b|\bderoulement|^procedure de mise|^(?:wahrend|pendant)\b",
    ),
)
_MOMENT_ELSEWHERE = (
    r"(?:umstellung|umzug|umschaltung|migration|deployment|rollout|release|go-?live|inbetriebnahme|bereitstellung|auslieferung"
    r"|mise en (?:production|service)|deploiement|bascule|livraison)"
)
_MOMENT = r"(?:deploy\w*|release|launch|cut[ -]?over|migration|go[ -]?live|rollout)"
_MOMENT_ALONE = re.compile(rf"^(?:\d+[.)]?\s*)?(?:{_MOMENT_ELSEWHERE})$", re.IGNORECASE)
"""A heading that is the moment itself: what stands below it is done then."""
_SURELY_AFTER = re.compile(
    rf"\bpost[ -]?{_MOMENT}|\bafter (?:the )?{_MOMENT}|\bfirst (?:\d+|few|hour|day|week)|hypercare|^T ?\+ ?0*[1-9]"
    rf"|\bnach (?:der |dem )?{_MOMENT_ELSEWHERE}|\bapres (?:la |le |l.)?{_MOMENT_ELSEWHERE}|\bersten? \d+ |\bpremieres? \d+ ",
    re.IGNORECASE,
)
_CHECKS = re.compile(
    r"\b(?:smoke[ -]?tests?|(?:health |acceptance |sanity )?checks?|verifications?|validations?"
    r"|prufung(?:en)?|kontrollen?|tests de fumee|controles?)$",
    re.IGNORECASE,
)
_SURELY_BEFORE = re.compile(
    rf"\bpre[ -]?{_MOMENT}|\bbefore (?:the )?{_MOMENT}|pre[ -]?flight|prerequisite|^T ?[-\u2212\u2013] ?0*[1-9]"
    rf"|\bvor (?:der |dem )?{_MOMENT_ELSEWHERE}|\bavant (?:la |le |l.)?{_MOMENT_ELSEWHERE}|\bvoraussetzung|\bprerequis",
    re.IGNORECASE,
)
_AFTER = re.compile(
    r"\bpost\b|\bafter(?:wards?)?\b|\bverif|\bvalidat|\bsmoke\b|\b\d+ ?(?:h|hours?|minutes?) later"
    r"|\bnach(?:her|bereitung|kontrolle|lauf)\b|\bnach (?:der|dem)\b|\bapres\b",
    re.IGNORECASE,
)
_BEFORE = re.compile(
    r"\bpre\b|\bbefore\b|prepar|readiness|\bgo\s*(?:/|or|and|-)\s*no[ -]?go\b"
    r"|\bvorbereitung|\bvor(?:her|ab)\b|\bvor (?:der|dem)\b|\bavant\b",
    re.IGNORECASE,
)


def _plain(title: str) -> str:
    """A heading without what decorates it, and without accents.

    >>> _plain("\u2705 Rückfallplan"), _plain("4. Étapes")
    ('Ruckfallplan', '4. Etapes')
    """
    letters = unicodedata.normalize("NFKD", _DECORATION.sub("", title))
    return "".join(each for each in letters if not unicodedata.combining(each)).replace("\u2019", "'")


def role_of(titles: Sequence[str], document: str = "") -> Role:
    """Of a section by its headings, outermost first: each inherits what the one around it is for, unless it names something else.

    `document`: the title of the whole; that it is a runbook says nothing of its sections, that it is of the past all of them.
    """
    if any(_OF_ANOTHER_TIME.search(_plain(title)) for title in (document, *titles)):
        return Role.LEFT_OUT
    return next((role for title in reversed(titles) if (role := role_named(title))), Role.CHECKLIST)


def role_named(title: str) -> Role | None:
    """What a heading says its section is for; None where it says nothing of it.

    >>> role_named("\U0001f525 If the deployment fails"), role_named("Go/No-Go criteria"), role_named("Data tier")
    (<Role.ROLLBACK: 'rollback_plan'>, <Role.CHECKLIST: 'checklist'>, None)
    """
    words = _plain(title)
    if _MOMENT_ALONE.search(words):
        return Role.RUNBOOK
    return next((role for role, pattern in _ROLES if re.search(pattern, words, re.IGNORECASE)), None)


def is_after(titles: Sequence[str]) -> bool | None:
    """The innermost heading that names the deployment; else the outermost with another word for it; None where none has."""
    titles = [_plain(title) for title in titles]
    for ordered, before, after in ((titles[::-1], _SURELY_BEFORE, _SURELY_AFTER), (titles, _BEFORE, _AFTER)):
        for title in ordered:
            if before.search(title):
                return False
            if after.search(title):
                return True
    return None


def is_of_checks(title: str) -> bool:
    """Whether a heading is the name of checks, so that whatever is listed below it is to be looked at, with a box or without.

    >>> is_of_checks("2. Smoke tests"), is_of_checks("Verification"), is_of_checks("Prüfungen"), is_of_checks("Test data")
    (True, True, True, False)
    """
    return bool(_CHECKS.search(_plain(title)))


def is_rollback(text: str) -> bool:
    """Whether a row of limits says to go back."""
    return bool(re.search(rf"{_BACK}|abort|abbruch|ruckfall|retour (?:en )?arriere", _plain(text), re.IGNORECASE))
