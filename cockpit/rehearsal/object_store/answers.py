"""What an answer of S3 looks like: XML of its namespace, and errors with their codes."""

from __future__ import annotations

from xml.sax.saxutils import escape

from cockpit.rehearsal.object_store.wire import Response

_XML = '<?xml version="1.0" encoding="UTF-8"?>\n'
_NAMESPACE = 'xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'


class Refused(Exception):  # noqa: N818 - it is an answer
    def __init__(self, status: int, code: str, message: str = "") -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message


def xml(root: str, inside: str, headers: dict[str, str] | None = None) -> Response:
    text = f"{_XML}<{root} {_NAMESPACE}>{inside}</{root}>"
    return Response(200, {"content-type": "application/xml", **(headers or {})}, text.encode())


def error(refused: Refused) -> Response:
    text = f"{_XML}<Error><Code>{refused.code}</Code><Message>{escape(refused.message)}</Message></Error>"
    return Response(refused.status, {"content-type": "application/xml"}, text.encode())
