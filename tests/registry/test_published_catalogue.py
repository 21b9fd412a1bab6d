"""The shipped facts are those of the publications, row by row, and load as rows of their own."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from django.core.management import call_command

from ontology.facts import Metric, Status
from registry.models import (
    BoardType,
    CitedWork,
    GraphChange,
    Measurement,
    RegisteredModel,
    Remark,
    Technique,
    Variant,
)
from registry.services.catalogue import CatalogueError, Change, load_catalogue
from registry.services.graph_check import incomplete
from registry.services.published import PUBLISHED_DIR, load_published
from registry.services.published_entries import read_published
from registry.services.published_facts import FigureEntry, VariantEntry

SHIPPED = read_published(PUBLISHED_DIR)


@cache
def variants() -> dict[str, VariantEntry]:
    return {
        each.name: each
        for model in SHIPPED.models
        if not model.name.startswith("mlperf")
        for each in model.variants
    }


def rows(file: Path) -> list[dict[str, str]]:
    with file.open(newline="", encoding="utf-8") as lines:
        return list(csv.DictReader(lines))


def figures(variant: VariantEntry, metric: Metric, **where: object) -> list[FigureEntry]:
    """The variant's figures of a metric whose target, source or conditions are as given."""
    return [
        each
        for each in variant.figures
        if each.figure.metric is metric
        and all(getattr(each.figure, name) == value for name, value in where.items())
    ]


MCUNET_RUNTIMES = {
    "tflite-micro@713b6ed": ("tflite-micro", "713b6ed"),
    "cmsis-nn@011bf32": ("cmsis-nn", "011bf32"),
    "x-cube-ai@7.3.0": ("stm32cube-ai", "7.3.0"),
    "tinyengine@0363956": ("tinyengine", "0363956"),
}
MCUNET_COLUMNS = {
    "latency_ms": (Metric.LATENCY_MS, 1),
    "sram_kb": (Metric.ARENA_BYTES, 1000),
    "flash_kb": (Metric.FLASH_BYTES, 1000),
}


def test_every_network_on_the_stm32h743_under_every_runtime(data_dir: Path) -> None:
    published = rows(data_dir / "published" / "mcunet_stm32h743.csv")
    for row in published:
        variant = variants()[row["network"]]
        runtime = MCUNET_RUNTIMES[row["runtime"]]
        on_it = [f for f in variant.figures if f.figure.runtime is not None]
        on_it = [f for f in on_it if (f.figure.runtime.name, f.figure.runtime.version) == runtime]
        assert all(each.figure.board == "stm32h743" for each in on_it)
        said = {each.figure.metric: each.figure.value for each in on_it}
        expected = {
            metric: float(row[column]) * factor
            for column, (metric, factor) in MCUNET_COLUMNS.items()
            if row[column]
        }
        assert said == expected, row
        remarks = [
            r.text for r in variant.remarks if (r.runtime.name, r.runtime.version) == runtime
        ]
        assert remarks == ([row["note"]] if row["note"] else []), row
    assert len(published) == 44


def test_every_mnasnet_on_the_pixel(data_dir: Path) -> None:
    published = rows(data_dir / "published" / "mnasnet_pixel1.csv")
    family = next(model for model in SHIPPED.models if model.name == "mnasnet")
    assert [each.name for each in family.variants] == [row["model"] for row in published]
    for row, variant in zip(published, family.variants, strict=True):
        said = {each.figure.metric: each.figure.value for each in variant.figures}
        assert said == pytest.approx(
            {
                Metric.ACCURACY: float(row["top1"]) / 100,
                Metric.TOP5_ACCURACY: float(row["top5"]) / 100,
                Metric.PARAMETERS: float(row["params_m"]) * 1e6,
                Metric.MACS: float(row["multiply_adds_m"]) * 1e6,
                Metric.LATENCY_MS: float(row["pixel1_latency_ms"]),
            }
        )
        assert [each.figure.board for each in figures(variant, Metric.LATENCY_MS)] == ["pixel-1"]
        assert variant.shape["input"] == (int(row["input_size"]),) * 2 + (3,)
        assert variant.shape["depth_multiplier"] == float(row["depth_multiplier"])


REFERENCE = {
    "peak_sram": (Metric.ARENA_BYTES, 1000),
    "memory": (Metric.ARENA_BYTES, 1e9),
    "inference_memory": (Metric.ARENA_BYTES, 1e9),
    "training_sram": (Metric.TRAINING_BYTES, 1000),
    "training_memory": (Metric.TRAINING_BYTES, 1e9),
    "flash": (Metric.FLASH_BYTES, 1000),
    "top1": (Metric.ACCURACY, 0.01),
    "score": (Metric.SCORE, 0.01),
    "parameters": (Metric.PARAMETERS, 1),
    "angular_error": (Metric.ANGULAR_ERROR_DEG, 1),
    "psnr": (Metric.PSNR_DB, 1),
    "frame_rate": (Metric.FRAME_RATE_HZ, 1),
    "generation_rate": (Metric.TOKENS_PER_S, 1),
    "first_token_latency": (Metric.FIRST_TOKEN_MS, 1),
}


def test_every_figure_of_the_reference_models(data_dir: Path) -> None:
    published = rows(data_dir / "published" / "reference_models.csv")
    boards = {platform.name: platform.slug for platform in SHIPPED.platforms}
    found = []
    for row in published:
        factor_of = {"s": 1000, "ms": 1} if row["metric"] == "latency" else {}
        metric, factor = REFERENCE.get(row["metric"], (Metric.LATENCY_MS, None))
        factor = factor_of.get(row["unit"], factor)
        said = figures(
            variants()[row["model"]],
            metric,
            value=pytest.approx(float(row["value"]) * factor),
            status=Status(row["status"]),
            source=row["source"],
            dataset=row["accuracy_task"],
        )
        assert len(said) == 1, row
        figure = said[0].figure
        named = f"{said[0].precision} {figure.conditions}"
        assert said[0].note == row["note"]
        assert figure.board == boards.get(row["device"])
        assert figure.board or not row["device"] or figure.conditions == row["device"]
        assert set(row["runtime_or_precision"].replace("+", " ").split()) <= set(named.split())
        found.append(id(said[0]))
    assert len(set(found)) == len(published) == 59


def test_every_submission_to_mlperf_tiny(data_dir: Path) -> None:
    published = rows(data_dir / "mlperf-tiny" / "results_v1.2_summary.csv")
    boards = {platform.name: platform.slug for platform in SHIPPED.platforms}
    for row in published:
        said = list(submission(row["Model"], row["SystemDesc"], row["Organization"]))
        values = {each.figure.metric: each.figure.value for each in said}
        quality = float(row["Accuracy"])
        expected = {Metric.LATENCY_MS: 1000 / float(row["Result"])}
        expected |= (
            {Metric.AUC: quality} if row["Model"] == "ad" else {Metric.ACCURACY: quality / 100}
        )
        if row["HasPower"] == "True":
            expected[Metric.ENERGY_MJ] = float(row["Power"]) / 1000
        assert values == pytest.approx(expected), row
        figure = said[0].figure
        assert figure.board == boards.get(row["BoardName"], row["BoardName"].lower())
        assert figure.status is Status.PUBLISHED
        assert row["HostProcessorFrequency"] in figure.conditions
        assert row["HardwareNotes"] in {"None", ""} or row["HardwareNotes"] in figure.conditions
        assert row["Availability"] in said[0].note and row["Division"] in said[0].note
        assert (figure.runtime is None) == (row["BoardName"] == "EK-RA8D1")
    shipped = sum(len(v.figures) for m in SHIPPED.models for v in m.variants if "mlperf" in m.name)
    powered = sum(row["HasPower"] == "True" for row in published)
    assert shipped == 2 * len(published) + powered


def submission(task: str, system: str, organisation: str) -> Iterator[FigureEntry]:
    family = next(model for model in SHIPPED.models if model.name == f"mlperf-tiny-{task}")
    for variant in family.variants:
        for each in variant.figures:
            by = each.note.startswith(f"submitted by {organisation},")
            if by and each.figure.conditions.split(";")[0] == system:
                yield each


def test_every_technique(data_dir: Path) -> None:
    published = rows(data_dir / "published" / "techniques.csv")
    said = [
        (t.name, t.kind, t.applies_to, t.condition, t.achieved, t.source)
        for t in SHIPPED.techniques
    ]
    assert said == [tuple(row.values()) for row in published]


def test_every_layer_of_the_network_at_five_frames_a_second(data_dir: Path) -> None:
    published = json.loads((data_dir / "published" / "mcunet_5fps_layers.json").read_text())
    variant = variants()[published["network"]]
    columns = published["columns"].split(",")
    assert [[layer[name] for name in columns] for layer in variant.convolutions] == (
        published["convs"]
    )
    assert list(variant.shape["input"]) == published["input"]


@pytest.fixture
def published(db) -> None:
    load_catalogue()
    load_published()


def test_the_facts_become_rows_and_loading_them_again_changes_nothing(published) -> None:
    entries = [variant for model in SHIPPED.models for variant in model.variants]
    marks = GraphChange.objects.count()
    again = load_published()
    assert again.variants == {Change.UNCHANGED: len(entries)}
    assert again.figures == {Change.UNCHANGED: Measurement.objects.count()}
    assert again.techniques == {Change.UNCHANGED: Technique.objects.count()}
    assert GraphChange.objects.count() == marks
    assert Variant.objects.filter(artifact=None).count() == len(entries)
    assert Measurement.objects.count() == sum(len(each.figures) for each in entries) + 1
    assert Remark.objects.count() == sum(len(each.remarks) for each in entries)
    assert set(RegisteredModel.objects.values_list("reference", flat=True)) == {True}
    assert not Measurement.objects.filter(status=Status.MEASURED.value).exists()
    assert CitedWork.objects.get().out_of_scope_because
    # Nobody here can complete a publication, so nothing asks for it.
    assert not [said for said in incomplete() if said.startswith(("variant/", "release/"))]
    figure = Measurement.objects.get(variant__name="mcunet-5fps")
    assert (figure.metric, figure.status, figure.unit) == ("macs", "derived", "MAC")
    layers = next(each for each in entries if each.name == "mcunet-5fps").convolutions
    weights = (each["in_channels"] // each["groups"] * each["out_channels"] * each["kernel"] ** 2
               for each in layers)  # fmt: skip
    places = (each["out_size"] ** 2 for each in layers)
    assert figure.value == sum(a * b for a, b in zip(weights, places, strict=True))


def test_hardware_alone_can_be_loaded(db) -> None:
    call_command("load_catalogue", hardware=True)
    assert BoardType.objects.exists()
    assert not RegisteredModel.objects.exists()
    call_command("load_catalogue")
    assert RegisteredModel.objects.filter(reference=True).exists()


def test_a_model_of_the_installation_is_not_overwritten(db) -> None:
    load_catalogue()
    RegisteredModel.objects.create(name="mnasnet", task="mine")
    with pytest.raises(CatalogueError, match="model mnasnet.*has this name"):
        load_published()
    assert RegisteredModel.objects.get().task == "mine"
    assert not Technique.objects.exists()


MODEL = """
models:
  - name: some-model
    task: a task
    source: a paper
    variants:
      - name: Some/Network-1.0
        figures:
          - {board: some-board, runtime: tinyengine@1/x, arena: 3 kB, latency: 4 ms}
"""
TECHNIQUE = """
techniques:
  - slug: some-way
    name: Some way
    kind: pruning
    applies_to: any
    condition: weights at hand
    preconditions: [weights_trainable]
    achieved: twice as fast
    source: a paper
"""


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (MODEL, ["some-model", "'some-board'", "lacks"]),
        (MODEL.replace("3 kB", "3 ms"), ["some-model", "Some/Network-1.0", "arena", "'3 ms'"]),
        (MODEL.replace("3 kB", "much"), ["a number", "'much'"]),
        (MODEL.replace("3 kB", "-3 kB"), ["above zero"]),
        (MODEL.replace("3 kB", "NaN kB"), ["above zero"]),
        (MODEL.replace("arena: 3 kB, latency: 4 ms", "note: x"), ["without a figure"]),
        (MODEL.replace("arena", "sram"), ["unknown key 'sram'"]),
        (MODEL.replace("tinyengine@1/x", "Tiny Engine"), ["runtime", "NAME@VERSION"]),
        (MODEL.replace("task: a task", "task: a task\n    traits: {quick: true}"), ["'quick'"]),
        (
            MODEL.replace("task: a task", "task: a task\n    traits: {int8: true}"),
            ["traits_source"],
        ),
        (MODEL.replace("name: Some/", "parent: other\n        name: Some/"), ["parent"]),
        (MODEL + MODEL.split("models:\n")[1], ["given twice"]),
        (TECHNIQUE.replace("weights_trainable", "magic"), ["some-way", "'magic'"]),
        (TECHNIQUE.replace("    kind: pruning\n", ""), ["some-way", "lacks kind"]),
        ("boards: []", ["platforms or models"]),
    ],
)
def test_a_faulty_file_is_named_with_entry_and_rule_and_changes_nothing(
    db, tmp_path: Path, text: str, names: list[str]
) -> None:
    (tmp_path / "facts.yaml").write_text(text)
    with pytest.raises(CatalogueError) as refused:
        load_published(tmp_path)
    for name in names:
        assert name in str(refused.value)
    assert not RegisteredModel.objects.exists()
    assert not Technique.objects.exists()
