"""Registered models, releases and variants as triples, with where they came from."""

from __future__ import annotations

import math

from ontology.describe import Description, link
from ontology.facts import Figure, Metric, Need
from ontology.graph import describe_need
from ontology.published_shapes import describe_as_published, link_or_words
from registry.models import Artifact, RegisteredModel, Release, Variant
from registry.projection.facts import need_of
from registry.projection.figures import describe_figures
from registry.projection.keys import iri_of, iri_or_none
from registry.projection.layers import describe_layers
from registry.projection.techniques import describe_traits, told_traits


def describe_model(model: RegisteredModel) -> Description:
    """A task, and which of its releases are in use and on trial."""
    subject = Description(iri_of(model)).a("tf:RegisteredModel").has("rdfs:label", model.name)
    subject.has("schema:name", model.name).has("tf:task", model.task)
    subject.has("schema:description", model.description)
    subject.has("tf:reference", model.reference or None)
    describe_traits(subject, model.traits)
    subject.is_to("tf:champion", iri_or_none(model.champion))
    return subject.is_to("tf:challenger", iri_or_none(model.challenger))


def describe_release(release: Release) -> Description:
    """A training generation and the training that it came of."""
    subject = Description(iri_of(release)).a("tf:Release").has("rdfs:label", str(release))
    subject.is_to("tf:ofModel", iri_of(release.model)).has("tf:releaseNumber", release.number)
    subject.has("schema:description", release.notes).has("dcterms:created", release.created_at)
    run = subject.part("training").a("tf:TrainingRun").has("tf:trainedOn", release.data_source)
    run.has("tf:mlflowRun", release.mlflow_run_id)
    return subject.is_to("prov:wasGeneratedBy", run.iri.value)


def describe_variant(variant: Variant) -> Description:
    """An artifact with what it needs, what it was made from and every figure for it."""
    subject = Description(iri_of(variant)).a("tf:Variant").has("rdfs:label", str(variant))
    subject.has("schema:name", variant.name).has("schema:identifier", str(variant.pk))
    subject.is_to("tf:ofRelease", iri_of(variant.release)).has("tf:precision", variant.precision)
    subject.has("tf:mlflowVersion", variant.mlflow_version)
    subject.has("tf:mlflowRun", variant.mlflow_run_id).has("dcterms:created", variant.created_at)
    subject.has("tf:seed", variant.seed).has("tf:commit", variant.commit)
    need = need_of(variant)
    describe_need(subject, need)
    _describe_as_published(subject, variant, need)
    _describe_macs(subject, need.figures)
    describe_layers(subject, variant.description)
    if variant.artifact is not None:
        _describe_artifact(subject, variant.artifact)
    _describe_origin(subject, variant)
    if variant.release.model.language_model:
        subject.a("tf:LanguageModel")
    describe_traits(subject, told_traits(variant))
    describe_figures(subject, variant)
    return subject


def _describe_as_published(subject: Description, variant: Variant, need: Need) -> None:
    release, model = variant.release, variant.release.model
    subject.has("schema:description", model.description or model.task or model.name)
    subject.has("schema:sameAs", link(variant.iri))
    subject.has("schema:creator", link_or_words(release.creator))
    subject.has("schema:dateCreated", release.dated)
    subject.has("schema:citation", link_or_words(release.citation))
    describe_as_published(subject, need, model.category, release.data_source)


def _describe_macs(variant: Description, figures: tuple[Figure, ...]) -> None:
    """The count that the TinyML schema puts at the network itself."""
    counts = {figure.value for figure in figures if figure.metric is Metric.MACS}
    whole = (int(count) for count in sorted(counts) if math.isfinite(count))
    variant.has("nnet:hasMultiplyAccumulateOps", *whole)


def _describe_artifact(variant: Description, artifact: Artifact) -> None:
    part = variant.part("artifact").a("tf:Artifact").has("tf:sha256", artifact.sha256)
    part.has("tf:sizeBytes", artifact.size_bytes).has("dcterms:format", artifact.media_type)
    variant.is_to("tf:artifact", part.iri.value)


def _describe_origin(subject: Description, variant: Variant) -> None:
    """A variant with a parent was made from it; one without came of its release's training."""
    if variant.parent is None:
        release = Description(iri_of(variant.release))
        subject.is_to("prov:wasGeneratedBy", release.part("training").iri.value)
        return
    parent = iri_of(variant.parent)
    step = subject.part("compression").a("tf:CompressionStep").is_to("prov:used", parent)
    step.has("tf:technique", variant.technique)
    subject.is_to("prov:wasDerivedFrom", parent).is_to("prov:wasGeneratedBy", step.iri.value)
