"""Whether what a rehearsal needs besides the cockpit is installed: the packages of the extra `rehearsal`."""

from __future__ import annotations

import re
from importlib import metadata

DISTRIBUTION = "cutover-cockpit"
_NAME = re.compile(r"[A-Za-z0-9._-]+")


def with_extras(*extras: str) -> str:
    """How the cockpit is installed with these extras.

    Forced: pipx leaves what is there without the extra as it is. Never the distribution's name: no index has it from us.
    """
    command = f"pipx install --force '.[{','.join(extras)}]'"
    return f"{command} in a checkout (uv tool install takes the same), or with a wheel's path in place of the point"


class NotInstalledError(Exception):
    """Says what is missing and how to install it."""


def require_rehearsal_packages() -> None:
    """Raises NotInstalledError."""
    if missing := [name for name in _of_the_extra() if not _is_installed(name)]:
        raise NotInstalledError(
            f"a rehearsal needs packages that are not installed: {', '.join(missing)}. Install the cockpit with its extra: "
            f"{with_extras('rehearsal')}"
        )


def _of_the_extra() -> list[str]:
    named = metadata.requires(DISTRIBUTION) or []
    return [
        match.group()
        for line in named
        if "extra == 'rehearsal'" in line.replace('"', "'") and (match := _NAME.match(line))
    ]


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
