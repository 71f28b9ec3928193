"""Secrets known by their value: remembered where they enter, hidden wherever they come out.

The rule, in one sentence: every value from the environment, Secrets Manager, a connection string or `--var` is hidden, unless
it is shorter than six characters, has the form of an AWS account id or region, or is public (`is_public`).
A short word of letters alone is hidden where it stands alone, not inside other words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from probes.display_text import visible

HIDDEN = "***"
SHORTEST = 6
"""Characters. What is shorter turns up by chance all over a screen, and hides nothing for long."""
_SHORT_LINE = 16
"""A line of a longer secret (a PEM file) is hidden by itself from this length on."""
_WORD = re.compile(r"[A-Za-z]{1,11}")
_PUBLIC_FORM = re.compile(r"\d{12}|[a-z]{2}(-[a-z]{2,12}){1,3}-\d|\**|true|false|-?[\d.]{1,7}", re.IGNORECASE)
_PLAN_WORD = re.compile(r"[^\s\"'{}\[\],]+")
_PASSWORD = re.compile(r"\b(?:ssl)?password\s*=\s*(?:'((?:[^'\\]|\\.)*)'|([^\s&]+))", re.IGNORECASE)
_SECRET_NAME = re.compile(
    r"pass|pwd|secret|token|key|credential|webhook|dsn|auth|cookie|session|database_url|cert", re.IGNORECASE
)
_NAME_PART = re.compile(r"[a-z]+|\d{1,12}|[a-z]+\d{1,3}|[a-z]\d|[0-9a-f]{8,17}")
_DIGEST = re.compile(r"@?sha256:[0-9a-f]{64}\Z")
_BETWEEN = re.compile(r"[-_./:@ ]+")
_OF_BASE64 = "[A-Za-z0-9+/_-]?"
_PUBLIC_KEYS = frozenset(
    {"engine", "port", "host", "dbname", "username", "dbinstanceidentifier", "dbclusteridentifier"}
)
"""Beside the password in the JSON of a database's secret."""


class KnownSecrets:
    """The secrets of this process, and how each may look. Not thread-safe to write; reading is."""

    def __init__(self) -> None:
        self._values: set[str] = set()
        self._forms: tuple[tuple[str, re.Pattern[str] | None], ...] = ()
        self.revision = 0
        """Another number once there is another to hide: what was made safe before may not be any more."""

    def remember(self, value: str, *, public: Iterable[str] = ()) -> None:
        """Hide this from now on, with the password in it and each long line of it; `public` are words that are no secret."""
        held = frozenset(public)
        found = {part for part in _parts(value) if _counts(part) and part not in held} - self._values
        if found:
            self._values |= found
            forms = {*self._forms, *(form for each in found for form in _forms_of(each))}
            self._forms = tuple(sorted(forms, key=lambda form: (-len(form[0]), form[0])))
            self.revision += 1

    def remember_json(self, value: str) -> None:
        """The same, and for JSON every text in it that is not the address of a database."""
        import json

        self.remember(value)
        try:
            held = json.loads(value)
        except (ValueError, RecursionError):
            return
        for leaf in _leaves(held):
            self.remember(leaf)

    def hide(self, text: str) -> str:
        """The text without them, in every form."""
        for form, pattern in self._forms:
            if form in text:
                text = text.replace(form, HIDDEN) if pattern is None else pattern.sub(HIDDEN, text)
        return text

    def forget_all(self) -> None:
        """Nothing is known any more; for tests."""
        self._values, self._forms = set(), ()
        self.revision += 1


KNOWN = KnownSecrets()
"""Of this process."""
remember, remember_json, hide = KNOWN.remember, KNOWN.remember_json, KNOWN.hide


def words_of(plan_text: str) -> frozenset[str]:
    """What a plan file says in so many words: whoever has the plan has read it."""
    return frozenset(_PLAN_WORD.findall(plan_text))


def is_public(name: str, value: str, declared: object) -> bool:
    """Whether a `--var` is plainly no secret.

    It is not when the plan declares the var with a value of its own, neither the var's name says secret nor its value has
    a password in it, and the value is a name: words and numbers between separators, no long mix of both, or a digest.
    """
    if not isinstance(declared, str) or not declared or "${env:" in declared or _SECRET_NAME.search(name):
        return not isinstance(declared, str)
    bare = _DIGEST.sub("", value.removeprefix("https://").removeprefix("http://").removesuffix("/"))
    if "://" in bare or ("@" in bare and not _DIGEST.search(value)):
        return False
    return all(_NAME_PART.fullmatch(part) for part in _BETWEEN.split(bare) if part)


def _counts(value: str) -> bool:
    return len(value) >= SHORTEST and not _PUBLIC_FORM.fullmatch(value)


def _parts(value: str) -> Iterator[str]:
    """The value, without the line end of a paste, and what in it is secret by itself."""
    from urllib.parse import unquote

    bare = value.strip()
    yield bare
    scheme, separator, rest = bare.partition("://")
    if separator and "@" in rest and " " not in scheme:
        _, colon, password = rest.rpartition("@")[0].partition(":")
        if colon:
            yield from (password, unquote(password))
    for quoted, plain in _PASSWORD.findall(bare):
        yield from (quoted or plain, unquote(quoted or plain))
    lines = [line.strip() for line in bare.splitlines()]
    if len(lines) > 1:
        yield from (line for line in lines if len(line) >= _SHORT_LINE and not line.startswith("-----"))


def _leaves(held: object) -> Iterator[str]:
    left: list[tuple[str, object]] = [("", held)]
    while left:
        name, value = left.pop()
        if isinstance(value, Mapping):
            left += [(str(key), each) for key, each in value.items()]
        elif isinstance(value, list):
            left += [(name, each) for each in value]
        elif isinstance(value, str) and name.lower() not in _PUBLIC_KEYS:
            yield value


def _forms_of(value: str) -> Iterator[tuple[str, re.Pattern[str] | None]]:
    """How others write it: escaped for URLs, JSON, HTML, shells, SQL, Python or a screen; inside base64; as hex."""
    import html
    import json
    from urllib.parse import quote, quote_plus

    if _WORD.fullmatch(value):
        yield value, re.compile(rf"(?<![A-Za-z0-9]){value}(?![A-Za-z0-9])")
    else:
        yield value, None
        quoted = [quote(value, safe=safe, errors="surrogatepass") for safe in ("", "/", "!'()*~")]
        quoted += [quote_plus(value, errors="surrogatepass")]
        escaped = (json.dumps(value)[1:-1], json.dumps(value, ensure_ascii=False)[1:-1], repr(value)[1:-1])
        twice = (json.dumps(each)[1:-1] for each in escaped[:2])
        others = (
            value.replace("'", "''"), value.replace("'", "'\"'\"'"), value.replace("\\", "\\\\"), visible(value),
            visible(value, keep=""), html.escape(value), html.escape(value, quote=False), " ".join(value.split()),
        )  # fmt: skip
        lower = (re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), each) for each in quoted)
        for form in {*quoted, *lower, *escaped, *twice, *others} - {value}:
            yield form, None
    data = value.encode("utf-8", "surrogatepass")
    yield from ((form, None) for form in {data.hex(), data.hex().upper()})
    encoded = {value, *escaped} if not _WORD.fullmatch(value) else {value}
    for core in {core for each in encoded for core in _base64_cores(each.encode("utf-8", "surrogatepass"))}:
        yield core, re.compile(f"{_OF_BASE64}{re.escape(core)}{_OF_BASE64}={{0,2}}")


def _base64_cores(data: bytes) -> set[str]:
    """The characters of base64 that depend on nothing but `data`, for each of the three places it may begin at."""
    from base64 import b64encode, urlsafe_b64encode

    cores = set()
    for before in range(3):
        first, end = -(-before * 8 // 6), (before + len(data)) * 8 // 6
        for encode in (b64encode, urlsafe_b64encode):
            cores.add(encode(bytes(before) + data).decode()[first:end])
    return cores
