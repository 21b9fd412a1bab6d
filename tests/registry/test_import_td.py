"""`import_td`: things come in by their descriptions, byte for byte, and are found again."""

from __future__ import annotations

import json
import os
import socket
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from ontology.facts import Answer
from registry.models import Device, GraphChange, Variant
from registry.services.matching import assess_all
from tests.registry.conftest import TD
from tests.registry.td_samples import REMOVED, THING, with_change

pytestmark = pytest.mark.django_db


def import_td(*paths: Path) -> tuple[str, str, str]:
    """What the command says, on both streams, and the sentence that it fails with, if it does."""
    out, err = StringIO(), StringIO()
    failure = ""
    try:
        call_command("import_td", *map(str, paths), stdout=out, stderr=err)
    except CommandError as error:
        failure = str(error)
    return out.getvalue(), err.getvalue(), failure


@pytest.fixture
def write(tmp_path: Path):
    """A description as a file; bytes as they are."""

    def to(name: str, td: dict[str, Any] | bytes) -> Path:
        path = tmp_path / "descriptions" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(td if isinstance(td, bytes) else json.dumps(td).encode())
        return path

    return to


def test_a_thing_comes_in_byte_for_byte_and_is_known_again(write) -> None:
    text = json.dumps(THING, indent=3).replace("\n", "\r\n").encode() + b"\r\n"
    path = write("mast.json", text)
    out, err, failure = import_td(path)
    device = Device.objects.get()
    assert (err, failure) == ("", "")
    assert out.splitlines() == [f"created {device.device_id} {path}", "1 created"]
    assert device.td.encode() == text
    assert device.profile is None
    GraphChange.objects.all().delete()
    assert import_td(path)[0].startswith("unchanged ")
    assert not GraphChange.objects.exists()


def test_a_changed_description_updates_its_thing(write) -> None:
    path = write("mast.json", THING)
    import_td(path)
    write("mast.json", with_change("title", "Taller mast"))
    assert import_td(path)[0].startswith("updated ")
    assert "Taller mast" in Device.objects.get().td


def test_a_description_of_one_of_our_own_devices_is_that_devices(make_device, write) -> None:
    device = make_device("cam-01", described=False)
    out, _, _ = import_td(write("cam.json", TD))
    assert out.startswith("updated cam-01 ")
    device.refresh_from_db()
    assert device.profile.firmware.slot_bytes == 131072


def test_things_without_an_id_are_known_by_what_they_say(write) -> None:
    first = write("a.json", with_change("id", REMOVED))
    second = write("b.json", with_change("id", REMOVED) | {"title": "Another mast"})
    assert import_td(first, second)[0].splitlines()[-1] == "2 created"
    assert import_td(first, second)[0].splitlines()[-1] == "2 unchanged"
    assert Device.objects.count() == 2


def test_of_two_files_about_one_thing_the_later_stands(write) -> None:
    older = write("1.json", THING)
    newer = write("2.json", with_change("title", "Newer"))
    for expected in ("1 created, 1 superseded", "1 superseded, 1 unchanged"):
        assert import_td(older, newer)[0].splitlines()[-1] == expected
    assert "Newer" in Device.objects.get().td


def test_a_later_file_that_is_refused_takes_nothing_from_an_earlier_one(write) -> None:
    older = write("1.json", THING)
    bad = write("2.json", with_change("tf:board", "no-such-board"))
    td = json.loads(bad.read_text())
    td["@context"][1]["tf"] = "https://w3id.org/tinyfleet/ontology#"
    write("2.json", td)
    out, err, failure = import_td(older, bad)
    assert "created" in out
    assert "/tf:board is 'no-such-board', which the catalogue does not have. Add" in err
    assert failure == "not every description came in: 1 created, 1 refused"


def test_what_is_refused_is_named_and_the_rest_comes_in(write) -> None:
    write("good.json", THING)
    bad = write("deeper/bad.jsonld", with_change("title", REMOVED))
    write("notes.txt", b"no description")
    out, err, failure = import_td(bad.parents[1])
    assert out.startswith("created ")
    assert err == f"refused {bad}: the description lacks title. Add title.\n"
    assert failure == "not every description came in: 1 created, 1 refused"
    assert Device.objects.count() == 1


def test_of_a_folder_the_case_of_endings_does_not_count(write) -> None:
    path = write("MAST.JSON", THING)
    assert import_td(path.parent)[0].startswith("created ")


def test_remarks_are_shown_below_their_thing(write) -> None:
    path = write("mast.json", with_change("security", ["basic", "open"]))
    assert import_td(path)[0].splitlines()[1].startswith("  /security combines schemes")


def test_what_is_no_file_is_refused_and_an_empty_folder_is_said(tmp_path: Path) -> None:
    assert "is no file that there is" in import_td(tmp_path / "none.json")[1]
    os.mkfifo(tmp_path / "pipe.json")
    assert "is no file that there is" in import_td(tmp_path / "pipe.json")[1]
    assert import_td(tmp_path)[2] == "there is no description in these folders"


def test_a_file_that_is_too_large_is_not_read(write, settings) -> None:
    settings.DESCRIPTION_MAX_BYTES = 100
    assert "more than the 100 allowed" in import_td(write("mast.json", THING))[1]
    assert not Device.objects.exists()


def test_every_published_example_comes_in_or_is_refused(data_dir: Path) -> None:
    folder = data_dir / "w3c-wot" / "tds"
    good = [folder / "valid", folder / "warning"]
    number = sum(len(list(each.glob("*.json"))) for each in good)
    out, err, failure = import_td(*good)
    assert (err, failure) == ("", "")
    lines = [line for line in out.splitlines()[:-1] if not line.startswith("  ")]
    assert len(lines) == number
    kept = {device.td.encode() for device in Device.objects.all()}
    files = {path.read_bytes() for each in good for path in each.glob("*.json")}
    assert kept <= files
    assert f"{len(kept)} created" in out.splitlines()[-1]
    GraphChange.objects.all().delete()
    import_td(*good)
    assert not GraphChange.objects.exists()
    bad = sorted((folder / "invalid").glob("*.json"))
    _, err, _ = import_td(folder / "invalid")
    assert [line.split(":")[0] for line in err.splitlines()] == [f"refused {path}" for path in bad]
    assert {device.td.encode() for device in Device.objects.all()} == kept


def test_no_context_is_ever_fetched(write, monkeypatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a description made somebody open a connection")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    remote = ["https://example.org/context.jsonld", {"@import": "https://example.org/more"}]
    td = with_change("@context", [*THING["@context"], *remote])
    td["links"] = [{"href": "http://127.0.0.1:9/model", "type": "application/tm+json"}]
    out, err, _ = import_td(write("mast.json", td))
    assert err == ""
    assert "which is not fetched" in out
    call_command("match", "--json", stdout=StringIO())


def test_a_thing_that_says_nothing_of_its_capacity_never_fits(write, make_variant) -> None:
    import_td(write("mast.json", THING))
    make_variant("small", size=1, arena=1, sensors=[])
    make_variant("large", size=10**9)
    pairs = list(assess_all(Device.objects.all(), Variant.objects.all()))
    assert [pair.verdict.answer for pair in pairs] == [Answer.UNKNOWN, Answer.UNKNOWN]
