"""A rollout to the devices that a SPARQL SELECT yields."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path

import pyoxigraph as ox
import pytest
from django.core.management import call_command
from django.test import Client

from ontology.namespaces import subject_iri
from orchestrator.models import Rollout
from orchestrator.services.rollouts import RolloutError, plan
from registry.models import Device, DeviceStatus
from registry.services.sparql import close_pools
from tests.orchestrator.rollout_world import NOW, ROOMY, make_devices, make_release, make_rollout

pytestmark = pytest.mark.django_db

LABEL = "http://www.w3.org/2000/01/rdf-schema#label"
ELSEWHERE = "https://example.org/things/lamp"
_NAMED = f"GRAPH ?g {{ ?device <{LABEL}> ?name }}"
ALL = f'SELECT ?device WHERE {{ {_NAMED} FILTER(STRSTARTS(?name, "roomy")) }}'


@pytest.fixture(autouse=True)
def graph(tmp_path: Path, settings) -> Iterator[None]:
    """Three devices, one of them under the name that its own description gave it; and a lamp."""
    names = [device.device_id for device in make_devices(2, ROOMY)]
    Device.objects.create(device_id="guest", iri="urn:guest", status=DeviceStatus.ACCEPTED)
    store = ox.Store(str(tmp_path / "graph"))
    subjects = {subject_iri("device", name): name for name in names}
    subjects |= {"urn:guest": "roomy guest", ELSEWHERE: "a lamp"}
    store.extend(
        ox.Quad(ox.NamedNode(iri), ox.NamedNode(LABEL), ox.Literal(name), ox.NamedNode(iri))
        for iri, name in subjects.items()
    )
    store.flush()
    settings.GRAPH_DIR = tmp_path / "graph"
    settings.GRAPH_URL = ""
    yield
    close_pools()


def devices_of(rollout: Rollout) -> list[str]:
    return [share.device.device_id for share in plan(rollout, NOW).assignments]


def test_it_goes_to_what_the_query_yields():
    rollout = make_rollout(make_release(), target={"sparql": ALL})
    assert devices_of(rollout) == ["guest", "roomy-000", "roomy-001"]


def test_devices_that_are_no_members_are_left_out():
    rollout = make_rollout(make_release(), target={"sparql": ALL})
    Device.objects.filter(device_id="roomy-001").update(status=DeviceStatus.REVOKED)
    assert devices_of(rollout) == ["guest", "roomy-000"]


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("SELECT", "The query gave no devices"),
        ("SELECT ?device\nWHERE { ?device", "line 2, column 16: expected one of .* …"),
        ("ASK { ?s ?p ?o }", "Only a SELECT yields devices; this query is ASK"),
        ("CONSTRUCT { ?s ?p ?o } WHERE { ?s ?p ?o }", "Only a SELECT"),
        ("DELETE WHERE { ?s ?p ?o }", "refused"),
        ("SELECT ?x WHERE { SERVICE <http://127.0.0.1/> { ?x ?y ?z } }", "refused"),
        ("SELECT ?a ?b WHERE { GRAPH ?g { ?a ?p ?b } }", r"one has to be \?device"),
        (
            f"SELECT ?x WHERE {{ GRAPH ?x {{ ?s <{LABEL}> ?n }} }}",
            "1 terms that are no devices here",
        ),
        (f"SELECT ?n WHERE {{ GRAPH ?x {{ ?s <{LABEL}> ?n }} }}", "4 terms that are no devices"),
        (
            "SELECT ?device WHERE { ?device <urn:nothing> ?x }",
            "The query yields no accepted device",
        ),
    ],
)
def test_a_query_without_devices_is_refused(query, words):
    with pytest.raises(RolloutError, match=words):
        make_rollout(make_release(), target={"sparql": query})
    assert not Rollout.objects.exists()


def test_a_query_that_takes_too_long_is_told_its_limit(settings):
    settings.SPARQL_TIMEOUT_S = 0.3
    numbers = " ".join(map(str, range(300)))
    slow = "".join(f"VALUES ?{name} {{ {numbers} }} " for name in "abcd")
    query = (
        f"SELECT ?device WHERE {{ {slow} GRAPH ?g {{ ?device ?p ?o }} FILTER(?a+?b+?c+?d < 0) }}"
    )
    with pytest.raises(RolloutError, match="limit of 0.3 s"):
        make_rollout(make_release(), target={"sparql": query})


def test_rest_takes_it_and_says_what_is_wrong(admin_client: Client):
    release = make_release()
    order = {"name": "by query", "release": str(release.pk), "target": {"sparql": ALL}}
    made = admin_client.post("/api/v1/rollouts/", order, content_type="application/json")
    assert made.status_code == 201, made.content
    assert made.json()["target"] == {"sparql": ALL}
    order["target"] = {"sparql": "ASK {}"}
    wrong = admin_client.post("/api/v1/rollouts/", order, content_type="application/json")
    assert wrong.status_code == 400
    assert "Only a SELECT" in wrong.json()["detail"]


def test_the_command_reads_it_from_a_file(tmp_path: Path):
    make_release()
    file = tmp_path / "roomy.rq"
    file.write_text(ALL)
    out = io.StringIO()
    call_command("rollout", "plan", "--release", "digits/1", "--sparql", str(file), stdout=out)
    assert "2 of 3 devices" in out.getvalue()
