"""`manage.py match`: lines for programs, a table for people."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError

from registry.models import Device

pytestmark = pytest.mark.django_db


def match(*arguments: str) -> str:
    out = StringIO()
    call_command("match", *arguments, stdout=out)
    return out.getvalue()


@pytest.fixture
def world(make_device, make_variant):
    make_device("cam-01")
    make_device("cam-02", arenaBudgetBytes=1024)
    return make_variant("base"), make_variant("tiny", size=900, arena=900)


def test_every_pair_is_one_json_line(world) -> None:
    lines = [json.loads(line) for line in match().splitlines()]
    assert {(line["device"], line["variant"], line["verdict"]) for line in lines} == {
        ("cam-01", "digits/1/base", "fits"),
        ("cam-02", "digits/1/base", "does_not_fit"),
        ("cam-01", "digits/1/tiny", "fits"),
        ("cam-02", "digits/1/tiny", "fits"),
    }
    small = next(x for x in lines if (x["device"], x["variant"]) == ("cam-02", "digits/1/base"))
    assert small["reasons"][1] == {
        "constraint": "ram",
        "need": 20_000,
        "have": 1024,
        "unit": "B",
        "headroom": 1024 - 20_000,
        "holds": False,
        "basis": {"status": "derived", "source": "plan", "error": None},
    }


def test_nothing_to_match_prints_nothing(db) -> None:
    assert match() == ""


def test_a_table_says_by_how_much(world) -> None:
    table = match("--device", "cam-02")
    assert "digits/1/base" in table
    assert "does not fit" in table
    assert "18,976 B short" in table


@pytest.mark.parametrize("by_number", [True, False])
def test_a_variant_goes_by_number_or_name(world, by_number: bool) -> None:
    name = str(world[0].pk) if by_number else "digits/1/base"
    lines = [json.loads(line) for line in match("--variant", name, "--json").splitlines()]
    assert [line["device"] for line in lines] == ["cam-01", "cam-02"]


def test_only_some_constraints_can_be_asked(world) -> None:
    lines = match("--device", "cam-02", "--json", "--only", "flash,sensors").splitlines()
    answers = [json.loads(line) for line in lines]
    assert {answer["verdict"] for answer in answers} == {"fits"}
    assert {r["constraint"] for answer in answers for r in answer["reasons"]} == {
        "flash",
        "sensors",
    }


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--device", "nobody"], "no device 'nobody'"),
        (["--variant", "99999"], "no variant '99999'"),
        (["--variant", "digits/1/other"], "no variant 'digits/1/other'"),
        (["--variant", "other"], "model/release/name"),
        (["--only", "weight"], "weight"),
        (["--only", "latency"], "needs a limit"),
    ],
)
def test_what_is_not_there_is_named(world, arguments: list[str], words: str) -> None:
    with pytest.raises(CommandError, match=words):
        match(*arguments)


@pytest.mark.parametrize(
    "arguments, said",
    [
        (("--model", "nope"), "there is no model 'nope'"),
        (("--device", "cam-01", "--weights", "ram=nan"), "weight of ram"),
        (("--device", "cam-01", "--weights", "latency=1"), "limit"),
        (("--device", "cam-01", "--target-latency", "nan"), "above 0"),
        (("--device", "cam-01", "--target-latency", "5", "--beta", "1e308"), "beta"),
    ],
)
def test_what_means_nothing_is_refused_with_a_sentence(world, arguments, said) -> None:
    with pytest.raises(CommandError, match=said):
        match(*arguments)


def test_which_devices_fit_without_reasons(world) -> None:
    lines = [json.loads(line) for line in match("--fits").splitlines()]
    assert lines == [
        {"device": "cam-01", "variant": "digits/1/base"},
        {"device": "cam-01", "variant": "digits/1/tiny"},
        {"device": "cam-02", "variant": "digits/1/tiny"},
    ]


def test_fitting_by_some_constraints_only(world) -> None:
    lines = match("--fits", "--only", "flash", "--variant", "digits/1/base").splitlines()
    assert [json.loads(line)["device"] for line in lines] == ["cam-01", "cam-02"]


def test_how_many_devices_each_variant_fits(world) -> None:
    Device.objects.create(device_id="silent")  # has not described itself
    counted = [json.loads(line) for line in match("--count", "--json").splitlines()]
    assert counted == [
        {"variant": "digits/1/base", "fits": 1, "unknown": 1, "does_not_fit": 1},
        {"variant": "digits/1/tiny", "fits": 2, "unknown": 1, "does_not_fit": 0},
    ]
    table = match("--count")
    assert "Does not fit" in table
    assert "digits/1/base" in table


@pytest.mark.parametrize("how", ["--fits", "--count"])
def test_a_device_that_nobody_has_is_not_counted(world, how: str) -> None:
    with pytest.raises(CommandError, match=how):
        match(how, "--ram", "8kB")
