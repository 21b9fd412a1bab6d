"""docs/how-to/query.md: its queries with the answers below them.

`python -m tests.conformance.query_page` asks them all on the page's inventory and writes what came.
"""

from __future__ import annotations

import csv
import io
import re
import tempfile
from collections.abc import Callable
from pathlib import Path

import httpx

from tests.conformance.web_installation import ROOT, WebInstallation, installation

PAGE = ROOT / "docs/how-to/query.md"
_COMMANDS = re.compile(r"python manage\.py ([^#\n]+)")
_PREFIXES = re.compile(r"```\n((?:PREFIX .*\n)+)```")
# A query, and what stands between it and the next heading.
_EXAMPLE = re.compile(r"(```sparql\n(.*?)```\n)\n(.*?)(?=^##)", re.DOTALL | re.MULTILINE)


def fill(web: WebInstallation) -> None:
    """Make the inventory by the commands on the page."""
    before_the_queries = PAGE.read_text().partition("```sparql")[0]
    _, *commands = _COMMANDS.findall(before_the_queries.partition("\n## Ten")[2])
    for command in commands:  # the first one is `migrate`, which is done
        web.manage(*command.split())


def examples() -> list[tuple[str, str]]:
    """Each query in full, and its answer as the page has it."""
    text = PAGE.read_text()
    prefixes = _PREFIXES.search(text)[1]
    return [(prefixes + query, answer.strip()) for _, query, answer in _EXAMPLE.findall(text)]


def answer_as_written(ask: Callable[[str, str], httpx.Response], query: str) -> str:
    """What the endpoint answers, in the form that the page has it in."""
    if "\nCONSTRUCT" in query:
        lines = sorted(ask(query, "application/n-triples").text.splitlines())
        return "\n".join(["```turtle", *lines, "```"])
    if "\nASK" in query:
        return {"true": "Yes.", "false": "No."}[ask(query, "text/csv").text.strip()]
    header, *rows = csv.reader(io.StringIO(ask(query, "text/csv").text, newline=""))
    return "\n".join(map(_row, [header, ["---"] * len(header), *rows]))


def asking(base: str, token: str) -> Callable[[str, str], httpx.Response]:
    """Sends a query, with the media type that is to come back."""

    def ask(query: str, accept: str) -> httpx.Response:
        headers = {"Authorization": f"Bearer {token}", "Accept": accept}
        url = f"{base}/sparql"
        answer = httpx.post(url, data={"query": query}, headers=headers, timeout=30.0)
        return answer.raise_for_status()

    return ask


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _write_answers() -> None:
    with (
        tempfile.TemporaryDirectory() as folder,
        installation(Path(folder)) as web,
        web.serve() as base,
    ):
        fill(web)
        ask = asking(base, web.token)
        answers = iter([answer_as_written(ask, query) for query, _ in examples()])
    text = PAGE.read_text()
    PAGE.write_text(_EXAMPLE.sub(lambda match: f"{match[1]}\n{next(answers)}\n\n", text))


if __name__ == "__main__":
    _write_answers()
