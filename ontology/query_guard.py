"""What a user's query wants, read from its tokens before anything is run.

A tokenizer, not a parser: it knows strings, IRIs and comments (SPARQL 1.1, section 19.8), so a
keyword is told from the same letters inside a literal. That takes linear time on any input; the
grammar itself is checked by the engine, in a process that may die of it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

_TOKEN = re.compile(
    r"""
      (?P<space>\s+|\#[^\n\r]*)
    | (?P<string>\"{3}(?:\"{0,2}(?:[^\"\\]|\\.))*\"{3}
                |'{3}(?:'{0,2}(?:[^'\\]|\\.))*'{3}
                |\"(?:[^\"\\\n\r]|\\.)*\"|'(?:[^'\\\n\r]|\\.)*')
    | (?P<iri><[^<>"{}|^`\\\x00-\x20]*>)
    | (?P<variable>[?$]\w+)
    | (?P<prefixed>[\w.-]*:[\w.:%\\-]*)
    | (?P<language>@[A-Za-z]+(?:-[A-Za-z0-9]+)*)
    | (?P<word>\w+)
    | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_UPDATES = {"INSERT", "DELETE", "LOAD", "CLEAR", "CREATE", "DROP", "COPY", "MOVE", "ADD", "WITH"}
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


@dataclass(frozen=True, slots=True)
class Token:
    """One token of a query: its kind is the name of a group above, and never space."""

    kind: str
    text: str
    offset: int


def examine(query: str) -> QueryForm:
    """The query's form; QueryRefused where it would write, reach the network, or nest too deep."""
    form: QueryForm | None = None
    depth = 0
    for token in tokens(query):
        depth += (token.text in "{(") - (token.text in "})") if token.kind == "sign" else 0
        if depth > MAX_NESTING:
            raise _refusal(query, token, f"it nests deeper than {MAX_NESTING} levels")
        if token.kind == "word":
            form = form or _form_of(query, token)
            if token.text.upper() == "SERVICE":
                detail = "SERVICE reaches another server, which is not allowed here"
                raise _refusal(query, token, detail)
    if form is None:
        raise QueryRefused("the query has no SELECT, ASK, CONSTRUCT or DESCRIBE")
    return form


def names_dataset(query: str) -> bool:
    """Whether the query says itself, by FROM, which graphs it is about (SPARQL 1.1, 13.2)."""
    return any(t.kind == "word" and t.text.upper() == "FROM" for t in tokens(query))


def tokens(query: str) -> Iterator[Token]:
    """The query's tokens in order, without spaces and comments."""
    for match in _TOKEN.finditer(query):
        kind = match.lastgroup or "sign"
        if kind != "space":
            yield Token(kind, match.group(), match.start())


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
