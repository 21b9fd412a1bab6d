"""Competency questions: SPARQL files that say their question and name their parameters.

A parameter is written `$name` in its file, so each file is a legal query as it stands and then
answers for everything; binding puts a term in the parameter's place.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pyoxigraph as ox

QUERIES = Path(__file__).with_name("queries")

_PARAMETER_LINE = re.compile(r"# \$(\w+): (.+)")
_PARAMETER = re.compile(r"\$(\w+)")


@dataclass(frozen=True, slots=True)
class Question:
    """One file: what it asks, what must be given, and the query with its parameters unbound."""

    name: str
    question: str
    parameters: Mapping[str, str]
    query: str

    @property
    def text(self) -> str:
        """The query under its question and the meaning of its parameters, as comments."""
        head = [f"# {self.question}"]
        head += [f"# ${name}: {meaning}" for name, meaning in self.parameters.items()]
        return "\n".join([*head, self.query])

    def bind(self, **terms: ox.NamedNode | ox.Literal) -> str:
        """The query with every parameter replaced by a term; ValueError if one is not given."""
        missing = sorted(set(self.parameters) - set(terms))
        if missing:
            raise ValueError(f"{self.name} needs {', '.join(missing)}")
        return _PARAMETER.sub(lambda match: str(terms.get(match[1], match[0])), self.query)


def question(name: str) -> Question:
    """The question in `queries/NAME.rq`; FileNotFoundError where there is none."""
    lines = (QUERIES / f"{name}.rq").read_text().splitlines()
    head = [line for line in lines if line.startswith("# ")]
    matches = [match for line in head if (match := _PARAMETER_LINE.match(line))]
    parameters: dict[str, str] = {match[1]: match[2] for match in matches}
    words = " ".join(line[2:] for line in head if not _PARAMETER_LINE.match(line))
    body = "\n".join(line for line in lines if not line.startswith("#"))
    return Question(name, words, parameters, body)


def questions() -> list[Question]:
    """Every competency question, by name."""
    return [question(path.stem) for path in sorted(QUERIES.glob("*.rq"))]
