"""The job that compresses a model until every budget is met or shown to be out of reach.

It may be killed anywhere and run again: profiles, trials and the release it opened are in rows, so
what is finished is not repeated. What another attempt does not mend ends it as failed, with the
reason; `jobs.retry` lets it go on from what it has.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from django.conf import settings
from django.db import OperationalError, transaction

from ontology.facts import Metric
from orchestrator.compression.search.catalogue import TaskEntry
from orchestrator.compression.search.trials import CALIBRATED_SCORE
from orchestrator.gateways.code_version import code_commit
from orchestrator.models import CompressionTrial, Job
from orchestrator.policy.budgets import Reach
from orchestrator.policy.footprints import Footprint, quality
from orchestrator.policy.measures import WORDS
from orchestrator.services.compression_budgets import budgets_of, profiles_of
from orchestrator.services.compression_orders import Order, OrderError, named_task, order_of
from orchestrator.services.compression_outcomes import (
    Outcome,
    outcome_of,
    profiles_of_job,
    standing_json,
)
from orchestrator.services.compression_trials import keep, kept, variant_name
from orchestrator.services.mlflow_sync import log_release
from orchestrator.services.working import GivenUp, JobContext, Unavailable
from registry.models import Release, Variant
from registry.services import measurements, networks
from registry.services.lookup import LookupFailed

_SHARE_OF_SEARCH = 0.9
# How SQLite and PostgreSQL say it.
_FULL = ("disk is full", "No space left on device")


def compress(context: JobContext, payload: Mapping[str, Any]) -> dict[str, Any]:
    """Search, release what nothing dominates, and log it; see `compression_orders` for the payload.

    Raises GivenUp for a network that does not convert, a full disk, and an MLflow that is away.
    """
    order = order_of(payload)
    _fix_profiles(context.job, order)
    with _reasons():
        entry = named_task(order.task)
        _search(context, order, entry)
        found = outcome_of(context.job)
        release = _release(context.job, order, entry, found)
        versions = _log(context, release)
    return {
        "release": release.pk if release else None,
        "variants": release.variants.count() if release else 0,
        "standings": [standing_json(each) for each in found.standings],
        "trials": context.job.trials.count(),
        "mlflow_versions": versions,
    }


@contextmanager
def _reasons() -> Iterator[None]:
    """Failures that are known, as a sentence; others are tried again like in any job."""
    from orchestrator.compression.conversion import ConversionError
    from orchestrator.compression.datasets.samples import DataMissing

    try:
        yield
    except ConversionError as error:
        raise GivenUp(f"a network cannot be converted: {error}") from error
    except DataMissing as error:
        raise GivenUp(f"there is nothing to train on: {error}") from error
    except (LookupFailed, OrderError) as gone:
        raise GivenUp(f"what was ordered is not there any more: {gone}") from gone
    except Unavailable as away:
        raise GivenUp(f"{away}; what was found is kept, retry the job to log it") from away
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        raise GivenUp(f"the disk is full: {error}") from error
    except OperationalError as error:
        if not any(told in str(error) for told in _FULL):
            raise
        raise GivenUp(f"the disk is full: {error}") from error


@transaction.atomic
def _fix_profiles(job: Job, order: Order) -> None:
    """The fleet as the first attempt found it: trials are judged by these budgets."""
    if order.fleet is None or "profiles" in job.payload:
        return
    job.payload["profiles"] = profiles_of(order.fleet)
    Job.objects.filter(pk=job.pk).update(payload=job.payload)


def _search(context: JobContext, order: Order, entry: TaskEntry) -> None:
    from orchestrator.compression.search.engine import Search, SearchLimits

    limits = SearchLimits(
        seed=order.seed,
        trials=order.trials or settings.COMPRESSION_TRIALS,
        seconds=order.seconds or settings.COMPRESSION_SECONDS,
    )
    budgets = budgets_of(order, profiles_of_job(context.job), entry.measure)
    search = Search(entry.load(), budgets, entry.sensors, limits)
    for trial in search.run(kept(context.job, entry.measure), _progress(context)):
        row = keep(context.job, trial)
        served = sum(each.reach is Reach.SERVED for each in search.standings())
        context.say(f"{_line(row, entry.measure)}; {served} of {len(budgets)} budgets are served")


def _line(row: CompressionTrial, measure: Metric) -> str:
    arena = max(row.footprint["arena_bytes"].values(), default=None)
    needs = "not known" if arena is None else f"{arena:,} B"
    size = f"trial {row.number}: {row.footprint['flash_bytes']:,} B, arena {needs}"
    if row.score is None:
        return f"{size}, not trained"
    calibrated = row.params.get(CALIBRATED_SCORE)
    how = "" if calibrated is None else f" after training for int8, {calibrated:.4f} without"
    return f"{size}, {WORDS[measure]} {row.score:.4f}{how}, {row.seconds:.1f} s"


def _progress(context: JobContext) -> Callable[[float, str], None]:
    def report(share: float, doing: str) -> None:
        context.report(_SHARE_OF_SEARCH * share, doing)

    return report


def _release(job: Job, order: Order, entry: TaskEntry, found: Outcome) -> Release | None:
    """What nothing dominates, as a release; none where there is nothing to release."""
    if not found.released:
        return None
    release = _opened(job, order, entry)
    for row in job.trials.filter(number__in=found.released).select_related("artifact"):
        _register(release, row, entry, order.seed)
    return release


@transaction.atomic
def _opened(job: Job, order: Order, entry: TaskEntry) -> Release:
    """The release that an earlier attempt of this job opened, else a new one."""
    if "release" in job.payload:
        return Release.objects.select_related("model").get(pk=job.payload["release"])
    release = networks.open_release(
        order.model,
        task=entry.title,
        data_source=entry.data_source,
        notes=f"compressed by job {job.pk}",
    )
    job.payload["release"] = release.pk
    Job.objects.filter(pk=job.pk).update(payload=job.payload)
    return release


def _register(release: Release, row: CompressionTrial, entry: TaskEntry, seed: int) -> Variant:
    """Registering again what an earlier attempt registered changes nothing."""
    assert row.artifact is not None  # only trained trials are released
    with row.artifact.file.open("rb") as file:
        data = file.read()
    variant = networks.register_variant(
        release,
        variant_name(row),
        data,
        sensors=entry.sensor_rows,
        technique=row.technique,
    )
    assert row.score is not None
    footprint = Footprint.from_json(row.footprint)
    patched = footprint.patch_figures() if "patches" in row.choice else []
    measurements.record(variant, [quality(entry.measure, row.score), *patched])
    variant.training = {"seed": seed, "commit": code_commit(), **row.params}
    variant.training |= {"trial": row.number, "seconds": round(row.seconds, 2)}
    variant.training |= {f"float_{entry.measure}": row.float_score}
    if row.choice.get("patches", 1) != 1:
        variant.training["patch_schedule"] = row.footprint["patch"]
    with transaction.atomic():
        variant.save(update_fields=["training"])
    return variant


def _log(context: JobContext, release: Release | None) -> int:
    """Raises Unavailable where MLflow is away: the release is there all the same."""
    if release is None:
        return 0

    def report(share: float) -> None:
        done = _SHARE_OF_SEARCH + (1 - _SHARE_OF_SEARCH) * share
        context.report(done, "logging to MLflow")

    return log_release(release, report)
