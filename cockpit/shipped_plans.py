"""The plans and the schema that come with the cockpit, wherever it is installed."""

from __future__ import annotations

from importlib.resources import files

_FOLDER = "checklists"
_SCHEMA = "{kind}.v1.schema.json"


def names() -> list[str]:
    """Without `.yaml`, sorted."""
    return sorted(each.name.removesuffix(".yaml") for each in files(_FOLDER).iterdir() if each.name.endswith(".yaml"))


def shipped_text(name: str) -> str:
    """The plan of a name. Raises FileNotFoundError."""
    return (files(_FOLDER) / f"{name}.yaml").read_text(encoding="utf-8")


def shipped_path(file: str) -> str:
    """Where a plan of that file name would be."""
    return str(files(_FOLDER) / file)


def schema_text(kind: str = "plan") -> str:
    """What an editor checks a plan, or a story, by."""
    return (files(_FOLDER) / _SCHEMA.format(kind=kind)).read_text(encoding="utf-8")
