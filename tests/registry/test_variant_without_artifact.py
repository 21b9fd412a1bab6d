"""A network that is known by its figures alone: judged like any other, never delivered."""

from __future__ import annotations

import pyoxigraph as ox
import pytest
from django.test import Client

from ontology.facts import Answer, Figure, Metric, RuntimeId, Status
from ontology.namespaces import expand
from registry.models import SubjectKind, Variant
from registry.projection.facts import BareBoard
from registry.projection.subjects import project
from registry.services import measurements
from registry.services.matching import assess_pair, choose_variants

pytestmark = pytest.mark.django_db

FLASH = Figure(Metric.FLASH_BYTES, 90_000.5, Status.PUBLISHED, "a paper")
FLASH_HERE = Figure(
    Metric.FLASH_BYTES, 200_000, Status.PUBLISHED, "a paper", RuntimeId("tflite-micro")
)


@pytest.fixture
def make_paper(release):
    """A variant of which only figures are known."""

    def make(*figures: Figure) -> Variant:
        variant = Variant.objects.create(release=release, name="paper")
        measurements.record(variant, figures)
        return variant

    return make


def test_flash_is_judged_by_its_figure_and_the_rest_is_unknown(make_device, make_paper) -> None:
    reasons = assess_pair(make_device("cam-01"), make_paper(FLASH)).reasons
    holds = {reason.constraint.value: reason.holds for reason in reasons}
    assert reasons[0].need == 90_001, "a part of a byte takes the whole one"
    assert holds.pop("flash") is True
    assert set(holds.values()) == {None}


def test_a_figure_for_the_runtime_at_hand_decides(make_device, make_paper) -> None:
    verdict = assess_pair(make_device("cam-01"), make_paper(FLASH, FLASH_HERE))
    assert verdict.answer is Answer.DOES_NOT_FIT
    assert verdict.reasons[0].need == 200_000


def test_it_is_never_chosen_for_a_device(make_device, make_paper, make_variant) -> None:
    device, base = make_device("cam-01"), make_variant("base")
    make_paper(FLASH, Figure(Metric.ACCURACY, 0.99, Status.PUBLISHED, "a paper"))
    choice = choose_variants(base.release, [device])[device.pk]
    assert choice.variant == base
    assert [verdict.variant for verdict in choice.verdicts] == [str(base.pk)]


def test_rest_and_admin_say_that_there_is_nothing(
    reader: Client, owner: Client, make_paper
) -> None:
    variant = make_paper(FLASH)
    shown = reader.get(f"/api/v1/variants/{variant.pk}/").json()
    assert (shown["sha256"], shown["size_bytes"]) == (None, None)
    answer = reader.get(f"/api/v1/variants/{variant.pk}/file/")
    assert answer.status_code == 404
    assert "by its figures alone" in answer.json()["detail"]
    assert owner.get(f"/admin/registry/variant/{variant.pk}/change/").status_code == 200
    assert "paper" in owner.get("/admin/registry/variant/").content.decode()


def test_the_graph_states_what_is_known(make_paper) -> None:
    variant = make_paper(FLASH)
    found = project(SubjectKind.VARIANT, [str(variant.pk)], BareBoard(0.5, 0.5))
    triples = found[str(variant.pk)] or []
    said = {triple.predicate.value: triple.object for triple in triples}
    assert said[expand("tf:needsFlashBytes")] == ox.Literal(90_001)
    assert expand("tf:artifact") not in said
