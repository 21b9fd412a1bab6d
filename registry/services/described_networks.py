"""A network that a description speaks of, as rows: model, release, variant and figures."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import Any

from django.utils.text import slugify

from ontology.descriptions import DescribedNetwork
from ontology.facts import Figure, Metric, Status
from registry.models import RegisteredModel, Release, Variant
from registry.services import measurements
from registry.services.changes import Change, update

VARIANT_NAME = "described"
_SLUG = re.compile(r"[-a-zA-Z0-9_]{1,100}")
_NAME_LENGTH = 100
_DIGEST_LENGTH = 8


def keep_network(said: DescribedNetwork) -> Change:
    """Create or update the variant of this IRI, with exactly the figures that are stated now.

    There is no artifact: the variant is judged by its figures, and there is nothing to deliver.
    """
    row = Variant.objects.select_related("release__model").filter(iri=said.iri).first()
    created = row is None
    if row is None:
        row = _create(said)
    changes = [
        update(row.release.model, _of_model(said)),
        update(row.release, _of_release(said)),
        update(row, _of_variant(said)),
        measurements.replace_published(row, said.iri, list(_figures(said))),
    ]
    if created:
        return Change.CREATED
    return Change.UPDATED if any(changes) else Change.UNCHANGED


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


def _figures(said: DescribedNetwork) -> Iterator[Figure]:
    """They hold wherever it runs: a description binds them to no board and no runtime."""
    stated = {
        Metric.ARENA_BYTES: said.ram_bytes,
        Metric.FLASH_BYTES: said.flash_bytes,
        Metric.MACS: said.macs,
        Metric.ACCURACY: said.accuracy,
    }
    for metric, value in stated.items():
        if value is not None:
            yield Figure(metric, float(value), Status.PUBLISHED, said.iri)
