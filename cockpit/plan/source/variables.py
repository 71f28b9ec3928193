"""`${name}` and `${env:NAME}`: a plan's vars, resolved without ever letting a value of the environment into sight.

What comes from the environment may be a secret. It may stand where only machines look, and where its form lets no secret
through; anywhere else, and in every message, it is refused. The document model says which text is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

from cockpit.plan.source.condition_text import ConditionText, condition_text
from cockpit.plan.source.parts_of_plan import is_of
from cockpit.plan.source.yaml_tree import Path_, Place, TooMany, Tree, plain_value
from cockpit.plan.text_kind import TextKind
from probes.frozen import frozen
from probes.known_secrets import is_public, remember, words_of
from probes.suggestion import suggestion

PLACEHOLDER = "unset"
"""Stands for a variable of the environment that is not set, where that is allowed."""

_REFERENCE = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
_OF_A_SHELL = re.compile(r"\$([A-Za-z_]\w*)")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 20_000
_ALL = 2_000_000
"""Characters all references of a plan may become: vars that double each other must not fill the memory."""
_LONGEST_CHAIN = 20


@frozen
class _Resolved:
    value: Any
    secret: bool = False
    """Holds something read from the environment."""
    unset: bool = False
    """Holds a placeholder."""


class Substitution:
    """Resolves the references of one plan, reporting at its place what cannot be resolved."""

    def __init__(
        self,
        tree: Tree,
        kind: Callable[[Path_], TextKind],
        overrides: Mapping[str, str],
        environ: Mapping[str, str],
        *,
        required: bool,
    ) -> None:
        self.tree = tree
        self.kind = kind
        """What the text at a path of the document may hold."""
        self.environ = environ
        self.required = required
        self.read: set[str] = set()
        """Variables of the environment that are asked for, by name."""
        self.missing: set[str] = set()
        """Variables of the environment that are not set."""
        self.secret: set[Path_] = set()
        self.unset: set[Path_] = set()
        self._vars: dict[str, Any] = {}
        self._done: dict[str, _Resolved] = {}
        self._places: dict[str, Path_] = {}
        """Where inputs of parts are given."""
        self._left = _ALL
        self._plan_words = words_of(tree.source.text)
        self._read_vars(tree.value.get("vars"), overrides)

    def document(self) -> dict[str, Any]:
        """The whole document with every reference replaced. Conditions are left as they are: they have fields, not vars."""
        return {key: held if key == "vars" else self._value(held, (key,)) for key, held in self.tree.value.items()}

    def condition(self, path: Path_, written: str) -> ConditionText | None:
        """A condition as it is compiled: with vars as literals, and a part's probes by their names in the plan.

        None where a var has no value, or one that must not be seen (then it is reported).
        """
        inclusion = self.tree.inclusion(path)
        probes = {name: inclusion.probe(name) for name in inclusion.probes} if inclusion else {}

        def var(name: str, offset: int, length: int) -> Any:
            at = self.tree.within(path, written, offset, length)
            found = self._named(name, path, at)
            if found.unset and not found.secret:
                return None
            if found.secret:
                self.tree.report(path, "a value from the environment may be secret, and conditions are shown", at=at)
                return None
            return found.value

        held = condition_text(written, var, probes)
        if held is not None and "${" in held.text:
            at = self.tree.within(path, written, written.index("${"), 2)
            self.tree.report(path, "'${' without its '}': write ${name}", at=at)
            return None
        return held

    def _named(self, name: str, path: Path_, at: Place) -> _Resolved:
        """A var by its name in a condition."""
        match = _REFERENCE.fullmatch(f"${{{name}}}")
        if name.startswith("env:") or match is None:
            return _Resolved(PLACEHOLDER, secret=True)
        known = self._visible(path)
        if name not in known:
            self.tree.report(path, self._unknown(name, path), at=at)
            return _Resolved(PLACEHOLDER, unset=True)
        return self._var(known[name], ())

    def _visible(self, path: Path_) -> Mapping[str, str]:
        """What a text may name: the plan's vars, in a part its inputs alone; each with its name among all of them."""
        inclusion = self.tree.inclusion(path)
        if inclusion is None:
            return {name: name for name in self._vars if ":" not in name}
        return {name: inclusion.var(name) for name in inclusion.inputs}

    def _unknown(self, name: str, path: Path_) -> str:
        what = "var" if self.tree.inclusion(path) is None else "input"
        itself = f"to mean the characters themselves write $${{{name}}}"
        given = f"give it a value under vars, or read the environment with ${{env:{name}}}; " if what == "var" else ""
        hint = suggestion(name, self._visible(path)) or f"; {given}{itself}"
        return f"there is no {what} '{name}'{hint}"

    def secret_vars(self) -> tuple[str, ...]:
        """Vars that read the environment, by name, whatever stands in their place now."""
        named = (name for name in self._vars if ":" not in name)
        return tuple(sorted(name for name in named if name in self._environment_readers))

    def touches(self, path: Path_, among: set[Path_]) -> bool:
        """Whether a value at, above or below `path` is among those."""
        return any(one[: len(path)] == path or path[: len(one)] == one for one in among)

    # -- vars --------------------------------------------------------------------------------------------------------

    def _read_vars(self, given: Any, overrides: Mapping[str, str]) -> None:
        for name, value in (given if isinstance(given, dict) else {}).items():
            if isinstance(value, dict | list):
                self.tree.report(("vars", name), "a var is text, a number, true or false")
            self._vars[name] = PLACEHOLDER if isinstance(value, dict | list) else value
        for name, text in overrides.items():
            if name not in self._vars or ":" in name:
                hint = suggestion(name, self._vars, "there is")
                self.tree.report(
                    ("vars",),
                    f"there is no var '{name}' in the plan, and --var or --vars gives it a value{hint}",
                    on_key=True,
                )
                continue
            declared = self._vars[name]
            value = text if isinstance(declared, str) else plain_value(text)
            if not _alike(value, declared):
                kind = "true or false" if isinstance(declared, bool) else "a number"
                self.tree.report(("vars", name), f"is {kind} in the plan, and what --var or --vars gives is not")
                continue
            # A var that reads the environment, by way of others too, stays secret when something else takes its place.
            secret = name in self._environment_readers
            if secret or not is_public(name, text, declared):
                remember(text, public=self._plan_words)
            self._done[name] = _Resolved(value, secret)
        self._read_inputs()
        for name in self._vars:
            self._var(name, ())

    def _read_inputs(self) -> None:
        """What parts are given, each under a name that no var can have."""
        for inclusion in dict.fromkeys(self.tree.inclusions.values()):
            for name, (path, value) in inclusion.given.items():
                self._vars[inclusion.var(name)] = PLACEHOLDER if value is None else value
                if value is None:
                    self._done[inclusion.var(name)] = _Resolved(PLACEHOLDER, unset=True)
                self._places[inclusion.var(name)] = path
            for name, asked in inclusion.inputs.items():
                path, _ = inclusion.given[name]
                found = self._var(inclusion.var(name), ())
                if not found.unset and not is_of(found.value, asked.type):
                    self.tree.report(path, f"the input '{name}' of the part '{inclusion.part}' is a {asked.type}")

    def _var(self, name: str, within: tuple[str, ...]) -> _Resolved:
        if name not in self._done:
            held = self._vars[name]
            path = self._places.get(name, ("vars", name))
            done = self._text(held, path, (*within, name)) if isinstance(held, str) else _Resolved(held)
            self._done[name] = done
        return self._done[name]

    @cached_property
    def _environment_readers(self) -> frozenset[str]:
        """The vars that read the environment, by way of others too. Asked for once the plan's vars are known."""
        users: dict[str, list[str]] = {}
        waiting = []
        for name, declared in self._vars.items():
            used = {match["name"] or "" for match in _REFERENCE.finditer(declared)} if isinstance(declared, str) else ()
            for each in used:
                users.setdefault(each, []).append(name)
            if any(each.startswith("env:") for each in used):
                waiting.append(name)
        found = set(waiting)
        while waiting:
            new = set(users.get(waiting.pop(), ())) - found
            found |= new
            waiting += new
        return frozenset(found)

    # -- values ------------------------------------------------------------------------------------------------------

    def _value(self, value: Any, path: Path_) -> Any:
        if isinstance(value, dict):
            return {key: self._value(held, (*path, key)) for key, held in value.items()}
        if isinstance(value, list):
            return [self._value(held, (*path, index)) for index, held in enumerate(value)]
        if not isinstance(value, str) or "$" not in value:
            return value
        kind = self.kind(path)
        if kind.references and (shell := _OF_A_SHELL.fullmatch(value)):
            # As a whole value nobody means the characters themselves; within a command they are the shell's.
            self.tree.report(
                path, f"{value} is of a shell: write ${{{shell[1]}}} for a var, ${{env:{shell[1]}}} for the environment"
            )
            self.tree.refused.add(path)
            return PLACEHOLDER
        if "${" not in value:
            return value
        if not kind.references:  # a condition: see `condition`
            return value
        resolved = self._text(value, path, ())
        if resolved.secret and (why := self._refusal(kind, resolved)):
            self.tree.report(path, why)
            return "" if kind.form else PLACEHOLDER
        if resolved.secret:
            self.secret.add(path)
        if resolved.unset:
            self.unset.add(path)
            return "" if kind.form else resolved.value
        return resolved.value

    def _refusal(self, kind: TextKind, resolved: _Resolved) -> str:
        """Why a value of the environment may not stand in such a text; empty where it may."""
        if kind.environment is None:
            return "a value from the environment may be secret, and would be shown here"
        if resolved.unset or kind.admits(resolved.value):
            return ""
        return f"the value from the environment is not {kind.form}, and would be shown here"

    def _text(self, text: str, path: Path_, within: tuple[str, ...]) -> _Resolved:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole["name"] is not None:
            return self._reference(whole, path, within)
        pieces: list[str] = []
        secret, unset, last, length = False, False, 0, 0
        for match in _REFERENCE.finditer(text):
            found = _Resolved("${") if match["escape"] else self._reference(match, path, within)
            pieces += [text[last : match.start()], _written(found.value)]
            secret, unset, last = secret or found.secret, unset or found.unset, match.end()
            length += len(pieces[-2]) + len(pieces[-1])
            if length > _LONGEST:
                self.tree.report(path, f"becomes longer than {_LONGEST:,} characters")
                return _Resolved(PLACEHOLDER, secret, unset=True)
        self._spend(length, path)
        return _Resolved("".join([*pieces, text[last:]]), secret, unset)

    def _spend(self, length: int, path: Path_) -> None:
        self._left -= length
        if self._left < 0:
            self.tree.report(path, f"the references of this plan become longer than {_ALL:,} characters in all")
            raise TooMany

    def _reference(self, match: re.Match[str], path: Path_, within: tuple[str, ...]) -> _Resolved:
        name = match["name"]
        if name is None:
            return self._refuse(match, path, "'${' without its '}'; to mean the characters themselves write $${")
        if name.startswith("env:"):
            return self._environment(match, path)
        known = self._visible(path)
        if name not in known:
            return self._refuse(match, path, self._unknown(name, path))
        name = known[name]
        if name in within:
            circle = " -> ".join((*within[within.index(name) :], name))
            return self._refuse(match, path, f"vars refer to each other in a circle: {circle}")
        if len(within) > _LONGEST_CHAIN:
            return self._refuse(match, path, f"vars refer to each other through more than {_LONGEST_CHAIN} others")
        return self._var(name, within)

    def _environment(self, match: re.Match[str], path: Path_) -> _Resolved:
        name, has_default, default = match["name"].removeprefix("env:").partition(":-")
        if not _ENVIRONMENT_NAME.fullmatch(name):
            return self._refuse(match, path, "write ${env:NAME} or ${env:NAME:-default}")
        self.read.add(name)
        if self.environ.get(name):
            remember(self.environ[name], public=self._plan_words)
            return _Resolved(self.environ[name], secret=True)
        if has_default:
            return _Resolved(default)
        self.missing.add(name)
        if self.required:
            return self._refuse(match, path, f"the environment variable {name} is not set")
        return _Resolved(PLACEHOLDER, secret=True, unset=True)

    def _refuse(self, match: re.Match[str], path: Path_, message: str) -> _Resolved:
        at = self.tree.within(path, match.string, match.start(), match.end() - match.start())
        self.tree.report(path, message, at=at)
        return _Resolved(PLACEHOLDER, unset=True)


def _alike(value: object, declared: object) -> bool:
    """Whether a value may take the place of a declared one: a number of any kind of a number's."""
    if isinstance(declared, str):
        return True
    if isinstance(declared, bool) or isinstance(value, bool):
        return isinstance(declared, bool) and isinstance(value, bool)
    return isinstance(value, int | float)


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
