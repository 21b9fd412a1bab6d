"""`import_rdf` on documents in each form, and on documents that mean harm."""

from __future__ import annotations

import os
from io import StringIO
from pathlib import Path

import pyoxigraph as ox
import pytest
from django.core.management import CommandError, call_command

from ontology.facts import Answer, Constraint
from ontology.matching import restrict
from ontology.namespaces import PREFIXES
from registry.models import Device, GraphChange, RegisteredModel, Variant
from registry.services.matching import assess_pair
from registry.services.things import describe_device
from tests.core.test_descriptions import DEVICE, HEAD, NETWORK

pytestmark = pytest.mark.django_db

FORMS = {
    "it.ttl": ox.RdfFormat.TURTLE,
    "it.nt": ox.RdfFormat.N_TRIPLES,
    "it.nq": ox.RdfFormat.N_QUADS,
    "it.trig": ox.RdfFormat.TRIG,
    "it.rdf": ox.RdfFormat.RDF_XML,
    "it.jsonld": ox.RdfFormat.JSON_LD,
}


def write(folder: Path, name: str, turtle: str = DEVICE + NETWORK) -> Path:
    triples = [q.triple for q in ox.parse(HEAD + turtle, format=ox.RdfFormat.TURTLE)]
    file = folder / name
    ox.serialize(triples, output=str(file), format=FORMS[name])
    return file


def import_rdf(*paths: Path) -> str:
    out = StringIO()
    call_command("import_rdf", *map(str, paths), stdout=out)
    return out.getvalue()


def refused(*paths: Path) -> str:
    with pytest.raises(CommandError) as error:
        import_rdf(*paths)
    return str(error.value)


@pytest.mark.parametrize("name", FORMS)
def test_each_form_makes_the_same_rows(tmp_path, name):
    assert import_rdf(write(tmp_path, name)).splitlines()[-2:] == [
        "devices:  1 created, 0 updated, 0 unchanged",
        "networks: 1 created, 0 updated, 0 unchanged",
    ]
    device, variant = Device.objects.get(), Variant.objects.get()
    firmware = device.profile.firmware
    assert (device.iri, device.description, device.status) == ("urn:x:1", "A board", "pending")
    assert (firmware.arena_budget_bytes, firmware.slot_bytes) == (64_000, 1_048_576)
    assert (firmware.runtime, device.profile.board.slug) == (None, "a-board")
    assert [each["kind"] for each in variant.sensors] == ["camera", "microphone"]
    assert (variant.release.model.name, variant.release.model.category) == (
        "Net", "ObjectDetection",
    )  # fmt: skip


def test_again_in_another_form_changes_nothing(tmp_path):
    import_rdf(write(tmp_path, "it.ttl"))
    marks = GraphChange.objects.count()
    told = import_rdf(write(tmp_path, "it.jsonld"))
    assert "0 created, 0 updated, 1 unchanged" in told.splitlines()[-1]
    assert GraphChange.objects.count() == marks


def test_what_is_not_described_stays_unknown(tmp_path):
    import_rdf(write(tmp_path, "it.ttl"))
    verdict = assess_pair(Device.objects.get(), Variant.objects.get())
    holds = {reason.constraint: reason.holds for reason in verdict.reasons}
    assert holds[Constraint.RAM] is holds[Constraint.FLASH] is True
    assert holds[Constraint.SENSORS] is False  # it has no microphone
    assert holds[Constraint.OPERATORS] is holds[Constraint.RUNTIME] is None
    memory = restrict(verdict, [Constraint.RAM, Constraint.FLASH])
    assert memory.answer is Answer.FITS


def test_a_figure_that_a_later_description_omits_is_gone(tmp_path):
    import_rdf(write(tmp_path, "it.ttl"))
    later = NETWORK.replace("nnet:hasMetricValue 92.1", "nnet:hasMetricValue 0.0")
    told = import_rdf(write(tmp_path, "it.ttl", later.replace("8.08", "9")))
    assert "networks: 0 created, 1 updated, 0 unchanged" in told
    figures = {row.metric: row.value for row in Variant.objects.get().measurements.all()}
    assert figures == {"arena_bytes": 9_000, "flash_bytes": 18_712, "macs": 1_500}


def test_networks_of_one_name_stay_apart(tmp_path):
    two = NETWORK + NETWORK.replace("urn:x:n", "urn:x:m").replace("urn:x:in", "urn:x:im")
    import_rdf(write(tmp_path, "it.ttl", two))
    names = sorted(RegisteredModel.objects.values_list("name", flat=True))
    assert len(names) == 2
    assert names[0] == "Net"
    assert names[1].startswith("Net-")


def test_units_of_one_kind_share_a_board_and_a_profile(tmp_path):
    import_rdf(write(tmp_path, "it.ttl", DEVICE + DEVICE.replace("urn:x:1", "urn:x:2")))
    assert len({device.profile_id for device in Device.objects.all()}) == 1
    assert Device.objects.count() == 2


def test_a_device_that_describes_itself_is_believed(tmp_path, make_device, make_td):
    device = make_device("hall")
    describe_device(device, make_td("hall"))
    own = device.profile_id
    iri = f"{PREFIXES['id']}device/hall"
    assert "1 updated" in import_rdf(write(tmp_path, "it.ttl", DEVICE.replace("urn:x:1", iri)))
    device.refresh_from_db()
    assert (device.iri, device.profile_id) == (iri, own)


def test_two_names_of_one_of_our_devices_are_refused(tmp_path):
    names = (f"{PREFIXES['id']}device/hall", "urn:tinyfleet:device:hall")
    two = "".join(DEVICE.replace("urn:x:1", name) for name in names)
    assert "> are both hall" in refused(write(tmp_path, "it.ttl", two))


def test_two_networks_that_come_to_one_name_are_refused(tmp_path):
    same = "urn:tinyfleet:described:it.ttl:n"
    file = tmp_path / "it.ttl"
    file.write_text(f"{HEAD} <n> a nnet:NeuralNetwork . <{same}> a nnet:NeuralNetwork .")
    assert f"2 networks are known here as <{same}>; leave one" in refused(file)


def test_names_are_shown_without_obeying_them(tmp_path):
    orders = NETWORK.replace("92.1", "0.0").replace('"Net"', r'"N\u001B[2Jet\u0000"')
    told = import_rdf(write(tmp_path, "it.ttl", orders))
    assert "the accuracy of N\N{REPLACEMENT CHARACTER}[2Jet" in told
    assert "\x1b" not in told + RegisteredModel.objects.get().name
    broken = tmp_path / "broken.ttl"
    broken.write_text("<urn:x> \x1b[2J .")
    assert "\x1b" not in refused(broken)


def test_a_hundred_megabytes_are_not_even_read(tmp_path):
    file = tmp_path / "literals.ttl"
    with file.open("wb") as stream:
        stream.truncate(100_000_000)
    reason = refused(file)
    assert "100,000,000 bytes, more than the 16,777,216 allowed" in reason
    assert "TINYFLEET_RDF_MAX_BYTES" in reason


def test_many_small_literals_and_blank_nodes_are_bounded(tmp_path, settings):
    settings.RDF_MAX_TRIPLES = 10_000
    flood = tmp_path / "flood.ttl"
    flood.write_text('[] <http://e/p> "x" , [] .\n' * 6_000)
    assert "flood.ttl: it has more than 10,000 triples" in refused(flood)
    halves = [tmp_path / "a.ttl", tmp_path / "b.ttl"]
    for half in halves:
        half.write_text('[] <http://e/p> "x" .\n' * 6_000)
    assert "b.ttl: with it the import has more than 10,000 triples" in refused(*halves)


def test_what_is_written_at_once_is_bounded(tmp_path, settings):
    settings.RDF_MAX_SUBJECTS = 2
    two = write(tmp_path, "it.ttl")
    more = tmp_path / "more.nt"
    more.write_text(f"<urn:x:3> <{PREFIXES['rdf']}type> <{PREFIXES['nnet']}NeuralNetwork> .")
    told = refused(two, more)
    assert "3 devices and networks are described, more than the 2 allowed at once" in told
    assert "TINYFLEET_RDF_MAX_SUBJECTS" in told
    assert not Device.objects.exists()
    import_rdf(two)


@pytest.mark.parametrize("turtle", ["nnet:NeuralNetwork", "s3n:SmartSensor"])
def test_more_of_one_kind_take_no_more_statements(turtle, django_assert_max_num_queries, tmp_path):
    file = tmp_path / "many.ttl"
    file.write_text(HEAD + "".join(f"<urn:x:{n}> a {turtle} .\n" for n in range(100)))
    with django_assert_max_num_queries(20):
        import_rdf(file)


def test_a_long_literal_is_bounded(tmp_path, settings):
    settings.RDF_MAX_LITERAL_BYTES = 100
    assert "more than 100 bytes" in refused(
        write(tmp_path, "it.ttl", DEVICE.replace("A board", "A" * 101))
    )


def test_what_is_refused_leaves_everything_as_it_was(tmp_path, settings):
    import_rdf(write(tmp_path, "it.ttl"))
    before = [list(kind.objects.values()) for kind in (Device, Variant, GraphChange)]
    bomb = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    rdf = f'<rdf:RDF xmlns:rdf="{PREFIXES["rdf"]}"><rdf:Description rdf:about="urn:x">'
    harm = {
        "bomb.rdf": f'<!DOCTYPE r [<!ENTITY e0 "a">{bomb}]>{rdf}'
        "<rdf:value>&e9;</rdf:value></rdf:Description></rdf:RDF>",
        "remote.jsonld": '{"@context": "https://schema.org/", "name": "x"}',
        "nested.ttl": f"<urn:x> <urn:p> {'<<( <urn:x> <urn:p> ' * 50_000} 1 {')>> ' * 50_000} .",
        "wrong.ttl": HEAD
        + DEVICE.replace("urn:x:1", "urn:x:3").replace("value 64", 'value "lots"'),
    }
    settings.RDF_MEMORY_BYTES = 100_000_000
    for name, text in harm.items():
        (tmp_path / name).write_text(text)
        told = refused(tmp_path / "it.ttl", tmp_path / name)
        assert told.startswith(f"nothing was imported: {name}: ")
    assert [list(kind.objects.values()) for kind in (Device, Variant, GraphChange)] == before


def test_a_path_that_is_not_there_is_said(tmp_path):
    assert "cannot be read: No such file" in refused(tmp_path / "none.ttl")
    assert "no file in it ends in .ttl" in refused(tmp_path)
    os.mkfifo(tmp_path / "pipe.ttl")
    assert "it is no file" in refused(tmp_path / "pipe.ttl")


def test_of_a_folder_all_documents_below_it_are_read(tmp_path):
    below = tmp_path / "below"
    below.mkdir()
    write(below, "it.ttl").rename(below / "IT.TTL")
    assert "devices:  1 created" in import_rdf(tmp_path)
