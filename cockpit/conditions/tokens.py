"""The words of a condition, and its terms: what CEL's own parser does not report.

Only a small CEL is allowed: fields, plain literals, comparisons, + - *, && || !, `in`, a few functions and one comprehension.
Everything refused here could read something unknown as true or false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise

from probes.frozen import frozen

FUNCTIONS = frozenset({"size", "int", "double", "string", "timestamp", "duration"})
COMPREHENSIONS = frozenset({"all", "exists", "exists_one", "map", "filter"})
_ORDERINGS = frozenset({"<", "<=", ">", ">="})
COMPARISONS = _ORDERINGS | {"==", "!=", "in"}
_RESERVED = frozenset({"true", "false", "null", "in"})
_OPENS = frozenset("([{")
_CLOSES = frozenset(")]}")

_TOKEN = re.compile(
    r"""
    (?P<string>[rRbB]{0,2}(?:'''.*?'''|\"\"\".*?\"\"\"|'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))
  | (?P<number>0[xX][0-9a-fA-F]+u?|\d+(?:\.\d+)?(?:[eE][+-]?\d+)?u?)
  | (?P<name>[A-Za-z_][A-Za-z0-9_]*)
  | (?P<mark>&&|\|\||===|!==|==|!=|<>|<=|>=|\S)
    """,
    re.VERBOSE | re.DOTALL,
)

_REFUSED_CALLS = {
    "has": "has() reads an unknown value as false: name the field itself instead",
    "matches": "matches() is refused: compare with == or use contains()",
}
_REFUSED_MARKS = {
    "/": "'/' is refused: dividing by zero is no error in CEL; use a ratio probe, which knows its denominator",
    "%": "'%' is refused: dividing by zero is no error in CEL; use a ratio probe, which knows its denominator",
    "?": "? is refused: a choice would hide an unknown value; use && and ||",
    "{": "{ is refused: a condition compares fields of probes",
    "=": "'=' compares nothing: write ==",
    "===": "'===' is not known here: write ==",
    "!==": "'!==' is not known here: write !=",
    "<>": "'<>' is not known here: write !=",
    "\u2265": "'\u2265' is not known here: write >=",
    "\u2264": "'\u2264' is not known here: write <=",
    "\u2260": "'\u2260' is not known here: write !=",
    "&": "'&' joins nothing: write &&",
    "|": "'|' joins nothing: write ||",
}
_WRITTEN = {
    "and": "&&",
    "or": "||",
    "not": "!",
    "is": "==",
    "true": "true",
    "yes": "true",
    "false": "false",
    "no": "false",
    "none": "null",
}
"""Words of other languages, in lower case, and how a condition writes them."""
_PROSE = "is a sentence, not a condition: write probe.field and what it must be; what people see for themselves is a sign_off"
_PRINTED = frozenset("\u201c\u201d\u201e\u2018\u2019\u201a\u00ab\u00bb")
_UNITS = frozenset({"ms", "s", "sec", "m", "min", "h", "d", "kb", "mb", "gb", "kib", "mib", "gib"})


@frozen
class Token:
    """One word of the source; `kind` is string, number, name or mark."""

    kind: str
    text: str
    start: int

    @property
    def end(self) -> int:
        return self.start + len(self.text)


@frozen
class Refusal:
    """Why a word cannot be used."""

    message: str
    token: Token


def tokenize(source: str) -> tuple[Token, ...]:
    """
    >>> [token.text for token in tokenize("a.b >= 'x' && !c.d")]
    ['a', '.', 'b', '>=', "'x'", '&&', '!', 'c', '.', 'd']
    """
    return tuple(Token(str(match.lastgroup), match.group(), match.start()) for match in _TOKEN.finditer(source))


def bound_names(words: Sequence[Token]) -> frozenset[str]:
    """Variables of comprehensions: `t` of `tags.names.exists(t, t == 'a')`."""
    found = set()
    for at, word in enumerate(words):
        if word.text in COMPREHENSIONS and _text(words, at - 1) == "." and _text(words, at + 1) == "(":
            found.add(_text(words, at + 2))
    return frozenset(found)


def paths(words: Sequence[Token]) -> Iterator[tuple[Token, Token]]:
    """Every `probe.field` read, as the two words, in the order written."""
    bound = bound_names(words)
    for at in _roots(words, bound):
        if _is_path(words, at):
            yield words[at], words[at + 2]


def refusals(words: Sequence[Token]) -> Iterator[Refusal]:
    """Everything that is CEL but not allowed here, in the order written."""
    if is_prose(words):
        yield Refusal(_PROSE, words[0])
        return
    if printed := [word for word in words if word.text in _PRINTED]:
        yield Refusal(f"{printed[0].text} is a quotation mark for print: write ' or \"", printed[0])
        return
    bound = bound_names(words)
    for at, word in enumerate(words):
        if word.text == "," and (meant := _with_comma(words, at)):
            yield Refusal(f"a comma is no part of a number: write {meant}", word)
        elif word.kind == "mark" and word.text in _REFUSED_MARKS:
            yield Refusal(_percentage(words, at) or _REFUSED_MARKS[word.text], word)
        elif word.kind == "string" and (word.text[0] not in "'\"" or word.text[:3] in ("'''", '"""')):
            yield Refusal("write text in plain quotes: 'text'", word)
        elif word.kind == "name":
            yield from _refused_name(words, at)
    for at in _roots(words, bound):
        if not _is_path(words, at) and _text(words, at + 1) != "(":
            yield Refusal(_unit(words, at) or _foreign(words[at].text), words[at])
    comprehensions = [w for at, w in enumerate(words) if w.text in COMPREHENSIONS and _text(words, at + 1) == "("]
    for term in terms(words):
        yield from _chained(term)
    if len(comprehensions) > 1:
        why = "at most one of all(), exists(), map(), filter() in a condition: nested ones can take minutes"
        yield Refusal(why, comprehensions[1])


def is_prose(words: Sequence[Token]) -> bool:
    """Whether it is a sentence for people: words side by side, and nothing that compares or joins.

    >>> [is_prose(tokenize(each)) for each in ("seven days at least", "a.b and c.d", "a.b == 5 minutes now")]
    [True, False, False]
    """
    if any(word.text in COMPARISONS | {"&&", "||", "!", "(", "=", "%"} for word in words):
        return False
    plain = [word.kind == "name" and word.text.lower() not in _WRITTEN for word in words]
    return any(one and other for one, other in pairwise(plain))


def _foreign(name: str) -> str:
    written = _WRITTEN.get(name.lower())
    return f"'{name}' is not known here: write {written}" if written else f"'{name}' is not a field: write probe.field"


def _chained(term: Sequence[Token]) -> Iterator[Refusal]:
    """`0.1 < x < 0.5`, which compares the outcome of the first comparison with the second limit."""
    first, *more = _outermost(term, _ORDERINGS) or [-1]
    if more:
        low, value, high = (_text_of(term[:first]), _text_of(term[first + 1 : more[0]]), _text_of(term[more[0] + 1 :]))
        both = f"{low} {term[first].text} {value} && {value} {term[more[0]].text} {high}"
        yield Refusal(f"compares twice in a row: write {both}", term[more[0]])


def _outermost(term: Sequence[Token], marks: frozenset[str]) -> list[int]:
    """Where these marks stand in a term, outside of all brackets."""
    depth, found = 0, []
    for at, word in enumerate(term):
        depth += (word.text in _OPENS) - (word.text in _CLOSES)
        if depth == 0 and word.kind == "mark" and word.text in marks:
            found.append(at)
    return found


def _text_of(words: Sequence[Token]) -> str:
    """The words with the spaces they were written with, as one space each."""
    gaps = [" " if before.end < word.start else "" for before, word in pairwise(words)]
    return "".join(gap + word.text for gap, word in zip(["", *gaps], words, strict=True)) if words else ""


def _with_comma(words: Sequence[Token], at: int) -> str:
    """What to write for `1,000` and `0,05`; empty where a comma parts the entries of a list, or the arguments of a function.

    >>> words = tokenize("a.b < 1,000"), tokenize("a.b > 0,05"), tokenize("a.b in [1,2]")
    >>> [_with_comma(each, 5) for each in words]
    ['1000', '0.05', '']
    """
    opened: list[bool] = []
    for index, word in enumerate(words[:at]):
        if word.text in _OPENS:  # a bracket that commas can stand in: of a list, or of a function's arguments
            opened.append(word.text != "(" or (index > 0 and words[index - 1].kind == "name"))
        elif word.text in _CLOSES and opened:
            opened.pop()
    before, after = words[at - 1 : at], words[at + 1 : at + 2]
    if any(opened) or not (before and after and before[0].text.isdigit() and after[0].text.isdigit()):
        return ""
    if before[0].end != words[at].start or words[at].end != after[0].start:
        return ""
    of_thousands = len(after[0].text) == 3 and before[0].text != "0"
    return f"{before[0].text}{'' if of_thousands else '.'}{after[0].text}"


def _percentage(words: Sequence[Token], at: int) -> str:
    """What to write for `5%` and `5 %`; empty where % divides."""
    number = _number(words[at - 1]) if at else ""
    following = words[at + 1] if at + 1 < len(words) else None
    if not number or (following is not None and (following.kind in ("number", "name") or following.text == "(")):
        return ""
    return f"a percentage is a ratio: write {float(number) / 100:g}"


def _unit(words: Sequence[Token], at: int) -> str:
    """What to write for `200ms`; empty where the name is no unit of the number before it."""
    number, unit = _before(words, at), words[at].text
    return (
        f"a number has no unit here: the field's own is in its description; write {number}"
        if (number and unit.lower() in _UNITS)
        else ""
    )


def _before(words: Sequence[Token], at: int) -> str:
    """The decimal number directly before a word."""
    return _number(words[at - 1]) if at and words[at - 1].end == words[at].start else ""


def _number(word: Token) -> str:
    """A decimal number as it is written; empty for any other word."""
    return word.text if word.kind == "number" and word.text.replace(".", "", 1).isdigit() else ""


def _refused_name(words: Sequence[Token], at: int) -> Iterator[Refusal]:
    word, member, called = words[at], _text(words, at - 1) == ".", _text(words, at + 1) == "("
    if word.text == "null" and not member:
        yield Refusal("null never occurs in a reading: an absent value is unknown", word)
    elif called and word.text in _REFUSED_CALLS:
        yield Refusal(_REFUSED_CALLS[word.text], word)
    elif called and not member and word.text not in FUNCTIONS and word.text != "in":
        allowed = ", ".join(f"{name}()" for name in sorted(FUNCTIONS))
        yield Refusal(f"there is no function {word.text}() in conditions; there are {allowed}", word)


def _roots(words: Sequence[Token], bound: frozenset[str]) -> Iterator[int]:
    """Names that stand for a probe: not a member of something, not a keyword, not a comprehension's variable."""
    for at, word in enumerate(words):
        if word.kind == "name" and word.text not in _RESERVED | bound and _text(words, at - 1) != ".":
            yield at


def _is_path(words: Sequence[Token], at: int) -> bool:
    field = words[at + 2] if at + 2 < len(words) else None
    return _text(words, at + 1) == "." and field is not None and field.kind == "name" and _text(words, at + 3) != "("


def _text(words: Sequence[Token], at: int) -> str:
    return words[at].text if 0 <= at < len(words) else ""


# -- terms -----------------------------------------------------------------------------------------------------------


def terms(words: Sequence[Token]) -> Iterator[Sequence[Token]]:
    """The operands of && and || and !, without the brackets around them.

    >>> [[w.text for w in term] for term in terms(tokenize("!(a.b || c.d > 1) && e.f"))]
    [['a', '.', 'b'], ['c', '.', 'd', '>', '1'], ['e', '.', 'f']]
    """
    for operator in ("||", "&&"):
        parts = split(words, operator)
        if len(parts) > 1:
            for part in parts:
                yield from terms(part)
            return
    if words and words[0].text == "!":
        yield from terms(words[1:])
    elif words and words[0].text == "(" and closing(words, 0) == len(words) - 1:
        yield from terms(words[1:-1])
    else:
        yield words


def comparison(term: Sequence[Token]) -> tuple[Sequence[Token], str, Sequence[Token]] | None:
    """Left side, operator and right side of a term that compares."""
    depth = 0
    for at, word in enumerate(term):
        depth += (word.text in _OPENS) - (word.text in _CLOSES)
        if depth == 0 and word.kind != "string" and word.text in COMPARISONS and 0 < at < len(term) - 1:
            return term[:at], word.text, term[at + 1 :]
    return None


def split(words: Sequence[Token], operator: str) -> list[Sequence[Token]]:
    parts, depth, begin = [], 0, 0
    for at, word in enumerate(words):
        depth += (word.text in _OPENS) - (word.text in _CLOSES)
        if depth == 0 and word.text == operator:
            parts.append(words[begin:at])
            begin = at + 1
    return [*parts, words[begin:]]


def closing(words: Sequence[Token], at: int) -> int:
    depth = 0
    for index in range(at, len(words)):
        depth += (words[index].text in _OPENS) - (words[index].text in _CLOSES)
        if depth == 0:
            return index
    return -1
