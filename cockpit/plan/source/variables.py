"""`${name}` and `${env:NAME}`: a plan's vars, resolved without ever letting a value of the environment into sight.

What comes from the environment may be a secret. It may stand where only machines look, and where its form lets no secret
through; anywhere else, and in every message, it is refused. The document model says which text is which.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from cockpit.plan.source.problems import nearest
from cockpit.plan.source.yaml_tree import Path_, TooMany, Tree, plain_value
from cockpit.plan.text_kind import TextKind
from probes.known_secrets import is_public, remember, words_of

PLACEHOLDER = "unset"
"""Stands for a variable of the environment that is not set, where that is allowed."""

_REFERENCE = re.compile(r"(?P<escape>\$\$\{)|\$\{(?P<name>[^{}]*)\}|(?P<open>\$\{)")
_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_LONGEST = 20_000
_ALL = 2_000_000
"""Characters all references of a plan may become: vars that double each other must not fill the memory."""
_LONGEST_CHAIN = 20


@dataclass(frozen=True, slots=True)
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
        self._left = _ALL
        self._plan_words = words_of(tree.source.text)
        self._read_vars(tree.value.get("vars"), overrides)

    def document(self) -> dict[str, Any]:
        """The whole document with every reference replaced. Conditions are left as they are: they have fields, not vars."""
        return {key: held if key == "vars" else self._value(held, (key,)) for key, held in self.tree.value.items()}

    def secret_vars(self) -> tuple[str, ...]:
        """Vars that read the environment, by name, whatever stands in their place now."""
        return tuple(sorted(name for name in self._vars if self._reads_environment(name)))

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
            if name not in self._vars:
                hint = nearest(name, self._vars, "there is")
                self.tree.report(("vars",), f"there is no var '{name}' to override{hint}", on_key=True)
                continue
            declared = self._vars[name]
            value = text if isinstance(declared, str) else plain_value(text)
            # A var that reads the environment, by way of others too, stays secret when something else takes its place.
            secret = self._reads_environment(name)
            if secret or not is_public(name, text, declared):
                remember(text, public=self._plan_words)
            self._done[name] = _Resolved(value, secret)
        for name in self._vars:
            self._var(name, ())

    def _var(self, name: str, within: tuple[str, ...]) -> _Resolved:
        if name not in self._done:
            held = self._vars[name]
            done = self._text(held, ("vars", name), (*within, name)) if isinstance(held, str) else _Resolved(held)
            self._done[name] = done
        return self._done[name]

    def _reads_environment(self, name: str) -> bool:
        waiting, seen = [name], {name}
        while waiting:
            declared = self._vars.get(waiting.pop())
            for match in _REFERENCE.finditer(declared) if isinstance(declared, str) else ():
                used = match["name"] or ""
                if used.startswith("env:"):
                    return True
                if used not in seen:
                    seen.add(used)
                    waiting.append(used)
        return False

    # -- values ------------------------------------------------------------------------------------------------------

    def _value(self, value: Any, path: Path_) -> Any:
        if isinstance(value, dict):
            return {key: self._value(held, (*path, key)) for key, held in value.items()}
        if isinstance(value, list):
            return [self._value(held, (*path, index)) for index, held in enumerate(value)]
        if not isinstance(value, str) or "${" not in value:
            return value
        kind = self.kind(path)
        if not kind.references:
            at = self.tree.within(path, value, value.index("${"), 2)
            self.tree.report(path, "vars are not replaced in conditions: write the value itself", at=at)
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
        if name in within:
            circle = " -> ".join((*within[within.index(name) :], name))
            return self._refuse(match, path, f"vars refer to each other in a circle: {circle}")
        if len(within) > _LONGEST_CHAIN:
            return self._refuse(match, path, f"vars refer to each other through more than {_LONGEST_CHAIN} others")
        if name not in self._vars:
            hint = nearest(name, self._vars) or f"; to mean the characters themselves write $${{{name}}}"
            return self._refuse(match, path, f"there is no var '{name}'{hint}")
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


def _written(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
