"""Keys of the user's own: which key does which action, checked against every other."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import field, replace

from cockpit.tui.action_registry import ACTIONS, PLACED, Action, Handler, Where, shown_key
from probes.frozen import frozen

FIXED = frozenset({"back", "evidence", "help", "palette", "suspend"}) | {
    action.id for action in ACTIONS if action.handler is Handler.SCREEN
}
"""Actions whose keys never change: the screens by number, and the ways in and out."""
_MOVES = ("j", "k", "up", "down", "pageup", "pagedown", "home", "end", "tab", "ctrl+c")
"""What lists and fields do by themselves."""
_WRITTEN = re.compile(r"(?:ctrl\+|\^)([a-z])|[Ff]([1-9]|1[0-2])|(space)")
_OTHER_NAMES = {"solidus": "slash", "reverse_solidus": "backslash", "commercial_at": "at", "hyphen_minus": "minus",
                "plus_sign": "plus", "low_line": "underscore"}  # fmt: skip


def key_named(written: str) -> str:
    """A key as people write it, as Textual names it; empty for what is none.

    >>> key_named("S"), key_named("F6"), key_named("^x"), key_named("ctrl+x"), key_named("="), key_named("shift+a")
    ('S', 'f6', 'ctrl+x', 'ctrl+x', 'equals_sign', '')
    """
    if len(written) == 1 and written.isascii() and written.isprintable() and written != " ":
        if written.isalnum():
            return written
        name = unicodedata.name(written).lower().replace("-", "_").replace(" ", "_")
        return _OTHER_NAMES.get(name, name)
    if (found := _WRITTEN.fullmatch(written)) is None:
        return ""
    letter, number, space = found.groups()
    return f"ctrl+{letter}" if letter else f"f{number}" if number else space


@frozen
class KeyMap:
    """Textual's name of a key by action id, of those that differ from the registry."""

    keys: Mapping[str, str] = field(default_factory=dict)

    def own(self, action: Action) -> Action:
        """The action with the key it has here."""
        key = self.keys.get(action.id)
        return action if key is None else replace(action, key=key, also="")

    def of(self, actions: Iterable[Action]) -> Iterator[Action]:
        """As `own`, each."""
        return map(self.own, actions)


def problems(written: Mapping[str, str]) -> dict[str, str]:
    """What is wrong with keys as people write them, by action id; empty where all of them can be used."""
    known = {action.id: action for action in ACTIONS}
    found = {}
    for id_, key in written.items():
        if id_ not in known:
            found[id_] = "no such action: `cockpit keys` lists them"
        elif id_ in FIXED:
            found[id_] = f"its key is always {known[id_].shown}"
        elif not key_named(key):
            found[id_] = f"{key!r} is no key: a character, F1 to F12, ctrl+a to ctrl+z or space"
        elif key_named(key) in _MOVES:
            found[id_] = f"{key} moves in lists and fields"
    mapped = KeyMap({id_: key_named(key) for id_, key in written.items() if id_ not in found})
    for id_ in mapped.keys:
        for other in ACTIONS:
            held = set(mapped.own(other).keys.split(","))
            if other.id != id_ and mapped.keys[id_] in held and _together(known[id_], other):
                found[id_] = f"{shown_key(mapped.keys[id_])} is already `{other.id}`: {other.help}"
    return found


def _together(one: Action, other: Action) -> bool:
    """Whether both can be there at once."""
    if one.where is not other.where and PLACED & {one.where, other.where}:
        return False  # a screen's own key goes before everyone's
    return {one.where, other.where} not in ({Where.LIVE, Where.REPLAY}, {Where.REHEARSAL, Where.REPLAY})
