"""A seed makes a fleet: so many devices, profiles and variants, and the same ones again."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ontology.facts import Answer
from ontology.store import MemoryStore
from registry.models import (
    BoardType,
    CapabilityProfile,
    Device,
    FirmwareBuild,
    GraphChange,
    RegisteredModel,
    Variant,
)
from registry.projection.facts import BareBoard
from registry.projection.keys import iri_of
from registry.projection.verdicts import JudgedProfiles
from registry.services.catalogue import load_catalogue
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from registry.services.matching import assess_all

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def catalogue(db):
    load_catalogue()
    GraphChange.objects.all().delete()


def generate(**options):
    out = StringIO()
    call_command("generate_fleet", stdout=out, **options)
    return {line.split()[0]: line.split()[1] for line in out.getvalue().splitlines()}


def contents():
    devices = Device.objects.values_list("device_id", "profile__digest")
    figures = Variant.objects.values_list("name", "operators", "measurements__value")
    return sorted(devices), sorted(map(repr, figures))


def test_it_spreads_devices_over_boards_runtimes_and_packs():
    said = generate(devices=400, seed=1, variants=20)
    assert said == {"firmware": "48", "profiles": "288", "devices": "400", "variants": "20"}
    used = CapabilityProfile.objects.filter(devices__isnull=False).distinct()
    assert used.count() == 288
    assert used.values("board").distinct().count() == 12
    assert used.values("firmware__runtime").distinct().count() == 4
    assert len({str(profile.sensors) for profile in used}) == 6
    operators = {name for build in FirmwareBuild.objects.all() for name in build.operators}
    assert len(operators) == 60
    assert set(BoardType.objects.filter(profiles__in=used).values_list("source", flat=True))


def test_more_profiles_are_more_builds():
    said = generate(devices=600, seed=2, profiles=500)
    assert said["profiles"] == "500"
    assert CapabilityProfile.objects.filter(devices=None).count() == 0


def test_fewer_devices_than_profiles_share_fewer():
    assert generate(devices=5, seed=3)["profiles"] == "5"


def test_the_same_seed_makes_the_same_fleet():
    generate(devices=300, seed=7, variants=5)
    first = contents()
    for model in (Device, CapabilityProfile, FirmwareBuild, RegisteredModel):
        model.objects.all().delete()
    generate(devices=300, seed=7, variants=5)
    assert contents() == first


def test_its_variants_fit_some_devices_and_not_others():
    generate(devices=288, seed=1, variants=20)
    pairs = assess_all(Device.objects.all(), Variant.objects.all())
    answers = {pair.verdict.answer for pair in pairs}
    assert answers == {Answer.FITS, Answer.DOES_NOT_FIT}


def test_the_graph_follows():
    generate(devices=20, seed=1, variants=3)
    store = MemoryStore()
    while GraphChange.objects.exists():
        drain(store)
    lines = [line for line in differences(store) if "/board/" not in line]
    assert lines == []


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"devices": 11}, "limit of 10"),
        ({"devices": 2, "variants": 4}, "limit of 3"),
        ({"devices": 2, "profiles": 3}, "need as many devices"),
        ({"devices": 0}, "at least 1"),
        ({"devices": 2, "variants": -1}, "at least 0"),
    ],
)
def test_what_cannot_be_made_is_refused(settings, options, words):
    settings.GENERATED_DEVICES_MAX, settings.GENERATED_VARIANTS_MAX = 10, 3
    with pytest.raises(CommandError, match=words):
        generate(seed=1, **options)
    assert Device.objects.count() == 0


def test_a_seed_is_used_once():
    generate(devices=2, seed=1)
    with pytest.raises(CommandError, match="take another seed"):
        generate(devices=2, seed=1)


def test_an_empty_catalogue_says_what_to_do():
    BoardType.objects.all().delete()
    with pytest.raises(CommandError, match="load_catalogue"):
        generate(devices=2, seed=1)


def test_more_builds_than_one_statement_can_name_are_judged():
    generate(devices=7_000, seed=1, profiles=7_000, variants=1)
    pairs = assess_all(Device.objects.filter(device_id__endswith="0001"), Variant.objects.all()[:1])
    assert len(list(pairs)) == 1
    judged = JudgedProfiles.read(BareBoard.from_settings())
    assert set(judged.iris) >= {iri_of(each) for each in CapabilityProfile.objects.all()}
