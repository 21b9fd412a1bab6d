"""The 23 networks of Ren et al. as files: flash and MACs against what is published of them."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import pytest
import rdflib

from ontology.facts import Metric
from registry.footprint.description import describe
from registry.footprint.figures import derived_figures
from registry.footprint.macs import operator_macs

_COUNTED = {"CONV_2D", "DEPTHWISE_CONV_2D", "FULLY_CONNECTED"}
# Published as 18,740,190; its layers' shapes give two more.
_OFF_BY_TWO_AT_THE_SOURCE = "ARM_MicroNet_Small_anomaly_detection"
_QUERY = """
PREFIX nnet: <https://w3id.org/tinyml-schema/neural-network-schema#>
PREFIX s3n: <http://w3id.org/s3n/>
PREFIX ext: <https://w3id.org/tinyml-schema/neural-network-schema/s3n_extend/>
PREFIX sys: <http://www.w3.org/ns/ssn/systems/>
PREFIX schema: <https://schema.org/>
SELECT ?name ?macs ?kilobytes WHERE {
  ?network schema:name ?name ; nnet:hasMultiplyAccumulateOps ?macs ;
    s3n:hasProcedureFeature/sys:inCondition ?flash .
  ?flash a ext:Flash ; schema:minValue ?kilobytes }
"""


@cache
def published(folder: Path) -> dict[str, tuple[float, float]]:
    """Network to MACs and flash in kilobytes of 1000 bytes."""
    graph = rdflib.Graph().parse(folder / "descriptions/tflite_models.ttl")
    return {str(name): (float(macs), float(size)) for name, macs, size in graph.query(_QUERY)}


@pytest.fixture
def networks(data_dir):
    """Name to description, and to what is published."""
    folder = data_dir / "ren"
    found = {path.stem: describe(path.read_bytes()) for path in (folder / "models").iterdir()}
    assert found.keys() == published(folder).keys()
    assert len(found) == 23
    return {name: (found[name], *published(folder)[name]) for name in found}


def test_flash_is_the_files_bytes(networks, data_dir):
    for name, (described, _, kilobytes) in networks.items():
        figures = {figure.metric: figure.value for figure in derived_figures(described)}
        size = (data_dir / "ren/models" / f"{name}.tflite").stat().st_size
        assert figures[Metric.FLASH_BYTES] == size == round(1000 * kilobytes), name


def test_macs_are_those_published_on_all_but_one(networks):
    differences = {
        name: _macs(described) - macs
        for name, (described, macs, _) in networks.items()
        if _macs(described) != macs
    }
    assert differences == {_OFF_BY_TWO_AT_THE_SOURCE: 2}


def _macs(described) -> int:
    return sum(
        operator_macs(operator, described.network.main)
        for operator in described.network.operators
        if operator.name in _COUNTED
    )
