"""What a user's query wants, read from its tokens before anything is run.

A tokenizer, not a parser: it knows strings, IRIs and comments (SPARQL 1.1, section 19.8), so a
keyword is told from the same letters inside a literal. That takes linear time on any input; the
grammar itself is checked by the engine, in a process that may die of it.

Engines that read letter by letter find a keyword in the middle of what is one word here: to them
`1SERVICE<…>` and `SERVICEex:a {` are calls of another server. So these are refused too. What is an
IRI here may be a comparison there, as in `FILTER(?a<'>')`, and what follows is then told apart
otherwise: beside such a one nothing counts as hidden in a string or a comment.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from enum import StrEnum
from typing import NamedTuple

# Each quantifier that could give something back is possessive, and what does not close is one
# token: a text that a failed attempt has read is not read again.
_TOKEN = re.compile(
    r"""
      (?P<space>\s++|\#[^\n\r]*+)
    | (?P<string>\"{3}(?:\"{0,2}(?:[^\"\\]|\\.))*+\"{3}
                |'{3}(?:'{0,2}(?:[^'\\]|\\.))*+'{3}
                |\"(?:[^\"\\\n\r]|\\.)*+\"|'(?:[^'\\\n\r]|\\.)*+')
    | (?P<unclosed>\"(?:[^\"\\\n\r]|\\.)*+|'(?:[^'\\\n\r]|\\.)*+)
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*+>)
    | (?P<variable>[?$]\w++)
    | (?P<language>@[A-Za-z]++(?:-[A-Za-z0-9]++)*+)
    | (?P<name>(?P<before>[\w.-]*+)(?P<colon>:)?+
                (?(colon)(?:(?:[\w:%]|\\.)(?:[\w.:%-]|\\.)*+)?+|(?<=[\w.-])))
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_WORD_OR_SIGN = re.compile(r"\w+|[.-]")
_ESCAPED = re.compile(r"\\u([0-9A-Fa-f]{4})|\\U([0-9A-Fa-f]{8})")
_UPDATES = {"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"}
_BEFORE_A_GRAPH = {"GRAPH", "FROM", "NAMED"}
_DEEPER, _HIGHER = frozenset("{(["), frozenset("})]")
_STEPS = {"BIND", "FILTER", "MINUS", "OPTIONAL", "UNION", "VALUES", "EXISTS", "GRAPH"}
_STEP_SIGNS = frozenset("!|&*/^+-.;,")
_PLAIN = {"word", "prefixed", "variable", "iri"}
MAX_NESTING = 200


class QueryForm(StrEnum):
    """The four forms of a query, and with them the kind of its answer."""

    SELECT = "SELECT"
    ASK = "ASK"
    CONSTRUCT = "CONSTRUCT"
    DESCRIBE = "DESCRIBE"

    @property
    def gives_graph(self) -> bool:
        """Whether the answer is a graph rather than a table or a yes."""
        return self in {QueryForm.CONSTRUCT, QueryForm.DESCRIBE}


class QueryRefused(Exception):
    """A query that this endpoint does not run; the text says which part, and why."""

    def __init__(self, detail: str, line: int | None = None, column: int | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        self.line = line
        self.column = column


class Token(NamedTuple):
    """One token of a query.

    Its kind is string, unclosed, iri, variable, language, prefixed, word or sign.
    """

    kind: str
    text: str
    offset: int


def examine(query: str) -> QueryForm:
    """The query's form; QueryRefused where it would write, reach the network, or nest too deep.

    Code point escapes come before the grammar (section 19.2), but not in every engine: the query is
    read both ways where it has any.
    """
    form = _examine(query)
    plain = unescaped(query)
    return form if plain == query and form else _settled(form, _examine(plain))


def _settled(form: QueryForm | None, plain: QueryForm | None) -> QueryForm:
    if settled := form or plain:
        return settled
    raise QueryRefused("the query has no SELECT, ASK, CONSTRUCT or DESCRIBE")


def _examine(query: str) -> QueryForm | None:
    if sum(map(query.count, _DEEPER)) > MAX_NESTING:
        _refuse_depth(query)
    if "SERVICE" in query.upper():
        _refuse_service(query)
        _refuse_hidden_service(query)
    for token in tokens(query):
        if token.kind == "word" and (form := _form_of(query, token)):
            return form
    return None


def refuse_many_steps(query: str, most: int) -> None:
    """QueryRefused for a query of more than `most` operators, patterns and clauses.

    A long chain of them is a deep tree to an engine, which it may die of; where that is somebody
    else's server and no process of ours, it must not come to that.
    """
    steps = 0
    for token in tokens(query):
        steps += token.text in _STEP_SIGNS if token.kind == "sign" else token.text.upper() in _STEPS
        if steps > most:
            detail = f"it has more than {most:,} operators, patterns and clauses"
            raise _refusal(query, token, detail)


def _refuse_depth(query: str) -> None:
    depth = 0
    for token in tokens(query):
        if _is_doubtful(token):
            detail = f"it may nest deeper than {MAX_NESTING} levels, by how one reads this"
            raise _refusal(query, token, detail)
        if token.kind == "sign":
            depth += (token.text in _DEEPER) - (token.text in _HIGHER)
            if depth > MAX_NESTING:
                raise _refusal(query, token, f"it nests deeper than {MAX_NESTING} levels")


def _refuse_hidden_service(query: str) -> None:
    """Refuse a SERVICE in a string or a comment that may begin elsewhere to an engine."""
    found = list(tokens(query))
    doubtful = [t for t in found if _is_doubtful(t)]
    if doubtful:
        certain = [t for t in found if t.kind in _PLAIN and not _may_end_a_filter(t)]
        seen = sum(token.text.upper().count("SERVICE") for token in certain)
        if query.upper().count("SERVICE") > seen:
            detail = "beside this, which may be an IRI or a comparison, no text may say SERVICE"
            raise _refusal(query, doubtful[0], detail)


def _is_doubtful(token: Token) -> bool:
    """Whether `<…>` could be a comparison: then a quote opens a string in it, a hash a comment.

    No expression has two slashes in a row, so before a hash they tell that it is an IRI.
    """
    if token.kind != "iri":
        return False
    before, has_hash, _ = token.text.partition("#")
    return "'" in token.text or ")" in token.text or (bool(has_hash) and "//" not in before)


def _may_end_a_filter(token: Token) -> bool:
    """Whether a comparison in `<…>` would end in it, so that a keyword could follow."""
    return token.kind == "iri" and ")" in token.text


def _refuse_service(query: str) -> None:
    found, nothing = list(tokens(query)), Token("sign", "", 0)
    for before, token, after in zip([nothing, *found], found, [*found[1:], nothing], strict=False):
        if _calls_service(before, token, after):
            detail = "SERVICE reaches another server, which is not allowed here"
            raise _refusal(query, token, detail)


def _calls_service(before: Token, token: Token, after: Token) -> bool:
    """Whether any engine could read a SERVICE in this token.

    A name such as service:a is one only where a group follows, and no keyword explains that.
    """
    if token.kind == "word":
        return "SERVICE" in token.text.upper()
    return (
        token.kind == "prefixed"
        and after.text == "{"
        and "SERVICE" in token.text.partition(":")[0].upper()
        and not (before.kind == "word" and before.text.upper() in _BEFORE_A_GRAPH)
    )


def tokens(query: str) -> Iterator[Token]:
    """The query's tokens in order, without spaces and comments."""
    for match in _TOKEN.finditer(query):
        kind = "name" if match["name"] is not None else match.lastgroup or "sign"
        if kind == "name":
            yield from _name(match)
        elif kind != "space":
            yield Token(kind, match.group(), match.start())


def _name(match: re.Match[str]) -> Iterator[Token]:
    """A prefixed name; or words, between which dots and signs may stand as in `1.FILTER`."""
    if match["colon"]:
        yield Token("prefixed", match.group(), match.start())
        return
    for part in _WORD_OR_SIGN.finditer(match.group()):
        kind = "sign" if part.group() in ".-" else "word"
        yield Token(kind, part.group(), match.start() + part.start())


def unescaped(query: str) -> str:
    """The query with its code point escapes replaced (section 19.2)."""
    return _ESCAPED.sub(lambda match: _character(int(match[1] or match[2], 16), match[0]), query)


def _character(point: int, escape: str) -> str:
    return chr(point) if point <= 0x10FFFF else escape


def _form_of(query: str, token: Token) -> QueryForm | None:
    word = token.text.upper()
    if word in _UPDATES:
        raise _refusal(query, token, f"{word} is an update, and this endpoint only reads")
    return QueryForm(word) if word in QueryForm.__members__ else None


def _refusal(query: str, token: Token, detail: str) -> QueryRefused:
    line, column = position(query, token.offset)
    return QueryRefused(detail, line, column)


def position(text: str, offset: int) -> tuple[int, int]:
    """Line and column of an offset, both from 1."""
    before = text[:offset]
    return before.count("\n") + 1, offset - (before.rfind("\n") + 1) + 1
