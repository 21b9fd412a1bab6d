"""docs/how-to/query.md: every query gives the answer below it, and every snippet runs."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable

import httpx
import pytest

from tests.conformance.query_page import PAGE, answer_as_written, asking, examples, fill
from tests.conformance.web_installation import ROOT, WebInstallation

ADDRESS = "http://127.0.0.1:8000"
SNIPPETS = re.compile(r"```(python|sh)\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def filled(web: WebInstallation) -> None:
    fill(web)


@pytest.fixture
def ask(filled: None, closed: str, web: WebInstallation) -> Callable[[str, str], httpx.Response]:
    return asking(closed, web.token)


def test_ten_queries_give_the_answers_on_the_page(
    ask: Callable[[str, str], httpx.Response],
) -> None:
    """After a change of the catalogue: `python -m tests.conformance.query_page` writes them."""
    found = examples()
    assert len(found) == 10
    for query, answer in found:
        assert answer_as_written(ask, query) == answer, query
        assert len(answer.splitlines()) > 2 or answer in {"Yes.", "No."}


def test_the_page_names_the_client_that_is_tested() -> None:
    assert re.search(r"^COMUNICA := (\S+)$", (ROOT / "Makefile").read_text(), re.MULTILINE)[1] in (
        PAGE.read_text()
    )


def test_every_snippet_runs(filled: None, closed: str, web: WebInstallation) -> None:
    snippets = SNIPPETS.findall(PAGE.read_text())
    assert {language for language, _ in snippets} == {"python", "sh"}
    for language, text in snippets:
        here = text.replace(ADDRESS, closed).replace("TOKEN", web.token)
        if language == "python":
            names: dict[str, list[object]] = {}
            exec(here, names)
            assert len(names.get("rows") or names["devices"]) >= 3, text
        else:
            done = subprocess.run(["bash", "-ec", here], cwd=ROOT, capture_output=True, text=True)
            assert done.returncode == 0, done.stderr
            assert len(done.stdout.splitlines()) > 6
