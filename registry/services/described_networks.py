"""A network that a description speaks of, as rows: model, release, variant and figures."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.conf import settings
from django.utils.text import slugify

from ontology.descriptions import DescribedLayer, DescribedNetwork, DescriptionRefused
from ontology.facts import Metric, Status
from registry.models import Measurement, RegisteredModel, Release, SubjectKind, Variant
from registry.projection.keys import subject_of
from registry.services import measurements
from registry.services.changes import Change, update
from registry.services.graph_outbox import mark, mark_new
from registry.services.pieces import chunks

VARIANT_NAME = "described"
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
_NAME_LENGTH = 100
_DIGEST_LENGTH = 8


def keep_networks(all_said: Sequence[DescribedNetwork]) -> Counter[Change]:
    """Create or update the variant of each IRI, with exactly the figures that are stated now.

    There is no artifact: the variant is judged by its figures, and there is nothing to deliver.
    Raises DescriptionRefused where two of them come to the same IRI.
    """
    _check_apart(all_said)
    changes: Counter[Change] = Counter()
    for some in chunks(all_said):
        rows = Variant.objects.filter(iri__in=[said.iri for said in some])
        read = rows.select_related("release__model").prefetch_related("measurements")
        known = {variant.iri: variant for variant in read}
        new = [said for said in some if said.iri not in known]
        _create(new)
        changes[Change.CREATED] += len(new)
        changes.update(_keep(said, known[said.iri]) for said in some if said.iri in known)
    return changes


def _check_apart(all_said: Sequence[DescribedNetwork]) -> None:
    """A relative IRI is known here by another, which a document may give too."""
    for iri, count in Counter(said.iri for said in all_said).items():
        if count > 1:
            raise DescriptionRefused(f"{count} networks are known here as <{iri}>; leave one")


def _keep(said: DescribedNetwork, row: Variant) -> Change:
    differs = [
        update(row.release.model, _of_model(said)),
        update(row.release, _of_release(said)),
        update(row, _of_variant(said)),
        _keep_figures(row, said),
    ]
    return Change.UPDATED if any(differs) else Change.UNCHANGED


def _create(all_said: Sequence[DescribedNetwork]) -> None:
    """Each as the first release of a model of its own: nothing says that two are one task.

    In one statement for each kind of row, because whoever else writes waits meanwhile.
    """
    models = RegisteredModel.objects.bulk_create(
        RegisteredModel(name=name, **_of_model(said))
        for said, name in zip(all_said, _free_names(all_said), strict=True)
    )
    releases = Release.objects.bulk_create(
        Release(model=model, number=1, **_of_release(said))
        for said, model in zip(all_said, models, strict=True)
    )
    variants = Variant.objects.bulk_create(
        Variant(release=release, name=VARIANT_NAME, iri=said.iri, **_of_variant(said))
        for said, release in zip(all_said, releases, strict=True)
    )
    Measurement.objects.bulk_create(
        _figure(variant, said, metric, value)
        for said, variant in zip(all_said, variants, strict=True)
        for metric, value in _stated(said).items()
    )
    mark_new(subject_of(row) for row in (*models, *releases, *variants))
    mark_new((SubjectKind.VERDICTS, str(variant.pk)) for variant in variants)


def _free_names(all_said: Sequence[DescribedNetwork]) -> list[str]:
    """Their own names where no other model has them; else with a digest."""
    wanted = [_name(said) for said in all_said]
    taken = set(RegisteredModel.objects.filter(name__in=wanted).values_list("name", flat=True))
    free = []
    for said, name in zip(all_said, wanted, strict=True):
        free.append(f"{name}-{_digest(said)}" if name in taken else name)
        taken.add(free[-1])
    return free


def _name(said: DescribedNetwork) -> str:
    """Its own name, as an address can hold it."""
    wanted = said.name.strip().replace(" ", "_")
    name = wanted if _SLUG.fullmatch(wanted) else slugify(said.name)[:_NAME_LENGTH]
    return name or f"network-{_digest(said)}"


def _digest(said: DescribedNetwork) -> str:
    return hashlib.sha256(said.iri.encode()).hexdigest()[:_DIGEST_LENGTH]


def _of_model(said: DescribedNetwork) -> dict[str, Any]:
    return {"description": said.description, "category": said.category}


def _of_release(said: DescribedNetwork) -> dict[str, Any]:
    credits = said.credits
    return {
        "data_source": said.data_source[:300],
        "notes": ", ".join(filter(None, (credits.creator, credits.dated, credits.citation))),
        "creator": credits.creator[:300],
        "dated": credits.dated[:40],
        "citation": credits.citation[:400],
    }


def _of_variant(said: DescribedNetwork) -> dict[str, Any]:
    sensors = said.sensors
    return {
        "precision": said.precision,
        "sensors": None if sensors is None else [_sensor(kind) for kind in sensors],
        "runtimes": None if said.runtimes is None else list(said.runtimes),
        "description": _layers(said.layers) if said.layers else {},
    }


def _layers(layers: Sequence[DescribedLayer]) -> dict[str, Any]:
    """The first layers, as many as are kept of any network, and the count of all."""
    kept = layers[: settings.DESCRIBED_LAYERS_MAX]
    return {
        "layer_count": len(layers),
        "stated_layers": [
            {
                "kind": layer.kind,
                "activation": layer.activation,
                "precision": layer.precision,
                "shape_in": _listed(layer.shape_in),
                "shape_out": _listed(layer.shape_out),
            }
            for layer in kept
        ],
    }


def _listed(shape: tuple[int, ...] | None) -> list[int] | None:
    return None if shape is None else list(shape)


def _sensor(kind: str) -> dict[str, Any]:
    """A description names no rate and no shape that a sensor must have."""
    return {"kind": kind, "rate_hz": None, "shape": None}


def _keep_figures(variant: Variant, said: DescribedNetwork) -> bool:
    """Let the description's figures be exactly those that it states; whether any was otherwise.

    They hold wherever it runs: a description binds them to no board and no runtime.
    """
    stated = _stated(said)
    rows = {row.metric: row for row in variant.measurements.all() if _is_so(row, _origin(said))}
    gone = [row.delete() for metric, row in rows.items() if Metric(metric) not in stated]
    changed = [
        update(rows[metric], {"value": value, "precision": said.precision})
        for metric, value in stated.items()
        if metric in rows
    ]
    added = Measurement.objects.bulk_create(
        _figure(variant, said, metric, value)
        for metric, value in stated.items()
        if metric not in rows
    )
    if added:
        mark(SubjectKind.VARIANT, str(variant.pk))
    return bool(gone or added or any(changed))


def _figure(variant: Variant, said: DescribedNetwork, metric: Metric, value: float) -> Measurement:
    return Measurement(
        variant=variant,
        metric=metric.value,
        value=value,
        unit=measurements.UNITS[metric],
        precision=said.precision,
        **_origin(said),
    )


def _origin(said: DescribedNetwork) -> dict[str, str]:
    return {"status": Status.PUBLISHED.value, "source": said.iri}


def _is_so(row: Measurement, values: Mapping[str, str]) -> bool:
    return all(getattr(row, name) == value for name, value in values.items())


def _stated(said: DescribedNetwork) -> dict[Metric, float]:
    values = {
        Metric.ARENA_BYTES: said.ram_bytes,
        Metric.FLASH_BYTES: said.flash_bytes,
        Metric.MACS: said.macs,
        Metric.ACCURACY: said.accuracy,
    }
    return {metric: float(value) for metric, value in values.items() if value is not None}
