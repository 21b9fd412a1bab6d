"""The job that keeps MLflow and this installation in step: versions, then titles and aliases."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, TypeAlias

import structlog
from django.db.models import QuerySet
from django.utils import timezone

from orchestrator.gateways.mlflow import MlflowRefused
from orchestrator.gateways.mlflow_registry import MlflowRegistry
from orchestrator.models import Job, JobStatus, MlflowAlias, Title
from orchestrator.services.mlflow_aliases import KnownModel, follow_alias
from orchestrator.services.mlflow_server import asking_mlflow
from orchestrator.services.mlflow_sync import log_release
from orchestrator.services.working import JobContext
from registry.models import RegisteredModel, Release, Variant
from registry.services.matching import deliverable

log = structlog.get_logger(__name__)

# The next look takes the rest: other jobs wait for a worker, too.
_RELEASES_AT_ONCE = 20
_SHARE_OF_LOGGING = 0.5
_PAUSE_AFTER_REFUSAL_S = 3600.0

_Refused: TypeAlias = dict[str, dict[str, Any]]
"""By a release's key, when it was refused (seconds since 1970) and why, as the job's result."""


def follow_mlflow(context: JobContext, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Log what MLflow lacks, and look at every alias; what one model breaks on stops no other.

    Raises Unavailable where MLflow does not answer: what was done until then is kept.
    """
    logged, refused = _log_missing(context)
    problems = [each["problem"] for each in refused.values()]
    seen = 0
    with asking_mlflow() as server:
        registry = MlflowRegistry(*server)
        models = list(_known_models())
        for done, known in enumerate(models):
            share = _SHARE_OF_LOGGING + (1 - _SHARE_OF_LOGGING) * done / len(models)
            context.report(share, f"aliases of {known.name}")
            problems += _follow(registry, known)
            seen += 1
    return {"releases_logged": logged, "models": seen, "problems": problems, "refused": refused}


def _follow(registry: MlflowRegistry, known: KnownModel) -> list[str]:
    """Both aliases of one model; the problems that there are."""
    try:
        aliases = registry.aliases(known.name)
        if aliases is None:
            return [f"MLflow has no model {known.name} any more"]
        now = timezone.now()
        rows = [follow_alias(registry, known, t, aliases.get(t, ""), now) for t in Title]
    except MlflowRefused as error:
        log.warning("mlflow_refused", model=known.name, why=str(error))
        problem = f"MLflow refuses for {known.name}: {error}"
        MlflowAlias.objects.filter(mlflow_model=known.name).update(problem=problem)
        return [problem]
    return [row.problem for row in rows if row.problem]


def _log_missing(context: JobContext) -> tuple[int, _Refused]:
    """Tell MLflow of releases that it has no version of; how many, and what it did not take."""
    now, logged = timezone.now(), 0
    refused = _lately_refused(context, now)
    for release in _unlogged().exclude(pk__in=refused):
        context.report(0.0, f"logging {release}")
        try:
            log_release(release, lambda share: context.check())
        except (MlflowRefused, OSError) as error:
            log.warning("release_not_logged", release=release.pk, why=str(error))
            problem = f"{release} could not be logged: {error}"
            refused[str(release.pk)] = {"at": now.timestamp(), "problem": problem}
            continue
        logged += 1
        if logged == _RELEASES_AT_ONCE:
            break
    return logged, refused


def _lately_refused(context: JobContext, now: datetime) -> _Refused:
    """What the looks before could not log. Each trial leaves a failed run in MLflow, so they are
    few."""
    before: _Refused = (context.job.result or {}).get("refused", {})
    since = now.timestamp() - _PAUSE_AFTER_REFUSAL_S
    return {key: each for key, each in before.items() if each["at"] > since}


def _unlogged() -> QuerySet[Release]:
    """Releases of which MLflow lacks something, but those that another job is still making."""
    open_jobs = Job.objects.filter(status__in=(JobStatus.QUEUED, JobStatus.RUNNING))
    at_work = [key for key in open_jobs.values_list("payload__release", flat=True) if key]
    lacking = deliverable(Variant.objects.filter(mlflow_version=""))
    releases = Release.objects.filter(variants__in=lacking, model__reference=False)
    return releases.exclude(pk__in=at_work).select_related("model").distinct().order_by("pk")


def _known_models() -> Iterator[KnownModel]:
    """Every model that MLflow has versions of, under each name that it has there."""
    rows = Variant.objects.exclude(mlflow_version="").select_related("release__model", "artifact")
    found: dict[tuple[int, str], dict[str, Variant]] = defaultdict(dict)
    for row in rows.order_by("pk").defer("description", "operators", "training"):
        found[row.release.model_id, row.mlflow_name][row.mlflow_version] = row
    for (key, name), variants in found.items():
        model = RegisteredModel.objects.select_related("champion", "challenger").get(pk=key)
        yield KnownModel(model, name, variants)
