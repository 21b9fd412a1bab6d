"""Reference models are judged where somebody asks for them, and only there."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.test import Client

from registry.models import Measurement, RegisteredModel, Runtime
from registry.services.matching import assess_pair
from registry.services.published import PUBLISHED_DIR
from registry.services.published_entries import read_published
from tests.registry.published_world import GIGABYTE, load_facts, make_device

pytestmark = pytest.mark.django_db


@pytest.fixture
def published(db) -> None:
    load_facts()


def match(*arguments: str) -> list[dict]:
    out = StringIO()
    call_command("match", *arguments, "--json", stdout=out)
    return [json.loads(line) for line in out.getvalue().splitlines()]


def what_if(client: Client, **query) -> list[dict]:
    answer = client.get("/api/v1/what-if/", {"reference": True, "limit": 1000, **query})
    assert answer.status_code == 200, answer.content
    return answer.json()["results"]


ON_PHONES = {
    "TinyLlama-1.1B": ("fits", "does_not_fit"),
    "Mellow": ("unknown", "unknown"),
    "TinyGPT-V": ("fits", "does_not_fit"),
}


def test_phones_hold_what_their_memory_holds(published, reader: Client) -> None:
    make_device("phone-8", "iphone-15-pro-max", 8 * GIGABYTE)
    make_device("phone-4", "iphone-13", 4 * GIGABYTE)
    for variant, verdicts in ON_PHONES.items():
        found = {row["device"]: row for row in match("--variant", variant, "--only", "ram")}
        assert (found["phone-8"]["verdict"], found["phone-4"]["verdict"]) == verdicts, variant
        for device, verdict in zip(("phone-8", "phone-4"), verdicts, strict=True):
            pair = {"device": device, "variant": variant, "only": "ram"}
            assert reader.get("/api/v1/compatibility/", pair).json()["verdict"] == verdict
            whole = reader.get("/api/v1/compatibility/", pair | {"only": "ram,operators"}).json()
            assert whole["verdict"] == ("unknown" if verdict == "fits" else verdict)


def test_memory_to_learn_is_not_memory_to_run(published) -> None:
    rows = Measurement.objects.filter(variant__name="TinyGPT-V").values_list("metric", "value")
    said = dict(rows)
    assert (said["training_bytes"], said["arena_bytes"]) == (24 * GIGABYTE, 8 * GIGABYTE)
    device = make_device("phone-9", "iphone-15-pro-max", 9 * GIGABYTE)
    variant = Measurement.objects.filter(variant__name="TinyGPT-V").first().variant
    ram = assess_pair(device, variant).reasons[1]
    assert (ram.need, ram.holds) == (8 * GIGABYTE, True)


WITHIN = {
    "tinyengine": {
        "mcunet-vww0",
        "mcunet-vww1",
        "mcunet-vww2",
        "mcunet-in1",
        "proxyless-w0.3-r64",
        "mbv2-w0.3-r64",
    },
    "tflite-micro@713b6ed": {"mcunet-vww0"},
}


def test_what_stays_within_some_memory_depends_on_the_runtime(published, reader) -> None:
    for runtime, networks in WITHIN.items():
        assert _within_by_command(runtime) == networks
        asked = {"ram_bytes": 192_000, "flash_bytes": 800_000, "runtime": runtime}
        rows = what_if(reader, board="stm32h743", only="ram,flash", **asked)
        assert {row["variant"].split("/", 2)[2] for row in rows} == networks


def _within_by_command(runtime: str) -> set[str]:
    size = ["--ram", "192kB", "--flash", "800 kB", "--board", "stm32h743", "--runtime", runtime]
    rows = match("--reference", *size, "--only", "ram,flash")
    return {row["variant"].split("/", 2)[2] for row in rows if row["verdict"] == "fits"}


BEST = {
    78: "mnasnet-a1",
    60: "mnasnet-a1_d1.0_i192",
    40: "mnasnet-a1_d1.0_i160",
    25: "mnasnet-a1_d0.5_i192",
    10: "mnasnet-a1_d0.35_i128",
}


def test_the_reward_finds_the_best_of_a_family_for_a_latency(published, reader: Client) -> None:
    make_device("pixel", "pixel-1", 10**9)
    for target, best in BEST.items():
        rows = match("--model", "mnasnet", "--device", "pixel", "--target-latency", f"{target}")
        merits = [row["merit"] for row in rows]
        assert rows[0]["variant"] == f"mnasnet/1/{best}"
        assert merits == sorted(merits, reverse=True)
        asked = {"model": "mnasnet", "board": "pixel-1", "target_latency_ms": target}
        assert what_if(reader, verdict="any", **asked)[0]["variant"] == f"mnasnet/1/{best}"


def test_a_table_shows_the_merit_where_an_order_was_asked_for(published) -> None:
    asked = ["--variant", "TinyLlama-1.1B", "--ram", "8GB", "--only", "ram"]
    plain, ordered = StringIO(), StringIO()
    call_command("match", *asked, stdout=plain)
    call_command("match", *asked, "--rank", stdout=ordered)
    assert "3,690,000,000 B to spare" in plain.getvalue()
    assert "Merit" not in plain.getvalue()
    assert "not known" in ordered.getvalue()


def test_the_soft_form_pays_for_speed(published) -> None:
    asked = ["--model", "mnasnet", "--board", "pixel-1", "--target-latency", "78"]
    soft = match(*asked, "--alpha", "-0.3", "--beta", "-0.3")
    assert soft[0]["variant"] != f"mnasnet/1/{BEST[78]}"
    # On another board no latency is known, and so no reward.
    rows = match("--model", "mnasnet", "--board", "iphone-13", "--target-latency", "78")
    assert {row["merit"] for row in rows} == {None}


def test_nobody_is_shown_reference_models_who_did_not_ask(
    published, reader: Client, make_variant
) -> None:
    make_device("board", "stm32f412", 60_000)
    own = make_variant("base")
    assert {row["variant"] for row in match()} == {str(own)}
    assert {row["variant"] for row in match("--device", "board")} == {str(own)}
    assert len(match("--reference")) > 70
    assert len(match("--model", "mnasnet")) == 25
    listed = reader.get("/api/v1/variants/").json()["results"]
    assert [row["variant"] for row in listed] == [str(own)]
    assert reader.get("/api/v1/variants/?model=tinyvit").json()["count"] == 3
    assert reader.get("/api/v1/variants/?reference=true").json()["count"] > 70
    reference = len(read_published(PUBLISHED_DIR).models)
    for kind in ("models", "releases"):
        assert reader.get(f"/api/v1/{kind}/").json()["count"] == 1
        assert reader.get(f"/api/v1/{kind}/?reference=true").json()["count"] == reference
    path = "/api/v1/devices/board/compatible-variants/?verdict=any"
    assert [row["variant"] for row in reader.get(path).json()["results"]] == [str(own)]
    assert reader.get(f"{path}&model=tinyvit").json()["count"] == 3
    model = reader.get("/api/v1/models/tinyllama/").json()
    assert (model["reference"], model["language_model"]) == (True, True)
    assert model["traits"]["rotary_positions"] is True
    assert model["traits_source"]


def test_weights_of_ones_own_change_the_order(reader: Client, make_variant, boards) -> None:
    make_variant("exact", size=90_000, arena=60_000, accuracy=0.95)
    make_variant("slim", size=10_000, arena=5_000, accuracy=0.90)
    make_variant("untold", arena=5_000)
    asked = ["--ram", "64kB", "--flash", "100kB", "--runtime", "tflite-micro/cmsis_nn"]
    asked += ["--board", "disco-f746ng", "--only", "ram,flash"]

    def order(*how: str) -> list[str]:
        return [row["variant"].rpartition("/")[2] for row in match(*asked, *how)]

    assert order("--rank") == ["exact", "slim", "untold"]
    assert order("--weights", "accuracy=1,ram=0.5") == ["slim", "exact", "untold"]
    assert order("--weights", "flash=1") == ["slim", "untold", "exact"]
    page = reader.get(
        "/api/v1/what-if/",
        {"ram_bytes": 64_000, "flash_bytes": 100_000, "runtime": "tflite-micro/cmsis_nn",
         "board": "disco-f746ng", "only": "ram,flash", "weights": "accuracy=1,ram=0.5"},
    ).json()  # fmt: skip
    assert [row["variant"] for row in page["results"]][0] == "digits/1/slim"


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--rank"], "one device"),
        (["--device", "x", "--ram", "1kB"], "describe one"),
        (["--board", "no-such"], "there is no board"),
        (["--runtime", "tflite-micro"], "name one of .*cmsis_nn"),
        (["--runtime", "No Such"], "NAME@VERSION"),
        (["--ram", "1kB", "--weights", "ram=1", "--target-latency", "5"], "give one"),
        (["--ram", "1kB", "--target-latency", "0"], "above 0"),
        (["--ram", "much"], "must be a size"),
        (["--weights", "beauty=1", "--ram", "1kB"], "'beauty' has no weight"),
        (["--weights", "ram=x", "--ram", "1kB"], "is no number"),
    ],
)
def test_a_question_that_makes_no_sense_is_refused(boards, arguments, words: str) -> None:
    for kernels in ("reference", "cmsis_nn"):
        Runtime.objects.create(name="tflite-micro", version="2024", kernels=kernels)
    with pytest.raises(CommandError, match=words):
        match(*arguments)


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ({"only": "beauty"}, "only"),
        ({"only": "latency"}, "only"),
        ({"weights": "beauty=1"}, "weights"),
        ({"weights": "ram=x"}, "weights"),
        ({"weights": "ram=1", "target_latency_ms": 5}, "weights"),
        ({"weights": "accuracy=nan"}, "weights"),
        ({"weights": "accuracy=1e308,ram=1e308"}, "weights"),
        ({"target_latency_ms": 0}, "target_latency_ms"),
        ({"target_latency_ms": "nan"}, "target_latency_ms"),
        ({"target_latency_ms": 40, "beta": 1e308}, "target_latency_ms"),
        ({"model": "no-such"}, "model"),
        ({"board": "no-such"}, "detail"),
        ({"runtime": "no-such"}, "detail"),
        ({"ram_bytes": "1" * 30}, "ram_bytes"),
    ],
)
def test_a_bad_question_over_rest_names_its_parameter(db, reader: Client, query, name) -> None:
    answer = reader.get("/api/v1/what-if/", query)
    assert answer.status_code == 400
    assert list(answer.json()) == [name]


def test_an_unasked_constraint_never_makes_a_fit(reader: Client, make_variant) -> None:
    """Only latency, and no limit to hold it against, would be a fit for want of a question."""
    make_variant("base")
    assert reader.get("/api/v1/what-if/?only=latency").status_code == 400
    known = reader.get("/api/v1/what-if/?only=latency&latency_ms=5&verdict=any").json()
    assert [row["verdict"] for row in known["results"]] == ["unknown"]


def test_reference_is_not_set_over_rest(owner: Client) -> None:
    answer = owner.post("/api/v1/models/", {"name": "mine", "reference": True}, "application/json")
    assert answer.status_code == 201
    assert not RegisteredModel.objects.get(name="mine").reference
    bad = owner.patch("/api/v1/models/mine/", {"traits": {"magic": True}}, "application/json")
    assert bad.status_code == 400
    assert "magic" in str(bad.json())
