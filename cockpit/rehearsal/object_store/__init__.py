"""An S3 that checks its requests: digests, signatures and preconditions are verified, and it breaks on demand.

The servers one can install accept wrong checksums and ignore `If-None-Match`: a test against them proves nothing.
"""

from cockpit.rehearsal.object_store.faults import StoreFault
from cockpit.rehearsal.object_store.server import ObjectStore
from cockpit.rehearsal.object_store.shelf import Shelf, Stored

__all__ = ["ObjectStore", "Shelf", "StoreFault", "Stored"]
