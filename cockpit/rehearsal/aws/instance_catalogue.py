"""moto's catalogue of EC2 instance types is not read: half a second of a rehearsal's start, and nobody here starts a machine.

moto parses 60 files of it (which type is offered in which zone of every region) as its EC2 module is imported.
"""

from __future__ import annotations

from typing import Any

import moto.utilities.utils as moto_files

_read: Any = moto_files.load_resource
_CATALOGUE = ("ec2/resources/instance_types.json", "ec2/resources/instance_type_offerings/")


def _without_catalogue(resource: str) -> Any:
    return {} if resource.startswith(_CATALOGUE) else _read(resource)


def leave_out() -> None:
    """From now on: before moto's EC2 is imported."""
    vars(moto_files)["load_resource"] = _without_catalogue
