"""SQL a plan may ask for: one statement, and only one that reads. A first hint from the text; the wall is the server's. Pure."""

from __future__ import annotations

import re

_OPENS = re.compile(
    r"""(?P<escaped>[eE]')          # a string with backslash escapes
      | (?P<numbered>[uU]&(?="))    # a name by the numbers of its characters
      | (?P<word>[A-Za-z_\u0080-\U0010ffff][\w$\u0080-\U0010ffff]*)  # a $ within it opens nothing
      | (?P<string>')
      | (?P<name>")
      | (?P<dollar>\$(?:[A-Za-z_\u0080-\U0010ffff][\w\u0080-\U0010ffff]*)?\$)
      | (?P<line>--)
      | (?P<comment>/\*)""",
    re.VERBOSE,
)
_ESCAPED = r"(?:[^'\\]|\\.|'')*+'"
_GOES_ON = r"(?:[ \t\f\v]|--[^\n\r]*)*+[\n\r](?:\s|--[^\n\r]*[\n\r])*+'"
"""A string goes on after a line's end, and its backslashes with it."""
_ENDS = {
    "escaped": re.compile(rf"{_ESCAPED}(?:{_GOES_ON}{_ESCAPED})*+", re.DOTALL),
    "string": re.compile(r"(?:[^']|'')*+'", re.DOTALL),
    "name": re.compile(r'(?:[^"]|"")*+"', re.DOTALL),
    "line": re.compile(r"[^\n\r]*"),
}
_COMMENT_MARK = re.compile(r"/\*|\*/")
_WRITES = re.compile(
    r"\b(insert|update|delete|merge|truncate|create|alter|drop|grant|revoke|copy|call|do|vacuum|lock|set|reset|listen|notify"
    r"|prepare|execute|into|for\s+(?:no\s+key\s+)?(?:update|share|key\s+share)"
    r"|pg_terminate_backend|pg_cancel_backend|pg_sleep\w*|set_config|nextval|setval|pg_advisory\w*|pg_reload_conf"
    r"|pg_read_\w+|pg_ls_\w+|lo_\w+|dblink\w*)\b",
    re.IGNORECASE,
)
_PLACEHOLDER = re.compile(r"%\((now|since)\)s")
_OTHER_PLACEHOLDER = re.compile(r"%\(\w*\)?s?|%s")


def check_select(query: str) -> str:
    """The query without its last semicolon. Raises ValueError, saying why, if it is anything but one SELECT.

    The server is asked in a read-only transaction (`SqlClient`): this is so that a plan is refused when it is loaded.

    >>> check_select("SELECT count(*) FROM t WHERE note = 'drop table';")
    "SELECT count(*) FROM t WHERE note = 'drop table'"
    """
    query = query.strip().removesuffix(";").rstrip()
    bare = without_quoted(query)
    if ";" in bare:
        raise ValueError("only one statement: leave out the ';' and what follows it")
    if not re.match(r"\s*\(*\s*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("the query must begin with SELECT or WITH")
    if match := _WRITES.search(bare):
        raise ValueError(f"'{match.group()}' does more than read (quote it if it is a name)")
    if match := _OTHER_PLACEHOLDER.search(_PLACEHOLDER.sub("", bare)):
        raise ValueError(f"{match.group()!r} has no value here: there are %(now)s and %(since)s")
    return query


def without_quoted(query: str, *, names: bool = False) -> str:
    """The query with blanks for strings, comments and, unless `names`, quoted names. ValueError for what is opened and never
    closed, and for a name written by the numbers of its characters.

    >>> without_quoted("SELECT $a$;$a$, E'\\\\';' /* /* */ ; */")
    'SELECT        ,                     '
    """
    kept, at = [], 0
    while match := _OPENS.search(query, at):
        if match.lastgroup == "word":
            kept.append(query[at : match.end()])
            at = match.end()
            continue
        kept.append(query[at : match.start()])
        if match.lastgroup == "numbered":
            raise ValueError(f"write the name after {match.group()} without it, by its characters")
        at = _end_of(query, match)
        quoted = query[match.start() : at]
        kept.append(quoted if names and match.lastgroup == "name" else " " * len(quoted))
    return "".join((*kept, query[at:]))


def _end_of(query: str, opened: re.Match[str]) -> int:
    """Where what was opened ends. PostgreSQL's comments nest."""
    kind = str(opened.lastgroup)
    if kind == "dollar":
        end = query.find(opened.group(), opened.end())
        if end >= 0:
            return end + len(opened.group())
    elif kind == "comment":
        depth = 1
        for mark in _COMMENT_MARK.finditer(query, opened.end()):
            depth += 1 if mark.group() == "/*" else -1
            if depth == 0:
                return mark.end()
    elif ended := _ENDS[kind].match(query, opened.end()):
        return ended.end()
    raise ValueError(f"{opened.group()} is never closed")


def positional(query: str) -> tuple[str, tuple[str, ...]]:
    """The query with `%s` for each named time, and their names in order; other percent signs stay what they are.

    >>> positional("SELECT 1 WHERE x LIKE 'a%' AND t > %(since)s")
    ("SELECT 1 WHERE x LIKE 'a%%' AND t > %s", ('since',))
    >>> positional("SELECT 1 WHERE x LIKE 'a%'")
    ("SELECT 1 WHERE x LIKE 'a%'", ())
    """
    names = tuple(match.group(1) for match in _PLACEHOLDER.finditer(query))
    if not names:
        return query, ()
    between = _PLACEHOLDER.split(query)[::2]
    return "%s".join(part.replace("%", "%%") for part in between), names
