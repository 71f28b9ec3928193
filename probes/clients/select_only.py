"""SQL a plan may ask for: one statement, and only one that reads. Pure."""

from __future__ import annotations

import re

_QUIET = re.compile(
    r"""'(?:[^']|'')*'            # a string
      | "(?:[^"]|"")*"            # a quoted name
      | \$(\w*)\$.*?\$\1\$        # a dollar-quoted string
      | --[^\n]*                  # a comment
      | /\*.*?\*/""",
    re.VERBOSE | re.DOTALL,
)
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

    The session is read-only as well: this is so that a plan is refused when it is loaded, not in the night.

    >>> check_select("SELECT count(*) FROM t WHERE note = 'drop table';")
    "SELECT count(*) FROM t WHERE note = 'drop table'"
    """
    query = query.strip().removesuffix(";").rstrip()
    bare = _QUIET.sub(lambda match: " " * len(match.group()), query)
    if ";" in bare:
        raise ValueError("only one statement: leave out the ';' and what follows it")
    if not re.match(r"\s*\(*\s*(select|with)\b", bare, re.IGNORECASE):
        raise ValueError("the query must begin with SELECT or WITH")
    if match := _WRITES.search(bare):
        raise ValueError(f"'{match.group()}' does more than read (quote it if it is a name)")
    if match := _OTHER_PLACEHOLDER.search(_PLACEHOLDER.sub("", bare)):
        raise ValueError(f"{match.group()!r} has no value here: there are %(now)s and %(since)s")
    return query


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
