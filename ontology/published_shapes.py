"""A variant in the shapes in which published queries over the TinyML schema ask for networks.

The same facts stand in this ontology's own terms too; here they are worded as in Ren et al.'s
descriptions: memory as conditions in kilobytes of 1000 bytes, accuracy in per cent, inputs with the
sensors that may provide them. Each is said at most once a variant, so such a query has one row for
it: of several figures, the one to believe whatever the target.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import replace

from ontology.describe import Description, Value, link
from ontology.facts import Figure, Metric, Need
from ontology.matching.figures import accuracy_of, best_figure
from ontology.namespaces import expand
from ontology.vocabulary import network_categories, sensor_class

BYTES_PER_KILOBYTE = 1000  # om:kilobyte is the SI unit, 1000 B


def describe_as_published(variant: Description, need: Need, category: str, trained_on: str) -> None:
    """Memory, inputs, accuracy, category and training data, as far as each is known.

    `category` is the local name of one of the TinyML schema's; `trained_on` an address or words.
    """
    _describe_condition(variant, "ram", "s3n_extend:RAM", _most_bytes(need, Metric.ARENA_BYTES))
    _describe_condition(variant, "flash", "s3n_extend:Flash", _flash_bytes(need))
    _describe_input(variant, need)
    accuracy = accuracy_of(need)
    if accuracy is not None:
        metric = variant.part("top-1-accuracy").a("nnet:Top_1_accuracy")
        metric.has("nnet:hasMetricValue", round(accuracy * 100, 6))
        variant.is_to("nnet:hasMetric", metric.iri.value)
    variant.is_to("nnet:hasCategory", _category(category, accuracy))
    variant.has("nnet:trainingDataset", link_or_words(trained_on))


def _category(stated: str, accuracy: float | None) -> str | None:
    """What has a share of right answers classifies, even where nobody says so."""
    name = stated or ("Classification" if accuracy is not None else "")
    iri = expand(f"nnet:{name}")
    return iri if iri in network_categories() else None


def _flash_bytes(need: Need) -> int | None:
    if need.flash_bytes is not None:
        return need.flash_bytes
    return _most_bytes(need, Metric.FLASH_BYTES)


def _most_bytes(need: Need, metric: Metric) -> int | None:
    """The most that it takes on any target, by the most trusted kind of figure."""
    figure = best_figure(_anywhere(need.figures), metric, None, None)
    return None if figure is None else math.ceil(figure.value)


def _anywhere(figures: Iterable[Figure]) -> Iterable[Figure]:
    return (replace(figure, runtime=None, board=None) for figure in figures)


def _describe_condition(variant: Description, name: str, kind: str, size: int | None) -> None:
    if size is None:
        return
    memory = variant.part(f"{name}-condition").a(kind).is_to("schema:unitCode", "om:kilobyte")
    memory.has("schema:minValue", size / BYTES_PER_KILOBYTE)
    feature = variant.part(f"{name}-feature").a("s3n:ProcedureFeature")
    feature.is_to("ssn-system:inCondition", memory.iri.value)
    variant.is_to("s3n:hasProcedureFeature", feature.iri.value)


def _describe_input(variant: Description, need: Need) -> None:
    """One input, provided by a sensor of each needed kind together."""
    if not need.sensors:
        return
    whole = variant.part("network-input").a("nnet:NetworkInput")
    variant.is_to("ssn:hasInput", whole.iri.value)
    for kind in sorted({sensor.kind for sensor in need.sensors}):
        source = variant.part(f"source-{kind}").a(sensor_class(kind)).has("tf:sensorKind", kind)
        source.is_to("ssn_extend:provideInput", whole.iri.value)


def link_or_words(text: str) -> Value:
    """An address as a thing, so that it can be followed; anything else as it is written."""
    return (link(text) if "://" in text else None) or text
