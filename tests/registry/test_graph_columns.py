"""A new profile is judged by every variant at the cost of one column; too many pairs keep fits."""

import pytest

from ontology.namespaces import subject_iri
from ontology.store import MemoryStore
from registry.models import BoardType, CapabilityProfile, Device, FirmwareBuild, GraphChange
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from tests.registry.graph_world import MICROPHONE, make_variant, make_world

pytestmark = pytest.mark.django_db

KEPT = """
PREFIX tf: <https://w3id.org/tinyfleet/ontology#>
SELECT DISTINCT ?edge { ?variant tf:verdictsKept ?kept ; ?edge ?profile . ?profile tf:board ?board }
"""


@pytest.fixture
def world():
    return make_world()


class Counting(MemoryStore):
    """A store that remembers which graphs were replaced as a whole."""

    def __init__(self):
        super().__init__()
        self.replaced = []

    def replace_graphs(self, graphs):
        self.replaced += graphs
        super().replace_graphs(graphs)


@pytest.fixture
def store(world):
    store = Counting()
    drain(store)
    store.replaced.clear()
    return store


def edges(store):
    return {row["edge"].value.partition("#")[2] for row in store.select(KEPT)}


def new_firmware(world, board, **changed):
    declared = {"arena_budget_bytes": 20_000, "slot_bytes": 40_000, "operators": None}
    return FirmwareBuild.objects.create(
        board=board, name="edge", version="2", runtime=world.runtime, capacity_digest="e" * 64,
        **declared | changed,
    )  # fmt: skip


def test_a_new_build_is_judged_without_making_any_verdict_anew(store, world):
    build = new_firmware(world, world.nano)
    CapabilityProfile.objects.create(
        digest="e" * 64, board=world.nano, firmware=build, sensors=[MICROPHONE]
    )
    drain(store)
    assert not [iri for iri in store.replaced if "/verdicts/" in iri]
    assert list(differences(store)) == []


def test_a_new_target_gets_what_each_variant_needs_there(store, world):
    board = BoardType.objects.create(
        slug="new", name="New", vendor="V", mcu="M", core="cortex-m7", source="data sheet"
    )
    for variant in (world.large, world.small):
        variant.measurements.create(
            board=board, metric="arena_bytes", value=1e4, unit="B", status="measured", source="x"
        )
    drain(store)
    build = new_firmware(world, board, arena_budget_bytes=None)
    CapabilityProfile.objects.create(digest="e" * 64, board=board, firmware=build, sensors=None)
    drain(store)
    assert list(differences(store)) == []


def test_a_changed_sensor_is_a_new_profile(store, world):
    profile = CapabilityProfile.objects.create(
        digest="f" * 64, board=world.nano, firmware=world.firmware, sensors=[]
    )
    world.hall.profile = profile
    world.hall.save()
    drain(store)
    assert list(differences(store)) == []
    assert Device.objects.get(device_id="hall").profile == profile


def test_a_profile_that_is_gone_before_it_was_judged_leaves_nothing(store, world):
    profile = CapabilityProfile.objects.create(digest="f" * 64, board=world.nano, sensors=[])
    profile.delete()
    drain(store)
    assert list(differences(store)) == []


def test_a_malformed_variant_spoils_its_own_row_only(store, world):
    world.large.operators = ["CONV_2D"]
    world.large.save()
    drain(store)
    CapabilityProfile.objects.create(digest="f" * 64, board=world.nano, sensors=[])
    while GraphChange.objects.exists():
        drain(store)
    lines = list(differences(store))
    assert len(lines) == 2
    assert all("row is malformed" in line for line in lines)


def test_beyond_a_number_of_pairs_only_fits_are_kept(store, world, settings):
    assert edges(store) >= {"fits", "failsRam"}
    settings.GRAPH_VERDICT_PAIRS_MAX = 5
    make_variant(world.release, "third", 1, {"CONV_2D": 1})
    drain(store)
    assert edges(store) == {"fits"}
    assert list(differences(store)) == []
    CapabilityProfile.objects.create(digest="f" * 64, board=world.nano, sensors=[])
    drain(store)
    assert edges(store) == {"fits"}
    assert list(differences(store)) == []


def test_with_fewer_pairs_all_are_kept_again(store, world, settings):
    settings.GRAPH_VERDICT_PAIRS_MAX = 3
    world.small.save()
    drain(store)
    assert edges(store) == {"fits"}
    world.small.delete()
    settings.GRAPH_VERDICT_PAIRS_MAX = 2
    drain(store)
    assert subject_iri("variant", str(world.large.pk)) in {
        row["v"].value for row in store.select("SELECT ?v { ?v ?p 'all' }")
    }
    assert list(differences(store)) == []
