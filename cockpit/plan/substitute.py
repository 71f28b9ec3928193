"""`${name}` and `${env:NAME}`: a plan's vars, resolved without ever letting a value of the environment into a message."""

from __future__ import annotations

import re
from collections.abc import Mapping
from difflib import get_close_matches
from typing import Any

from cockpit.plan.nodes import Path_, Tree

_REFERENCE = re.compile(r"\$\{([^}]*)\}|\$\{")
PLACEHOLDER = "unset"


class Substitution:
    """Resolves references for one plan, reporting what cannot be resolved at its place."""

    def __init__(self, tree: Tree, overrides: Mapping[str, str], environ: Mapping[str, str], *, required: bool) -> None:
        self.tree = tree
        self.environ = environ
        self.required = required
        self.missing: set[str] = set()
        given = tree.value.get("vars") if isinstance(tree.value, dict) else None
        self.vars: dict[str, Any] = dict(given) if isinstance(given, dict) else {}
        for name in overrides:
            if name not in self.vars:
                tree.report(("vars",), f"there is no var '{name}' to set{_near(name, self.vars)}", on_key=True)
        self.overrides = {name: text for name, text in overrides.items() if name in self.vars}
        self._done: dict[str, Any] = {}

    def resolve(self, value: Any, path: Path_) -> Any:
        """The value with every reference in it replaced."""
        if isinstance(value, dict):
            return {key: self.resolve(held, (*path, key)) for key, held in value.items()}
        if isinstance(value, list):
            return [self.resolve(held, (*path, index)) for index, held in enumerate(value)]
        return self._text(value, path, ()) if isinstance(value, str) else value

    def _text(self, text: str, path: Path_, within: tuple[str, ...]) -> Any:
        whole = _REFERENCE.fullmatch(text)
        if whole is not None and whole.group(1) is not None:
            return self._reference(whole.group(1), path, within)
        return _REFERENCE.sub(lambda match: str(self._reference(match.group(1), path, within)), text)

    def _reference(self, name: str | None, path: Path_, within: tuple[str, ...]) -> Any:
        if name is None:
            self.tree.report(path, "'${' without its '}'")
            return PLACEHOLDER
        if name.startswith("env:"):
            return self._environment(name.removeprefix("env:"), path)
        if name in within:
            self.tree.report(path, f"vars refer to each other in a circle: {' -> '.join((*within, name))}")
            return PLACEHOLDER
        if name not in self.vars:
            self.tree.report(path, f"${{{name}}} is not one of this plan's vars{_near(name, self.vars)}")
            return PLACEHOLDER
        if name in self.overrides:
            return self.overrides[name]
        if name not in self._done:
            held = self.vars[name]
            self._done[name] = self._text(held, ("vars", name), (*within, name)) if isinstance(held, str) else held
        return self._done[name]

    def _environment(self, name: str, path: Path_) -> str:
        name, has_default, default = name.partition(":-")
        if not re.fullmatch(r"[A-Za-z_]\w*", name):
            self.tree.report(path, "write ${env:NAME} or ${env:NAME:-default}")
            return PLACEHOLDER
        if self.environ.get(name):
            return self.environ[name]
        if has_default:
            return default
        if self.required and name not in self.missing:
            self.tree.report(path, f"the environment variable {name} is not set")
        self.missing.add(name)
        return PLACEHOLDER


def _near(name: str, known: Mapping[str, Any]) -> str:
    near = get_close_matches(name, list(known), n=1)
    return f"; did you mean '{near[0]}'?" if near else ""
