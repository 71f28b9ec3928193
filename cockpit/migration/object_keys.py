"""What an object is called and what it says it is."""

from __future__ import annotations

import mimetypes

OCTETS = "application/octet-stream"
_TYPES = {
    "pdf": "application/pdf",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "doc": "application/msword",
    "txt": "text/plain",
    "pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    "ppt": "application/vnd.ms-powerpoint",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "xls": "application/vnd.ms-excel",
    "csv": "text/csv",
    "md": "text/markdown",
    "json": "application/json",
    "html": "text/html",
    "xml": "application/xml",
    "rtf": "application/rtf",
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "zip": "application/zip",
    "msg": "application/vnd.ms-outlook",
    "eml": "message/rfc822",
}
_SIGNS = (
    (b"%PDF-", "application/pdf"),
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF8", "image/gif"),
    (b"PK\x03\x04", "application/zip"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "application/x-ole-storage"),
    (b"{\\rtf", "application/rtf"),
)


def content_type(file_type: str, name: str, head: bytes) -> tuple[str, bool]:
    """The type to store, and whether it is known: by the file's type, its name's ending, its first bytes, in that order."""
    word = file_type.strip().lower().lstrip(".")
    if word in _TYPES:
        return _TYPES[word], True
    if "/" in word and mimetypes.guess_extension(word):
        return word, True
    ending = name.rpartition(".")[2].lower()
    if ending in _TYPES:
        return _TYPES[ending], True
    for sign, kind in _SIGNS:
        if head.startswith(sign):
            return kind, True
    return OCTETS, False
