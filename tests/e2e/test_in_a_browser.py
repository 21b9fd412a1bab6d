"""The pages as a person sees them, in a real Chromium against the running installation."""

from __future__ import annotations

import shutil
from collections.abc import Iterator

import pytest

from tests.e2e.conftest import Running

CHROMIUM = (
    shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
)
QUIET = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]

pytestmark = [
    pytest.mark.slow,
    pytest.mark.timeout(600),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed"),
]


@pytest.fixture(scope="module")
def page(demonstration: Running) -> Iterator:
    """A browser window in which the administrator is signed in."""
    from playwright.sync_api import sync_playwright

    installation = demonstration.installation
    password = (installation.folder / "keys" / "admin-password").read_text()
    base = f"http://127.0.0.1:{installation.ports['WEB']}"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        window = browser.new_context(
            base_url=base, viewport={"width": 1440, "height": 960}
        ).new_page()
        window.goto("/")
        window.fill("#id_username", "admin")
        window.fill("#id_password", password)
        window.press("#id_password", "Enter")
        window.wait_for_url("**/admin/")
        yield window
        browser.close()


def test_the_first_page_counts_the_fleet(page) -> None:
    page.goto("/admin/")
    assert "24" in page.inner_text("main, #main, body")
    assert "Devices that got nothing, and why" in page.inner_text("body")
    assert "short" in page.inner_text("body")


def test_a_device_says_what_fits_and_why_not(page) -> None:
    page.goto("/admin/registry/device/?q=bbc-microbit")
    page.click("th.field-device_id a, td.field-device_id a, a:has-text('bbc-microbit')")
    page.wait_for_load_state()
    assert "does not fit" in page.inner_text("body")
    assert "B of flash" in page.inner_text("body")


def test_a_rollout_is_tried_before_it_is_saved(page) -> None:
    page.goto("/admin/orchestrator/rollout/add/")
    page.wait_for_selector("#id_filter", state="hidden")  # the page's script is there
    for kind in ("fleet", "sparql", "filter"):
        page.check(f"[name=target][value={kind}]")
        for name in ("fleet", "sparql", "filter"):
            state = "visible" if name == kind else "hidden"
            page.wait_for_selector(f"#id_{name}", state=state)
    page.fill("#id_name", "in the browser")
    page.fill("#id_release", page.get_attribute("#releases option", "value"))
    page.fill("#id_filter", "bord = x")
    page.click("button[value=try]")
    page.wait_for_selector("text=Did you mean board?")
    page.fill("#id_filter", "board is known")
    page.click("button[value=try]")
    page.wait_for_selector("text=Dry run: in the browser")
    page.click("button[value=not_applicable]")
    page.wait_for_selector("text=B short")
    page.click("button[value=change]")
    page.wait_for_selector("#id_filter")
    assert page.input_value("#id_filter") == "board is known"


def test_a_question_to_the_graph_is_answered_in_a_table(page) -> None:
    page.goto("/sparql")
    page.click("button")
    page.wait_for_selector("#rows table tbody tr")
    assert page.locator("#rows tbody tr").count() == 50
    page.fill("textarea", "SELECT * WHERE { ?s ?p")
    page.click("button")
    page.wait_for_selector("#said.bad")
    assert "line 1" in page.inner_text("#said")


def test_a_question_with_parameters_waits_for_them(page) -> None:
    page.goto("/sparql")
    chosen = page.locator("option", has_text="($variant, $device)").first
    page.select_option("#offered", value=chosen.get_attribute("value"))
    assert page.locator("#terms input").count() == 2
    page.click("button")
    assert page.inner_text("#said") == "", "it was asked before its parameters had terms"
    for field in page.locator("#terms input").all():
        field.fill("<urn:none>")
    page.click("button")
    page.wait_for_function("document.getElementById('said').innerText.endsWith('0 rows')")


def test_the_api_documents_itself(page) -> None:
    page.goto("/api/docs/")
    page.wait_for_selector(".opblock", timeout=20_000)
    assert "compatibility" in page.inner_text("body")
