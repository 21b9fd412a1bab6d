"""A network that a description speaks of, as rows: model, release, variant and figures."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from django.utils.text import slugify

from ontology.descriptions import DescribedNetwork
from ontology.facts import Metric, Status
from registry.models import Measurement, RegisteredModel, Release, SubjectKind, Variant
from registry.services import measurements
from registry.services.changes import Change, update
from registry.services.graph_outbox import mark
from registry.services.pieces import chunks

VARIANT_NAME = "described"
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
_NAME_LENGTH = 100
_DIGEST_LENGTH = 8


def keep_networks(all_said: Sequence[DescribedNetwork]) -> Counter[Change]:
    """Create or update the variant of each IRI, with exactly the figures that are stated now.

    There is no artifact: the variant is judged by its figures, and there is nothing to deliver.
    """
    changes: Counter[Change] = Counter()
    for some in chunks(all_said):
        rows = Variant.objects.filter(iri__in=[said.iri for said in some])
        read = rows.select_related("release__model").prefetch_related("measurements")
        known = {variant.iri: variant for variant in read}
        changes.update(_keep(said, known.get(said.iri)) for said in some)
    return changes


def _keep(said: DescribedNetwork, row: Variant | None) -> Change:
    if row is None:
        _keep_figures(_create(said), said)
        return Change.CREATED
    differs = [
        update(row.release.model, _of_model(said)),
        update(row.release, _of_release(said)),
        update(row, _of_variant(said)),
        _keep_figures(row, said),
    ]
    return Change.UPDATED if any(differs) else Change.UNCHANGED


def _create(said: DescribedNetwork) -> Variant:
    """As the first release of a model of its own: nothing says that two networks are one task."""
    model = RegisteredModel.objects.create(name=_free_name(said), **_of_model(said))
    release = Release.objects.create(model=model, number=1, **_of_release(said))
    return Variant.objects.create(
        release=release, name=VARIANT_NAME, iri=said.iri, **_of_variant(said)
    )


def _free_name(said: DescribedNetwork) -> str:
    """Its own name, as an address can hold it; where another model has that, with a digest."""
    wanted = said.name.strip().replace(" ", "_")
    name = wanted if _SLUG.fullmatch(wanted) else slugify(said.name)[:_NAME_LENGTH]
    digest = hashlib.sha256(said.iri.encode()).hexdigest()[:_DIGEST_LENGTH]
    name = name or f"network-{digest}"
    taken = RegisteredModel.objects.filter(name=name).exists()
    return f"{name}-{digest}" if taken else name


def _of_model(said: DescribedNetwork) -> dict[str, Any]:
    return {"description": said.description, "category": said.category}


def _of_release(said: DescribedNetwork) -> dict[str, Any]:
    return {"data_source": said.data_source[:300], "notes": said.origin}


def _of_variant(said: DescribedNetwork) -> dict[str, Any]:
    sensors = said.sensors
    return {
        "precision": said.precision,
        "sensors": None if sensors is None else [_sensor(kind) for kind in sensors],
        "runtimes": None if said.runtimes is None else list(said.runtimes),
    }


def _sensor(kind: str) -> dict[str, Any]:
    """A description names no rate and no shape that a sensor must have."""
    return {"kind": kind, "rate_hz": None, "shape": None}


def _keep_figures(variant: Variant, said: DescribedNetwork) -> bool:
    """Let the description's figures be exactly those that it states; whether any was otherwise.

    They hold wherever it runs: a description binds them to no board and no runtime.
    """
    mine = {"status": Status.PUBLISHED.value, "source": said.iri}
    stated = _stated(said)
    rows = {row.metric: row for row in variant.measurements.all() if _is_so(row, mine)}
    gone = [row.delete() for metric, row in rows.items() if Metric(metric) not in stated]
    changed = [
        update(rows[metric], {"value": value, "precision": said.precision})
        for metric, value in stated.items()
        if metric in rows
    ]
    added = Measurement.objects.bulk_create(
        Measurement(
            variant=variant,
            metric=metric.value,
            value=value,
            unit=measurements.UNITS[metric],
            precision=said.precision,
            **mine,
        )
        for metric, value in stated.items()
        if metric not in rows
    )
    if added:
        mark(SubjectKind.VARIANT, str(variant.pk))
    return bool(gone or added or any(changed))


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
