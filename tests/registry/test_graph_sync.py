"""Marks become graphs: each change arrives, none is lost, nothing is done in vain."""

import pytest
from django.db import transaction

from ontology.namespaces import ONTOLOGY, subject_iri
from ontology.store import MemoryStore, StoreRefused, StoreUnreachable
from registry.models import CapabilityProfile, Device, GraphChange, SubjectKind
from registry.services.graph_check import differences
from registry.services.graph_outbox import COLUMN, mark, mark_everything
from registry.services.graph_sync import drain, rebuild, stored_graphs
from tests.registry.graph_world import make_variant, make_world

pytestmark = pytest.mark.django_db


@pytest.fixture
def world():
    return make_world()


@pytest.fixture
def store(world):
    store = MemoryStore()
    drain(store)
    return store


def marks():
    return {(change.kind, change.subject) for change in GraphChange.objects.all()}


def says(store, subject, words):
    """Whether a subject is said something of, in Turtle words with the tf prefix."""
    prefix = "PREFIX tf: <https://w3id.org/tinyfleet/ontology#>"
    return store.ask(f"{prefix} ASK {{ <{subject}> {words} }}")


class Flaky(MemoryStore):
    """A store that fails in a given way at a given graph."""

    def __init__(self, failing, error):
        super().__init__()
        self.failing, self.error = failing, error

    def replace_graphs(self, graphs):
        if self.failing in graphs:
            raise self.error("no")
        super().replace_graphs(graphs)


class Meddler(MemoryStore):
    """A store that lets something happen while a graph is being replaced."""

    def __init__(self, happening):
        super().__init__()
        self.happening = happening

    def replace_graphs(self, graphs):
        super().replace_graphs(graphs)
        if any("/device/" in iri for iri in graphs):
            self.happening()


def test_the_graph_equals_the_inventory(store):
    assert list(differences(store)) == []
    assert marks() == set()
    assert drain(store) == 0


def test_the_ontology_stands_beside_the_inventory(store):
    assert ONTOLOGY in stored_graphs(store)


def test_an_edit_reaches_the_graph(store, world):
    world.kitchen.installed = None
    world.kitchen.save()
    assert len(list(differences(store))) == 1
    assert drain(store) == 1
    assert list(differences(store)) == []


@pytest.mark.parametrize(
    ("name", "field", "value"),
    [
        ("nano", "name", "Nano 33"),
        ("tiny", "ram_bytes", 200_000),
        ("runtime", "version", "2025"),
        ("firmware", "operators", None),
        ("hearing", "sensors", None),
        ("fleet", "name", "The garden"),
        ("kitchen", "status", "revoked"),
        ("large", "sensors", None),
        ("release", "notes", "Better"),
        ("release", "number", 7),
    ],
)
def test_any_edit_leaves_no_difference(store, world, name, field, value):
    row = getattr(world, name)
    setattr(row, field, value)
    row.save()
    assert list(differences(store)) != []
    drain(store)
    assert list(differences(store)) == []


def test_a_deleted_row_takes_its_graph_along(store, world):
    world.small.delete()
    drain(store)
    names = stored_graphs(store)
    assert subject_iri("variant", "1") not in names - {subject_iri("variant", str(world.large.pk))}
    assert len([name for name in names if "/verdicts/" in name]) == 1


@pytest.mark.parametrize("name", ["fleet", "large", "release"])
def test_what_named_a_deleted_subject_names_it_no_more(store, world, name):
    world.kitchen.installed = None
    world.kitchen.save()
    world.release.model.champion = world.release
    world.release.model.save()
    drain(store)
    getattr(world, name).delete()
    drain(store)
    assert list(differences(store)) == []


def test_a_device_that_becomes_another_board_moves_its_figures(store, world):
    world.large.measurements.create(
        device=world.shed, metric="arena_bytes", value=9e9, unit="B", status="measured", source="x"
    )
    drain(store)
    variant, profile = subject_iri("variant", str(world.large.pk)), subject_iri("profile", "a" * 64)
    assert says(store, variant, f"tf:fits <{profile}>")
    world.shed.profile = world.hearing
    world.shed.save()
    drain(store)
    assert says(store, variant, f"tf:failsRam <{profile}>")
    assert list(differences(store)) == []


def test_membership_reaches_the_device_from_either_side(store, world):
    device, fleet = subject_iri("device", "hall"), subject_iri("fleet", "house")
    world.hall.fleets.add(world.fleet)
    drain(store)
    assert says(store, device, f"tf:memberOf <{fleet}>")
    world.fleet.devices.clear()
    drain(store)
    assert not says(store, device, f"tf:memberOf <{fleet}>")
    world.fleet.devices.add(world.hall)
    drain(store)
    assert says(store, device, f"tf:memberOf <{fleet}>")
    assert list(differences(store)) == []


def test_firmware_that_changes_is_judged_again(store, world):
    variant, profile = (
        subject_iri("variant", str(world.large.pk)),
        subject_iri("profile", "a" * 64),
    )
    assert says(store, variant, f"tf:fits <{profile}>")
    world.firmware.arena_budget_bytes = 10
    world.firmware.save()
    drain(store)
    assert says(store, variant, f"tf:failsRam <{profile}>")
    assert not says(store, variant, f"tf:fits <{profile}>")
    assert list(differences(store)) == []


def test_the_runtime_that_bare_boards_are_judged_with_counts(store, world):
    world.runtime.operators = {"CONV_2D": 1}
    world.runtime.save()
    drain(store)
    variant, profile = (
        subject_iri("variant", str(world.large.pk)),
        subject_iri("profile", "b" * 64),
    )
    assert says(store, variant, f"tf:failsOperators <{profile}>")
    assert list(differences(store)) == []


def test_a_new_profile_is_one_mark_however_many_variants(world):
    GraphChange.objects.all().delete()
    CapabilityProfile.objects.create(digest="d" * 64, board=world.nano, firmware=world.firmware)
    assert marks() == {("profile", "d" * 64), ("verdicts", COLUMN + "d" * 64)}


def test_a_new_variant_marks_its_own_verdicts_only(world):
    GraphChange.objects.all().delete()
    variant = make_variant(world.release, "third", 1, {})
    assert marks() == {("variant", str(variant.pk)), ("verdicts", str(variant.pk))}


def test_a_measurement_marks_its_variant(world):
    GraphChange.objects.all().delete()
    world.small.measurements.all().delete()
    assert marks() == {("variant", str(world.small.pk)), ("verdicts", str(world.small.pk))}


def test_a_subject_that_changes_its_key_changes_everywhere(store, world):
    world.nano.slug = "nano-33"
    world.nano.save()
    drain(store)
    assert list(differences(store)) == []
    assert subject_iri("board", "nano") not in stored_graphs(store)


def test_a_mark_is_undone_with_its_transaction(world):
    GraphChange.objects.all().delete()
    with pytest.raises(RuntimeError), transaction.atomic():
        mark(SubjectKind.DEVICE, "kitchen")
        raise RuntimeError
    assert marks() == set()


def test_a_limit_bounds_what_is_worked_off(world):
    store = MemoryStore()
    waiting = GraphChange.objects.count()
    drain(store, limit=3)
    assert GraphChange.objects.count() == waiting - 3


def test_many_marks_of_a_subject_are_projected_once(store):
    for _ in range(5):
        mark(SubjectKind.DEVICE, "kitchen")
    assert drain(store) == 1
    assert marks() == set()


def test_a_store_that_is_away_leaves_the_marks(world):
    waiting = marks()
    away = Flaky(subject_iri("device", "kitchen"), StoreUnreachable)
    drain(away)
    assert ("device", "kitchen") in marks()
    assert marks() <= waiting
    store = MemoryStore()
    rebuild(store)
    assert list(differences(store)) == []


def test_a_graph_that_is_refused_holds_up_no_other(world):
    refusing = Flaky(subject_iri("device", "kitchen"), StoreRefused)
    drain(refusing)
    assert marks() == set()
    assert {line.partition(" ")[0] for line in differences(refusing)} == {
        f"<{subject_iri('device', 'kitchen')}>"
    }


def test_a_malformed_row_holds_up_no_other(store, world):
    world.large.operators = ["CONV_2D"]
    world.large.save()
    world.small.technique = "distillation"
    world.small.save()
    assert drain(store) == 2
    assert marks() == set()
    lines = list(differences(store))
    assert len(lines) == 2
    assert all("row is malformed" in line for line in lines)


def test_a_change_while_draining_is_not_lost(world):
    done = []

    def rename_once():
        if not done:
            done.append(True)
            Device.objects.filter(device_id="kitchen").update(status="revoked")
            mark(SubjectKind.DEVICE, "kitchen")

    store = Meddler(rename_once)
    drain(store)
    assert ("device", "kitchen") in marks()
    drain(store)
    assert says(store, subject_iri("device", "kitchen"), 'tf:enrolmentStatus "revoked"')


def test_two_that_drain_at_once_do_the_subject_again(world):
    """The other took the marks and wrote a newer state, which ours may have overwritten."""
    GraphChange.objects.all().delete()
    mark(SubjectKind.DEVICE, "kitchen")
    drain(Meddler(lambda: GraphChange.objects.all().delete()))
    assert marks() == {("device", "kitchen")}


def test_everything_can_be_marked_in_a_few_rows(world):
    GraphChange.objects.all().delete()
    mark_everything()
    assert GraphChange.objects.count() == len(SubjectKind)


def test_rebuilding_removes_what_is_not_ours_any_more(store, world):
    stray = subject_iri("device", "ghost")
    store.replace_graph(stray, store.construct("CONSTRUCT { <urn:a> <urn:b> <urn:c> } {}"))
    foreign = "https://example.org/somebody-elses"
    store.replace_graph(foreign, store.construct("CONSTRUCT { <urn:a> <urn:b> <urn:c> } {}"))
    assert any("no such subject" in line for line in differences(store))
    counts = rebuild(store)
    assert list(differences(store)) == []
    assert counts[SubjectKind.DEVICE] == 3
    assert store.ask(f"ASK {{ GRAPH <{foreign}> {{ ?s ?p ?o }} }}")
