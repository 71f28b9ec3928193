"""The plan, written from an outline: what is known is real, what is not stands in comments beside it."""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Iterator
from pathlib import PurePath

from cockpit.drafts.markdown_outline import Group, Line, Outline, outline
from cockpit.drafts.names_in_text import names, secret_names
from cockpit.drafts.probe_matching import PROBES, Suggestion, suggestion
from probes.display_text import visible, yaml_quoted

_ASK = "What did you look at, and what did it show?"
_LONGEST_TITLE = 300
_VARS = ("bucket", "cluster", "service", "database", "url")


class Sketch:
    """Writes one plan. `file` is how references name the Markdown."""

    def __init__(self, text: str, file: str) -> None:
        self.outline: Outline = outline(text)
        self.file = file
        self.known = names(text)
        self.secrets = secret_names(text)
        if self.secrets:
            self.known["secrets"] = ", ".join(self.secrets)
        self._ids: set[str] = set()

    def text(self) -> str:
        """The plan as YAML."""
        return "\n".join([*self._header(), *self._probes(), *self._checklist(), *self._rollback()]) + "\n"

    def _header(self) -> Iterator[str]:
        stem = PurePath(self.file).stem
        yield f"# The checklist of {_comment(self.file)} as a plan. Next: fill in the brackets, take up the suggestions in the"
        yield "# comments, then `cockpit validate` and `cockpit lint`."
        yield "plan: v1"
        yield f"name: {_quoted(_slug(stem) or 'imported')}"
        yield f"title: {_quoted(self.outline.title or stem)}"
        yield "environment: staging                      # production puts a red frame and the word PROD on every screen"
        yield f"source: {_quoted(self.file)}"
        if "region" in self.known:
            yield f"target: {{region: {self.known['region']}}}"
        if known := [(key, self.known[key]) for key in _VARS if key in self.known]:
            yield "\nvars:"
            yield from (f"  {key}: {_quoted(value)}" for key, value in known)
        yield "\npeople:"
        yield '  - {id: primary, name: "[Your Name]", roles: [on_call]}'

    def _probes(self) -> Iterator[str]:
        suggested = [
            found for group in self.outline.groups for line in group.lines if (found := suggestion(line.title))
        ]
        wanted = list(dict.fromkeys(one.probe for one in suggested if one.probe))
        real = {one.probe for one in suggested if one.probe and self._real(one)}
        yield "\nprobes:"
        yield "  identity: {uses: aws.identity, interval: 60s}"
        for name in wanted:
            written = PROBES[name] % ", ".join(self.secrets) if name == "secrets" else PROBES[name]
            if name in real:
                yield f"  {name}: {written}"
            else:
                yield f"  # {name}: {written.replace('$${', '${')}"

    def _checklist(self) -> Iterator[str]:
        yield "\nchecklist:"
        for group in self.outline.groups:
            yield f"  - section: {_quoted(group.title)}"
            yield f"    phase: {'post_deploy' if group.after_deployment else 'pre_deploy'}"
            yield "    items:"
            for line in group.lines:
                yield from self._item(group, line)

    def _item(self, group: Group, line: Line) -> Iterator[str]:
        found = suggestion(line.title)
        yield f"      - id: {self._id(group.title, line.title, line.number)}"
        yield f"        title: {_quoted(line.title)}"
        yield f"        ref: {_quoted(f'{self.file}:{line.number}')}"
        if found is not None and self._real(found):
            yield f"        expect: {json.dumps(found.expect)}"
            if found.enough:
                return
            found = None
        yield f'        sign_off: {{ask: "{_ASK}", roles: [on_call]}}'
        if found is not None and found.note:
            yield f"        # {found.note}"
        elif found is not None:
            yield f"        # expect: {found.expect}   (with the probe {found.probe} above)"
        if line.ticked:
            yield "        caution: It was ticked already; a tick says neither who looked nor what was seen."

    def _rollback(self) -> Iterator[str]:
        if not self.outline.rollback:
            return
        yield "\nrollback_plan:"
        for step in self.outline.rollback:
            yield f"  - id: {self._id('back', step.title, step.number)}"
            yield f"    title: {_quoted(step.title or 'Step')}"
            yield f"    ref: {_quoted(f'{self.file}:{step.number}')}"
            if step.command:
                yield f"    command: {_quoted(step.command)}"

    def _real(self, found: Suggestion) -> bool:
        return bool(found.needs) and all(need in self.known for need in found.needs)

    def _id(self, group: str, title: str, number: int) -> str:
        first = _slug(group)[:20].rstrip("-")
        last = _slug(title)[:40].rstrip("-")
        id_ = f"{first or 'list'}.{last}" if last else f"line-{number}"
        if id_ in self._ids:
            id_ = f"{id_}-{number}"
        self._ids.add(id_)
        return id_


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
    return yaml_quoted(_comment(text).replace("${", "$${"))


def _comment(text: str) -> str:
    return visible(" ".join(text.split()), keep="")[:_LONGEST_TITLE]
