"""The regions of AWS that botocore knows, by name: to catch a misspelt one before the first call fails to find its host."""

from __future__ import annotations

from functools import cache

import botocore.session

from probes.suggestion import closest


@cache
def known_regions() -> frozenset[str]:
    """Of every partition."""
    session = botocore.session.Session()
    partitions = session.get_available_partitions()
    return frozenset(name for each in partitions for name in session.get_available_regions("ec2", each))


def unknown_region(name: str) -> str:
    """What to say of a region that is not known; empty for one that is. A new one works though it is not known here.

    >>> unknown_region("us-east-1")
    ''
    >>> unknown_region("eu-centrall-1")
    'eu-centrall-1 is no region known here; did you mean eu-central-1?'
    """
    regions = known_regions()
    if name in regions or not name[:1].isalpha():
        return ""
    near = closest(name, regions)
    return f"{name} is no region known here" + (f"; did you mean {near}?" if near else "")
