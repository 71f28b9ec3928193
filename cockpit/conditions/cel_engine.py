"""CEL's compiler alone. Its package imports a command line of its own with it: a quarter of a second at every start of ours."""

from __future__ import annotations

import sys
from importlib import import_module
from importlib.machinery import PathFinder
from importlib.util import find_spec, module_from_spec
from typing import Any

_PACKAGE = "cel"
_COMPILER = "cel.cel"


def load_compiler() -> Any:
    """The module with `compile`. Raises ImportError where CEL is not installed."""
    if (loaded := sys.modules.get(_COMPILER)) is not None:
        return loaded
    package = find_spec(_PACKAGE)
    places = package.submodule_search_locations if package is not None else None
    found = PathFinder.find_spec(_COMPILER, places) if places else None
    if found is None or found.loader is None:
        return import_module(_PACKAGE)
    module = module_from_spec(found)
    found.loader.exec_module(module)
    sys.modules[_COMPILER] = module
    return module
