"""How this program starts itself again: by the same interpreter, with nothing from the folder it happens to stand in."""

from __future__ import annotations

import sys
from collections.abc import Mapping

_LEADS_ELSEWHERE = ("PYTHON", "LD_PRELOAD", "LD_AUDIT", "DYLD_INSERT_LIBRARIES")
"""Variables that begin so make an interpreter load other code than the one that is installed."""
_HARMLESS = frozenset({"PYTHONUTF8", "PYTHONIOENCODING", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"})

GIVEN_VARS = "COCKPIT_VARS"
"""Variable of the environment that holds values of a plan's vars, a JSON list of NAME=VALUE: they may be secret."""


def python_module(module: str, *arguments: str) -> tuple[str, ...]:
    """The command that runs an installed module. `-P`: a `secrets.py` or `probes/` in the folder is not imported."""
    return (sys.executable, "-P", "-m", module, *arguments)


def child_environment(environ: Mapping[str, str], **more: str) -> dict[str, str]:
    """`environ` without what leads an interpreter to other code, and `more`. Children of the child are held to it too."""
    kept = {
        name: value for name, value in environ.items() if name in _HARMLESS or not name.startswith(_LEADS_ELSEWHERE)
    }
    return kept | {"PYTHONSAFEPATH": "1"} | more
