"""Which techniques apply to a model on a device, asked by command, over REST and of the graph."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from ontology.store import MemoryStore
from registry.models import CitedWork, Device, RegisteredModel, Technique, Variant
from registry.services.graph_check import differences
from registry.services.graph_sync import drain
from registry.services.inventory import save_model
from tests.registry.asking import answers, device, variant
from tests.registry.published_world import GIGABYTE, load_facts, make_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def phone(db) -> Device:
    load_facts()
    return make_device("phone", "iphone-15-pro-max", 8 * GIGABYTE)


def ask(name: str, *arguments: str) -> dict[str, dict]:
    out = StringIO()
    call_command("techniques", "--variant", name, *arguments, "--json", stdout=out)
    rows = map(json.loads, out.getvalue().splitlines())
    return {row["technique"]: row for row in rows}


def outcomes(name: str, *arguments: str) -> dict[str, str]:
    return {key: row["outcome"] for key, row in ask(name, *arguments).items()}


def test_what_applies_follows_from_preconditions(phone: Device) -> None:
    llama = outcomes("TinyLlama-1.1B", "--device", "phone", "--holds", "reused_chunks")
    assert llama["cacheblend"] == "applies"
    assert llama["coreinfer"] == "unknown", "nobody says whether its activations are sparse"
    assert llama["patch-based-inference"] == "does_not_apply"
    image = outcomes("MCUNetV2-M4", "--holds", "reused_chunks,sparse_activations")
    assert image["cacheblend"] == image["coreinfer"] == "does_not_apply"
    assert image["patch-based-inference"] == "applies"
    assert outcomes("CCT-2/3x2", "--holds", "reused_chunks")["cacheblend"] == "does_not_apply"
    sparse = outcomes("TinyLlama-1.1B", "--holds", "sparse_activations")
    dense = outcomes("TinyLlama-1.1B", "--fails", "sparse_activations")
    assert (sparse["coreinfer"], dense["coreinfer"]) == ("applies", "does_not_apply")
    rate = ask("TinyLlama-1.1B")["cacheblend"]
    assert rate["achieved"].startswith("TTFT 2.2 to 3.3x")
    assert rate["preconditions"] == {"rotary_positions": True, "reused_chunks": None}


def test_sparse_activations_are_known_where_a_publication_states_them(phone: Device) -> None:
    said = {name: outcomes(name)["coreinfer"] for name in ("OPT-6.7B", "ProSparse-LLaMA-2-7B")}
    assert set(said.values()) == {"applies"}
    assert outcomes("MobileR2L")["coreinfer"] == "does_not_apply", "it is no transformer"
    assert outcomes("StableCode-3B")["coreinfer"] == "unknown"
    drain(store := MemoryStore())
    row = Variant.objects.get(name="OPT-6.7B")
    asked = {"variant": variant(row), "device": device("phone")}
    assert "coreinfer" in {
        each["technique"] for each in answers(store, "techniques-for-pair", **asked)
    }


def test_the_device_decides_where_the_precondition_is_about_it(phone: Device) -> None:
    make_device("mote", "stm32f412", 200_000)
    make_device("pixel", "pixel-1", GIGABYTE)
    small = "Encoder-Decoder-330M"
    assert outcomes(small, "--device", "phone")["encoder-decoder-split"] == "unknown"
    seq = ("--holds", "sequence_to_sequence")
    on_phone = outcomes("TinyLlama-1.1B", "--device", "phone", *seq)
    on_mote = outcomes("TinyLlama-1.1B", "--device", "mote", *seq)
    assert on_phone["encoder-decoder-split"] == "applies"
    assert on_mote["encoder-decoder-split"] == "does_not_apply"
    assert outcomes("mnasnet-a1", "--device", "pixel")["mnasnet-reward"] == "applies"
    assert outcomes("mnasnet-a1", "--device", "phone")["mnasnet-reward"] == "unknown"
    Variant.objects.get(name="mnasnet-a1-035").measurements.filter(metric="latency_ms").delete()
    assert outcomes("mnasnet-a1", "--device", "pixel")["mnasnet-reward"] == "unknown"


def test_what_is_stated_of_a_device_counts(phone: Device, reader, owner: Client) -> None:
    path, said = "/api/v1/devices/phone/traits/", {"traits": {"labelled_stream": True}}
    store = MemoryStore()
    drain(store)
    assert reader.put(path, said, "application/json").status_code == 403
    assert owner.put(path, {"traits": {"magic": True}}, "application/json").status_code == 400
    assert owner.put(path, {"traits": {"int8": "yes"}}, "application/json").status_code == 400
    assert owner.put(path, said, "application/json").json() == said
    assert reader.get("/api/v1/devices/phone/").json()["traits"] == said["traits"]
    drain(store)
    assert list(differences(store)) == []
    assert outcomes("MCUNetV2-M4", "--device", "phone")["tinyol-online-head"] == "applies"
    assert outcomes("MCUNetV2-M4")["tinyol-online-head"] == "unknown"
    denied = outcomes("MCUNetV2-M4", "--device", "phone", "--fails", "labelled_stream")
    assert denied["tinyol-online-head"] == "does_not_apply"


def test_an_own_network_is_judged_by_what_its_file_says(phone: Device, make_variant) -> None:
    own = make_variant("base", description={"inputs": [{"shape": [1, 96, 96, 1]}]})
    said = outcomes(str(own))
    assert said["patch-based-inference"] == "applies"
    assert said["cacheblend"] == "does_not_apply", "it has no operator that could attend"
    child = make_variant("child", parent=own, accuracy=0.9)
    assert outcomes(str(child))["tinyvit-sparse-logit-distillation"] == "applies"


def test_rest_answers_the_same(phone: Device, reader: Client) -> None:
    llama = Variant.objects.get(name="TinyLlama-1.1B")
    path = f"/api/v1/variants/{llama.pk}/techniques/"
    rows = reader.get(path, {"device": "phone", "holds": "reused_chunks"}).json()
    by_command = outcomes(str(llama), "--device", "phone", "--holds", "reused_chunks")
    assert {row["slug"]: row["outcome"] for row in rows} == by_command
    applying = reader.get(path, {"holds": "reused_chunks", "outcome": "applies"}).json()
    assert {"cacheblend", "adapt-pruner"} == {row["slug"] for row in applying}
    blend = next(row for row in rows if row["slug"] == "cacheblend")
    assert blend["preconditions"][0] == {
        "key": "rotary_positions",
        "label": "rotary positions",
        "holds": True,
    }
    assert reader.get(path, {"holds": "magic"}).status_code == 400
    assert reader.get(path, {"device": "nobody"}).status_code == 404
    assert reader.get("/api/v1/techniques/").json()["count"] == Technique.objects.count()
    assert reader.get("/api/v1/techniques/cacheblend/").json()["kind"] == "serving"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--variant", "none/1/x"], "no variant"),
        (["--variant", "digits/1/base", "--device", "nobody"], "no device"),
        (["--variant", "digits/1/base", "--holds", "magic"], "no precondition 'magic'"),
    ],
)
def test_a_bad_question_is_refused(make_variant, arguments, words: str) -> None:
    make_variant("base")
    with pytest.raises(CommandError, match=words):
        call_command("techniques", *arguments)


def test_a_table_says_why(phone: Device) -> None:
    out = StringIO()
    call_command("techniques", "--variant", "TinyLlama-1.1B", stdout=out)
    lines = {line.split("  ")[0]: line for line in out.getvalue().splitlines()}
    assert "not known: reused chunks" in lines["CacheBlend"]
    assert "not so: convolutional" in lines["Patch-based inference"]


def test_changed_traits_reach_the_graph(phone: Device) -> None:
    store = MemoryStore()
    drain(store)
    model = RegisteredModel.objects.get(name="mellow")
    model.traits, model.language_model = {"rotary_positions": True}, False
    save_model(model)
    drain(store)
    assert list(differences(store)) == []


def test_the_benchmark_of_quantum_measurement_is_cited_and_never_matched(
    phone: Device, reader: Client
) -> None:
    work = CitedWork.objects.get(slug="cshorebench")
    assert "quantum" in work.out_of_scope_because
    assert reader.get("/api/v1/cited-works/cshorebench/").json()["source"] == work.source
    store = MemoryStore()
    drain(store)
    because = "https://w3id.org/tinyfleet/ontology#outOfScopeBecause"
    (row,) = store.select(f"SELECT ?work ?why WHERE {{ ?work <{because}> ?why }}")
    assert row["why"].value == work.out_of_scope_because
    asked = f"SELECT ?kind WHERE {{ {row['work']} a ?kind }}"
    kinds = {each["kind"].value.rpartition("/")[2] for each in store.select(asked)}
    assert kinds == {"CreativeWork"}
    assert not Technique.objects.filter(name__icontains="cshore").exists()
    assert not Variant.objects.filter(name__icontains="cshore").exists()
