"""The job that trains a family and registers it as a release.

It may be killed anywhere and run again: the release it opened is noted in its row, variants that
are registered are not trained again, and MLflow is asked what it has before it is told more.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

import structlog
from django.db import transaction

from orchestrator.gateways.code_version import code_commit
from orchestrator.models import Job
from orchestrator.services import jobs
from orchestrator.services.mlflow_sync import LOG_RELEASE, log_release
from orchestrator.services.working import JobContext, Unavailable
from registry.models import Release, Variant
from registry.services import networks

if TYPE_CHECKING:  # torch takes seconds to load: only a worker does, inside the job
    from orchestrator.compression.family import BuiltVariant, FamilyRecipe

log = structlog.get_logger(__name__)

CAMERA = [{"kind": "camera", "rate_hz": None, "shape": [8, 8, 1]}]
_SHARE_OF_TRAINING = 0.9


def train_family(context: JobContext, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Train, prune, convert, quantize, evaluate and register the digit family.

    Payload: model_name, and optionally seed, epochs and variants (names) to train less.
    """
    from orchestrator.compression.family import build_family

    recipe = _recipe(payload)
    release = _release(context.job, payload["model_name"], recipe)
    done = set(release.variants.values_list("name", flat=True))
    for built in build_family(recipe, _progress(context), done):
        _register(release, built)
    return {"release": release.pk, "variants": release.variants.count(), **_log(context, release)}


def _recipe(payload: Mapping[str, Any]) -> FamilyRecipe:
    from orchestrator.compression.family import digit_family

    recipe = digit_family(int(payload.get("seed", 0)))
    if "variants" in payload:
        recipe = recipe.only(payload["variants"])
    return recipe.with_epochs(int(payload["epochs"])) if "epochs" in payload else recipe


@transaction.atomic
def _release(job: Job, model_name: str, recipe: FamilyRecipe) -> Release:
    """The release that an earlier attempt of this job opened, else a new one."""
    if "release" in job.payload:
        return Release.objects.select_related("model").get(pk=job.payload["release"])
    release = networks.open_release(model_name, task=recipe.task, data_source=recipe.data_source)
    job.payload["release"] = release.pk
    Job.objects.filter(pk=job.pk).update(payload=job.payload)
    return release


def _progress(context: JobContext) -> Callable[[float, str], None]:
    def report(share: float, doing: str) -> None:
        context.report(_SHARE_OF_TRAINING * share, doing)

    return report


@transaction.atomic
def _register(release: Release, built: BuiltVariant) -> Variant:
    """With all that is known of it at once: an attempt that follows takes it as finished."""
    parent = release.variants.filter(name=built.parent).first() if built.parent else None
    variant = networks.register_variant(
        release,
        built.name,
        built.data,
        sensors=CAMERA,
        accuracy=built.accuracy,
        parent=parent,
        technique=built.technique,
    )
    variant.training = {
        **built.params,
        "commit": code_commit(),
        "float_accuracy": built.float_accuracy,
        "seconds": round(built.seconds, 2),
    }
    variant.save(update_fields=["training"])
    return variant


def _logging_progress(context: JobContext) -> Callable[[float], None]:
    def report(share: float) -> None:
        done = _SHARE_OF_TRAINING + (1 - _SHARE_OF_TRAINING) * share
        context.report(done, "logging to MLflow")

    return report


def _log(context: JobContext, release: Release) -> dict[str, Any]:
    """MLflow being away stops nothing: another job logs the release when it is back."""
    try:
        return {"mlflow_versions": log_release(release, _logging_progress(context))}
    except Unavailable as away:
        jobs.enqueue(LOG_RELEASE, {"release": release.pk})
        log.warning("mlflow_away", release=release.pk, reason=str(away))
        return {"mlflow_versions": 0}
