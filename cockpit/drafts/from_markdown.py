"""The plan, written from an outline. A person signs every line: what a probe could see is proposed beside it, never asserted."""

from __future__ import annotations

import re
import textwrap
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath

from cockpit.drafts.markdown_outline import HOW_LONG, STANDING, WHO, Group, Line, Outline, outline
from cockpit.drafts.names_in_text import names
from cockpit.drafts.probe_matching import proposals
from cockpit.drafts.section_roles import Role
from probes.display_text import visible, yaml_quoted

_ASK = "What did you look at, and what did it show?"
_ASK_TRIGGER = "Is this so now? What did you see?"
_LONGEST = 3900
"""Of a text in a plan; more is not accepted."""
_LONGEST_COMMENT = 300
_VARS = ("bucket", "cluster", "service", "database", "url")
_OPTIONAL = re.compile(r"\s*[\[(]?\b(?:optional|optionnel(?:le)?|facultati(?:f|ve))\b[\])]?:?\s*", re.IGNORECASE)
_DURATION = re.compile(
    r"(?:[(\[~\u2013\u2014,;]|\s-\s|(?:duration|estimate|takes|dauer|dur\u00e9e)\s*:)\s*(?:~|about |approx\.? |ca\.? |env\. )?"
    r"(\d{1,3})\s*(s|sec\w*|sek\w*|m|min\w*|h|hours?|std\w*|stunden?|heures?)\s*[)\]]?",
    re.IGNORECASE,
)
_OWNER = re.compile(rf"[(\[]?\b(?:{WHO})\s*:\s*([^)\],;]+)[)\]]?|\s@([\w.-]+)", re.IGNORECASE)
_UNITS = {"s": "s", "se": "s", "m": "m", "mi": "m", "h": "h", "ho": "h", "st": "h", "he": "h"}
"""Of a duration's unit, by its first letters."""
_COLUMNS_OF_STEPS = re.compile(rf", (?:{WHO}|{HOW_LONG}|{STANDING}): [^,()]+(?=,|$)", re.IGNORECASE)
"""What a row of a table says of a step, and its title need not."""


class Sketch:
    """Writes one plan. `file` is how references name the Markdown."""

    def __init__(self, text: str, file: str) -> None:
        self.outline: Outline = outline(text)
        self.file = file
        self.known = names(text)
        self._ids: set[str] = set()

    def text(self) -> str:
        """The plan as YAML."""
        made = [*self._header(), *self._checklist(), *self._criteria(), *self._steps(), *self._left_out()]
        return "\n".join(made) + "\n"

    def _header(self) -> Iterator[str]:
        stem = PurePath(self.file).stem
        yield f"# {_comment(self.file)} as a plan. People sign each line of it; `suggest` names probes that could see a part, and"
        yield "# what they would not show. Next: fill in the brackets, take up suggestions, `cockpit validate`, `cockpit lint`."
        yield "plan: v1"
        yield f"name: {_quoted(_slug(stem) or 'imported')}"
        yield f"title: {_quoted(self.outline.title or stem)}"
        yield "environment: staging                      # production puts a red frame and the word PROD on every screen"
        yield f"source: {_quoted(self.file)}"
        if "region" in self.known:
            yield f"target: {{region: {self.known['region']}}}"
        if known := [(key, self.known[key]) for key in _VARS if key in self.known]:
            yield "\nvars:                                     # names found in the text"
            yield from (f"  {key}: {_quoted(value)}" for key, value in known)
        yield "\npeople:"
        yield '  - {id: primary, name: "[Your Name]", roles: [on_call]}'
        yield "\nprobes:"
        yield "  identity: {uses: aws.identity, interval: 60s}"

    # -- what must be so ---------------------------------------------------------------------------------------------

    def _checklist(self) -> Iterator[str]:
        groups = self.outline.of(Role.CHECKLIST)
        if groups:
            yield "\nchecklist:"
        for group in groups:
            yield f"  - section: {_quoted(group.title)}"
            yield f"    phase: {'post_deploy' if group.after_deployment else 'pre_deploy'}"
            yield "    items:"
            for line in group.lines:
                yield from self._item(group, line)

    def _item(self, group: Group, line: Line) -> Iterator[str]:
        title, optional = _without_optional(line.title)
        yield from self._entry(6, group, line, title)
        yield f'        sign_off: {{ask: "{_ASK}", roles: [on_call]}}'
        if optional:
            yield "        blocking: false                     # it is called optional"
        cautions = list(_cautions(line))
        if line.ticked:
            cautions.append("It was ticked already; a tick says neither who looked nor what was seen.")
        if cautions:
            yield f"        caution: {_quoted(' '.join(cautions))}"
        yield from _suggested(8, line.title)

    def _criteria(self) -> Iterator[str]:
        """Criteria, and triggers in shadow: they are shown, and decide nothing until somebody writes their condition."""
        for role, ask in ((Role.SUCCESS, _ASK), (Role.TRIGGERS, _ASK_TRIGGER)):
            groups = self.outline.of(role)
            if groups:
                yield f"\n{role}:"
            for group in groups:
                for line in group.lines:
                    yield from self._entry(2, group, line, line.title)
                    if role is Role.TRIGGERS:
                        yield "    mode: shadow                          # fill in failure_condition and for, then drop this line"
                    yield f'    sign_off: {{ask: "{ask}", roles: [on_call]}}'
                    if cautions := list(_cautions(line)):
                        yield f"    caution: {_quoted(' '.join(cautions))}"
                    yield from _suggested(4, line.title)

    # -- what is done ------------------------------------------------------------------------------------------------

    def _steps(self) -> Iterator[str]:
        for role in (Role.RUNBOOK, Role.ROLLBACK):
            groups = self.outline.of(role)
            if groups:
                yield f"\n{role}:"
            for group in groups:
                for line in group.lines:
                    yield from self._entry(2, group, line, _COLUMNS_OF_STEPS.sub("", line.title))
                    if line.command:
                        yield f"    command: {_quoted_lines(textwrap.dedent(line.command))}"
                    if duration := _duration(line.own):
                        yield f"    expected: {duration}"
                    optional = ["It is called optional."] if _without_optional(line.title)[1] else []
                    ticked = ["It was ticked already; a tick says neither who did it nor when."] if line.ticked else []
                    if cautions := [*_cautions(line), *optional, *ticked]:
                        yield f"    caution: {_quoted(' '.join(cautions))}"

    def _entry(self, indent: int, group: Group, line: Line, title: str) -> Iterator[str]:
        space = indent * " "
        yield f"{space}- id: {self._id(group.title, title, line.number)}"
        yield f"{space}  title: {_quoted(title or 'Step')}"
        yield f"{space}  ref: {_quoted(f'{self.file}:{line.number}')}"

    def _left_out(self) -> Iterator[str]:
        if self.outline.left_out:
            yield "\n# Left out:"
        for one in self.outline.left_out:
            yield f"# {_comment(self.file)}:{one.lines}: {_comment(one.text)} ({one.why})"

    def _id(self, group: str, title: str, number: int) -> str:
        first = _slug(group)[:20].rstrip("-")
        last = _slug(title)[:40].rstrip("-")
        id_ = f"{first or 'list'}.{last}" if last else f"line-{number}"
        if id_ in self._ids:
            id_ = f"{id_}-{number}"
        self._ids.add(id_)
        return id_


def _suggested(indent: int, title: str) -> Iterator[str]:
    for one in proposals(_COLUMNS_OF_STEPS.sub("", title)):
        space = indent * " "
        yield f"{space}# suggest: {one.probe}, perhaps its field {one.field} ({one.meaning})"
        yield f"{space}#          it cannot see {one.cannot_see}"


def _cautions(line: Line) -> Iterator[str]:
    if line.notes:
        yield "; ".join(line.notes)
    if owner := _OWNER.search(line.title):
        yield f"Owner: {(owner[1] or owner[2]).strip()}."


def _without_optional(title: str) -> tuple[str, bool]:
    """
    >>> _without_optional("(optional) Warm the cache"), _without_optional("Prévenir (facultatif)")
    (('Warm the cache', True), ('Prévenir', True))
    """
    found = _OPTIONAL.search(title)
    return (_OPTIONAL.sub(" ", title).strip() or title, True) if found else (title, False)


def _duration(title: str) -> str:
    """
    >>> _duration("Deploy (15 min)"), _duration("Wait [~1 h]"), _duration("2 tasks")
    ('15m', '1h', '')
    """
    found = _DURATION.search(title)
    return f"{found[1]}{_UNITS[found[2][:2].lower()]}" if found and int(found[1]) else ""


def _slug(text: str) -> str:
    """
    >>> _slug("S3 bucket: größer"), _slug("備份"), _slug("2 tasks")
    ('s3-bucket-groer', '', 'n-2-tasks')
    """
    ascii_ = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", ascii_).strip("-")[:60].rstrip("-")
    return f"n-{slug}" if slug[:1].isdigit() else slug


def _quoted(text: str) -> str:
    """A double-quoted scalar of one line in which ${ stands for itself."""
    return yaml_quoted(visible(" ".join(text.split()), keep="")[:_LONGEST].replace("${", "$${"))


def _quoted_lines(text: str) -> str:
    """The same with its line ends, and each line's indentation."""
    lines = [" " * (len(line) - len(line.lstrip())) + _quoted(line)[1:-1] for line in text.split("\n")]
    return '"' + "\\n".join(lines)[:_LONGEST] + '"'


def _comment(text: str) -> str:
    return visible(" ".join(text.split()), keep="")[:_LONGEST_COMMENT]
