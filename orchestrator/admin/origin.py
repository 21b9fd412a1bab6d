"""Where a variant comes from, step by step: what one needs to make it again."""

from __future__ import annotations

from collections.abc import Iterator

from django.utils.html import format_html

from orchestrator.services.mlflow_server import page_of_version
from registry.admin.columns import link_to
from registry.models import Variant

_NOT_KNOWN = "not known"


def origin_of(variant: Variant) -> Iterator[tuple[str, str]]:
    """Each step by its name, as HTML; what is not known says so."""
    yield "Release", link_to(variant.release)
    if variant.parent is not None:
        yield f"Made by {variant.technique or 'compression'} of", link_to(variant.parent)
    yield "Data", variant.release.data_source or _NOT_KNOWN
    yield "Seed", _NOT_KNOWN if variant.seed is None else str(variant.seed)
    yield "Commit", variant.commit or _NOT_KNOWN
    yield "Run of the release", variant.release.mlflow_run_id or _NOT_KNOWN
    yield "Run", variant.mlflow_run_id or _NOT_KNOWN
    yield "Model version", _version(variant)


def _version(variant: Variant) -> str:
    if not variant.mlflow_version:
        return _NOT_KNOWN
    name = f"models:/{variant.mlflow_name}/{variant.mlflow_version}"
    page = page_of_version(variant.mlflow_name, variant.mlflow_version)
    return format_html('<a href="{}" class="text-primary-600">{}</a>', page, name)
