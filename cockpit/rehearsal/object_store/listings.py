"""The pages of a bucket's lists: its objects, and every version of them."""

from __future__ import annotations

from collections.abc import Mapping
from xml.sax.saxutils import escape

from cockpit.rehearsal.object_store.answers import xml
from cockpit.rehearsal.object_store.shelf import Shelf
from cockpit.rehearsal.object_store.wire import Response


def versions(shelf: Shelf, query: Mapping[str, str]) -> Response:
    """Every version under a prefix, the newest of each key first; the key alone marks where the next page begins."""
    prefix, limit = query.get("prefix", ""), int(query.get("max-keys") or 1000)
    keys = sorted(key for key in shelf.versions if key.startswith(prefix) and key > query.get("key-marker", ""))
    items, shown = "", 0
    for number, key in enumerate(keys):
        if shown >= limit:
            more = (
                f"<NextKeyMarker>{escape(keys[number - 1])}</NextKeyMarker><NextVersionIdMarker>x</NextVersionIdMarker>"
            )
            return xml("ListVersionsResult", f"<IsTruncated>true</IsTruncated>{more}{items}")
        for place, held in enumerate(reversed(shelf.versions[key])):
            kind = "DeleteMarker" if held.deleted else "Version"
            size = "" if held.deleted else f"<Size>{held.size}</Size>"
            items += (
                f"<{kind}><Key>{escape(key)}</Key><VersionId>{held.version}</VersionId>"
                f"<IsLatest>{str(place == 0).lower()}</IsLatest>{size}</{kind}>"
            )
            shown += 1
    return xml("ListVersionsResult", f"<IsTruncated>false</IsTruncated>{items}")


def objects(shelf: Shelf, query: Mapping[str, str]) -> Response:
    prefix, limit = query.get("prefix", ""), int(query.get("max-keys") or 1000)
    after = query.get("continuation-token") or query.get("start-after") or ""
    keys = [key for key in shelf.names(prefix) if key > after]
    shown = [held for key in keys[:limit] if (held := shelf.current(key)) is not None]
    items = "".join(
        f"<Contents><Key>{escape(held.key)}</Key><LastModified>{held.modified:%Y-%m-%dT%H:%M:%S.000Z}</LastModified>"
        f"<ETag>&quot;{held.etag}&quot;</ETag><Size>{held.size}</Size><StorageClass>STANDARD</StorageClass></Contents>"
        for held in shown
    )
    more = len(keys) > limit
    token = f"<NextContinuationToken>{escape(shown[-1].key)}</NextContinuationToken>" if more else ""
    about = f"<Name>{shelf.name}</Name><Prefix>{escape(prefix)}</Prefix><KeyCount>{len(shown)}</KeyCount>"
    return xml("ListBucketResult", f"{about}<IsTruncated>{str(more).lower()}</IsTruncated>{token}{items}")
