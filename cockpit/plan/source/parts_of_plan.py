"""Parts: fragments of a plan in files of their own, put in under a name, once or several times.

A part has inputs, and of the plan that includes it it sees nothing else. Its probes are called `NAME_probe` there, its
lines `NAME.id`. One level: a part includes none. The plan with its parts is one text (`Source.whole`), and that is what a
record keeps and what its digest is of.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from cockpit.plan.source.inclusion import Inclusion, Input
from cockpit.plan.source.problems import PlanError
from cockpit.plan.source.source_file import STDIN, Source, fatal, read
from cockpit.plan.source.yaml_tree import Path_, Place, TooMany, Tree, parse
from probes.suggestion import suggestion

LISTS = ("checklist", "gates", "success_criteria", "rollback_triggers", "runbook", "rollback_plan")
"""What a part may hold besides its probes: the entries stand after the plan's own, in the order they are included."""
_HEAD = ("part", "title", "inputs")
INPUT_TYPES: Mapping[str, tuple[type, ...]] = {"text": (str,), "number": (int, float), "boolean": (bool,)}
_NAMES_PARTS = re.compile(r"^parts\s*:", re.MULTILINE)
_AS = re.compile(r"[a-z][a-z0-9_]{0,19}")
_INPUT = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,39}")
BUILT_IN = ("deploy", "migrate", "purge")
"""What a gate may guard besides a step of the runbook."""
MOST = 50
"""Inclusions of one plan."""


@dataclass(slots=True)
class _Part:
    """A part as it was read: its tree, and where in the tree it begins."""

    tree: Tree
    root: Path_
    value: Mapping[str, Any]
    inputs: dict[str, Input] = field(default_factory=dict)


def read_plan(path: str | Path) -> Source:
    """A plan's text, with the files of its parts. Raises PlanError for what cannot be a plan."""
    source = read(path)
    return source if not _NAMES_PARTS.search(source.text) else with_parts(source)


def with_parts(source: Source) -> Source:
    """The same with the files of its parts, and the whole as one text. Raises PlanError where a file cannot be read."""
    tree = Tree(source)
    try:
        parse(tree)
    except (TooMany, PlanError):
        return source  # loading it says what is wrong
    named = tree.value.get("parts") if isinstance(tree.value, dict) else None
    written = {
        name: where for name, where in (named if isinstance(named, dict) else {}).items() if isinstance(where, str)
    }
    places = {name: tree.places["parts", name] for name in written}
    files = {name: _file(source, where, places[name]) for name, where in written.items()}
    whole = source.text
    for name in sorted(files, key=lambda one: -places[one].start):
        inner = json.dumps(_value_of(files[name]), ensure_ascii=False)
        whole = whole[: places[name].start] + inner + whole[places[name].end :]
    raw = whole.encode() if files else source.whole
    return replace(source, whole=raw, digest=hashlib.sha256(raw).hexdigest(), parts=files)


def _file(source: Source, where: str, place: Place) -> Source:
    line = place.position.line
    if source.file in (STDIN, "standard input"):
        raise fatal(source.file, "a plan from standard input has no folder to find the files of its parts in", line)
    folder = Path(source.file).parent
    try:
        inside = (folder / where).resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError, ValueError):
        inside = False
    if not inside:
        raise fatal(source.file, f"the part {where} is outside the plan's folder", line)
    try:
        return read(folder / where)
    except PlanError as error:
        first = error.problems[0]
        message = f"the part {where} {first.message}"
        raise fatal(source.file, message, line) from None


def _value_of(source: Source) -> Any:
    tree = Tree(source)
    parse(tree)
    return tree.value


def expand(tree: Tree) -> None:
    """Put the parts in: afterwards the tree holds one plan, each entry with its place in the file it comes from."""
    named, included = tree.value.pop("parts", None), tree.value.pop("include", None)
    if named is None and included is None:
        return
    if not isinstance(named, dict) or not isinstance(included, list):
        wrong = "parts" if not isinstance(named, dict) else "include"
        needs = "a mapping (name: file) beside `include`" if wrong == "parts" else "a list of {part, as, with}"
        tree.report((wrong,) if (wrong,) in tree.places else (), f"'{wrong}' must be {needs}")
        return
    parts = {name: part for name, where in named.items() if (part := _read(tree, name, where)) is not None}
    used: set[str] = set()
    for index, entry in enumerate(included[:MOST]):
        inclusion = _inclusion(tree, index, entry, parts, set(named), used)
        if inclusion is not None:
            used.add(inclusion.name)
            _put_in(tree, inclusion, parts[inclusion.part])
    if len(included) > MOST:
        tree.report(("include", MOST), f"includes more than {MOST} parts: that is not a plan")
    mentioned = {entry.get("part") for entry in included if isinstance(entry, dict)}
    for name in named:
        if name not in mentioned:
            tree.report(("parts", name), f"the part '{name}' is included nowhere", on_key=True)


def _read(tree: Tree, name: str, where: Any) -> _Part | None:
    """A part of a file, or one that stands in the plan itself."""
    path: Path_ = ("parts", name)
    if isinstance(where, dict):
        part = _Part(tree, path, where)
    elif name in tree.source.parts:
        inner = Tree(tree.source.parts[name])
        inner.problems = tree.problems  # one list: all problems at once
        tree.sources[inner.file] = inner.source
        parse(inner)
        if not isinstance(inner.value, dict):
            tree.report(path, "is not a part: a mapping with part, inputs and probes is expected")
            return None
        part = _Part(inner, (), inner.value)
    else:
        tree.report(path, "must be the file of a part: parts/web-service.yaml")
        return None
    _head(part)
    return part


def _head(part: _Part) -> None:
    tree, root = part.tree, part.root
    if part.value.get("part") != "v1":
        tree.report((*root, "part") if "part" in part.value else root, "a part begins with part: v1")
    allowed = (*_HEAD, "probes", *LISTS)
    for key in part.value:
        if key not in allowed:
            why = "a part includes no other" if key in ("parts", "include") else f"a part has no '{key}'"
            tree.report((*root, key), why + suggestion(key, allowed, "it may have"), on_key=True)
    inputs = part.value.get("inputs", {})
    if not isinstance(inputs, dict):
        tree.report((*root, "inputs"), "must be a mapping (name: {type, default, description})")
        return
    for name, held in inputs.items():
        made = _input(tree, (*root, "inputs", name), name, held)
        if made is not None:
            part.inputs[name] = made


def _input(tree: Tree, path: Path_, name: str, held: Any) -> Input | None:
    if not _INPUT.fullmatch(name):
        tree.report(path, "cannot be a name: letters, digits and _, not starting with a digit", on_key=True)
    elif not isinstance(held, dict) or set(held) - {"type", "default", "description"}:
        tree.report(
            path, "is {type, default, description}, each of which may be left out; {} for a text that must be given"
        )
    elif held.get("type", "text") not in INPUT_TYPES:
        tree.report((*path, "type"), f"must be one of {', '.join(INPUT_TYPES)}")
    else:
        made = Input(held.get("type", "text"), held.get("default"))
        if made.default is not None and not is_of(made.default, made.type):
            tree.report((*path, "default"), f"is not a {made.type}")
        elif isinstance(made.default, str) and "${" in made.default:
            tree.report((*path, "default"), "is written out: the plan gives what it takes from elsewhere")
        else:
            return made
    return None


def is_of(value: Any, type_: str) -> bool:
    """Whether a value is a text, a number or a boolean.

    >>> is_of(2, "number"), is_of(True, "number"), is_of("2", "text")
    (True, False, True)
    """
    return isinstance(value, INPUT_TYPES[type_]) and (type_ == "boolean" or not isinstance(value, bool))


def _inclusion(
    tree: Tree, index: int, entry: Any, parts: Mapping[str, _Part], named: set[str], used: set[str]
) -> Inclusion | None:
    path: Path_ = ("include", index)
    if not isinstance(entry, dict) or set(entry) - {"part", "as", "with"}:
        tree.report(path, "is {part: NAME, as: NAME, with: {input: value}}")
        return None
    name, part, given = entry.get("as"), entry.get("part"), entry.get("with", {})
    if not isinstance(part, str) or part not in parts:
        if part not in named:
            tree.report((*path, "part"), f"there is no part '{part}'{suggestion(str(part), named, 'there is')}")
        return None
    if not isinstance(name, str) or not _AS.fullmatch(name) or name == "env":
        tree.report(
            (*path, "as"), "is a short name of small letters, digits and _, such as api: it stands before every id"
        )
    elif name in used:
        tree.report((*path, "as"), f"'{name}' is already the name of another part here")
    elif not isinstance(given, dict):
        tree.report((*path, "with"), "must be a mapping (input: value)")
    else:
        return _filled(tree, path, name, part, given, parts[part])
    return None


def _filled(tree: Tree, path: Path_, name: str, part: str, given: Mapping[str, Any], held: _Part) -> Inclusion:
    for key, value in given.items():
        if key not in held.inputs:
            tree.report(
                (*path, "with", key),
                f"the part '{part}' has no input '{key}'{suggestion(key, held.inputs)}",
                on_key=True,
            )
        elif isinstance(value, dict | list):
            tree.report((*path, "with", key), "an input is text, a number, true or false")
    lacking = [key for key, asked in held.inputs.items() if key not in given and asked.default is None]
    if lacking:
        tree.report(path, f"the part '{part}' needs {', '.join(lacking)} (under with:)")
    values: dict[str, tuple[Path_, Any]] = {}
    for key, asked in held.inputs.items():
        written = given.get(key, asked.default)
        values[key] = ((*path, "with", key), None if isinstance(written, dict | list) else written)
    probes = held.value.get("probes")
    own = frozenset(probes if isinstance(probes, dict) else ())
    return Inclusion(name, part, tree.place(path).position, held.inputs, values, own)


def _put_in(tree: Tree, inclusion: Inclusion, part: _Part) -> None:
    """Copy its entries, with their places, under the names they have in the plan."""
    probes = part.value.get("probes")
    if isinstance(probes, dict):
        into = tree.value.setdefault("probes", {})
        for name, held in probes.items():
            new = inclusion.probe(name)
            if isinstance(into, dict) and new not in into:
                into[new] = held
                _move(tree, part, ("probes", name), ("probes", new), inclusion)
            elif isinstance(into, dict):
                tree.report(("probes", new), f"the part '{inclusion.name}' has a probe of that name too", on_key=True)
    own = frozenset(_ids(part.value))
    for key in LISTS:
        entries = part.value.get(key)
        if entries is not None and not isinstance(entries, list):
            part.tree.report((*part.root, key), "must be a list (- ...)")
        into = tree.value.setdefault(key, []) if isinstance(entries, list) else None
        if isinstance(entries, list) and isinstance(into, list):
            for index, entry in enumerate(entries):
                _move(tree, part, (key, index), (key, len(into)), inclusion)
                into.append(_renamed(entry, inclusion, key, own))


def _move(tree: Tree, part: _Part, at: Path_, to: Path_, inclusion: Inclusion) -> None:
    whole = (*part.root, *at)
    for found, into in ((part.tree.places, tree.places), (part.tree.keys, tree.keys)):
        for path, place in [(path, place) for path, place in found.items() if path[: len(whole)] == whole]:
            into[*to, *path[len(whole) :]] = place
    tree.inclusions[to] = inclusion


def _ids(value: Mapping[str, Any]) -> Iterator[str]:
    """Of the steps and gates of a part: what its steps may wait for."""
    for key in ("runbook", "rollback_plan", "gates"):
        for entry in value[key] if isinstance(value.get(key), list) else ():
            if isinstance(entry, dict) and isinstance(entry.get("id"), str):
                yield entry["id"]


def _renamed(entry: Any, inclusion: Inclusion, key: str, own: frozenset[str]) -> Any:
    """The entry with its ids, and what it says of the part's own probes, steps and gates, as the plan calls them."""
    if not isinstance(entry, dict):
        return entry
    made = dict(entry)
    if isinstance(made.get("id"), str):
        made["id"] = f"{inclusion.name}.{made['id']}"
    if key == "checklist" and isinstance(made.get("items"), list):
        made["items"] = [_renamed(item, inclusion, "", own) for item in made["items"]]
    if key == "gates" and made.get("before") not in (None, *BUILT_IN):
        made["before"] = f"{inclusion.name}.{made['before']}"
    if key in ("runbook", "rollback_plan"):
        made |= _waits_of(made, inclusion, own)
    action = made.get("action")
    if isinstance(action, dict) and action.get("service") in inclusion.probes:
        made["action"] = {**action, "service": inclusion.probe(str(action["service"]))}
    return made


def _waits_of(step: Mapping[str, Any], inclusion: Inclusion, own: frozenset[str]) -> dict[str, Any]:
    """What a step says of others: which it waits for, its gate, and the fields that show its progress."""

    def renamed(name: Any) -> Any:
        return f"{inclusion.name}.{name}" if isinstance(name, str) and name in own else name

    def of_probe(named: Any) -> Any:
        probe, _, field_ = named.partition(".") if isinstance(named, str) else ("", "", "")
        return f"{inclusion.probe(probe)}.{field_}" if probe in inclusion.probes else named

    made: dict[str, Any] = {}
    if isinstance(step.get("after"), list):
        made["after"] = [renamed(each) for each in step["after"]]
    if "gate" in step:
        made["gate"] = renamed(step["gate"])
    if isinstance(step.get("progress"), list):
        made["progress"] = [of_probe(each) for each in step["progress"]]
    return made
