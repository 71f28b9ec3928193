"""botocore's tables (endpoints, service models) are read once in this process, however many sessions moto opens.

moto opens one for each of its services, and each would parse EC2's model of 4 MB again: a second of the start of a rehearsal.
"""

from __future__ import annotations

from functools import cache
from typing import Any

import botocore.loaders
import botocore.session

_loader = cache(botocore.loaders.create_loader)


def _shared(search_path_string: str | None = None) -> Any:
    return _loader(search_path_string)


def share() -> None:
    """From now on. Loaders only ever read, and keep what they have read."""
    for module in (botocore.loaders, botocore.session):
        vars(module)["create_loader"] = _shared
