"""What MLflow is told: releases with their variants, and what devices learnt.

Each run bears a tag that names its subject, so telling it again finds the run instead of making
another: a job that was killed half-way simply runs again.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import groupby
from operator import attrgetter
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import transaction

from orchestrator.gateways.mlflow import MlflowTracker, RunRecord
from orchestrator.gateways.mlflow_registry import MlflowRegistry, may_be_alias
from orchestrator.gateways.mlflow_signature import ModelFolder
from orchestrator.models import LearningStatus, LearningTask, Title
from orchestrator.services.mlflow_server import asking_mlflow
from orchestrator.services.mlflow_words import variant_metrics, variant_params, version_tags
from orchestrator.services.working import JobContext
from registry.formats.model_file import FILE_SUFFIXES
from registry.models import Release, Variant
from registry.services.matching import deliverable

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

LOG_RELEASE = "log_release"
# Several installations may share one MLflow, and each has a digits/1.
_INSTALLATION_TAG = "tinyfleet.installation"
_RELEASE_TAG = "tinyfleet.release"
_VARIANT_TAG = "tinyfleet.variant"
_DIGEST_TAG = "tinyfleet.digest"
_ROUND_TAG = "tinyfleet.learning_round"
# MLflow's page of a run shows it as the source.
_COMMIT_TAG = "mlflow.source.git.commit"
_FOLDER = "model"


def log_release_job(context: JobContext, payload: Mapping[str, Any]) -> int:
    """Log the release in the payload; how many model versions it has."""
    release = Release.objects.select_related("model").get(pk=payload["release"])
    return log_release(release, lambda share: context.report(share, "logging to MLflow"))


def log_release(release: Release, on_progress: Callable[[float], None]) -> int:
    """One run for the release, one below it for each variant, and a model version of each.

    `on_progress` is called before each variant with the share done, and may raise to stop. Raises
    Unavailable where MLflow does not answer; what was logged until then is kept.
    """
    with asking_mlflow() as server:
        tracker, registry = MlflowTracker(*server), MlflowRegistry(*server)
        parent = _release_run(tracker, release)
        rows = deliverable(release.variants.all())
        variants = list(rows.select_related("artifact", "parent", "release__model"))
        for done, variant in enumerate(variants):
            on_progress(done / len(variants))
            if not variant.mlflow_version:
                _register(registry, variant, _log_variant(tracker, variant, parent))
    return len(variants)


def log_learning(context: JobContext, payload: Mapping[str, Any]) -> list[str]:
    """Aggregate the answers to learning tasks, by variant; the runs that were logged."""
    tasks = LearningTask.objects.filter(pk__in=payload["tasks"]).order_by("variant", "created_at")
    rounds = tasks.select_related("variant__release__model", "device")
    with asking_mlflow() as server:
        tracker = MlflowTracker(*server)
        return [
            _log_round(tracker, variant, list(answers))
            for variant, answers in groupby(rounds, key=attrgetter("variant"))
        ]


def _release_run(tracker: MlflowTracker, release: Release) -> str:
    if not release.mlflow_run_id:
        record = RunRecord(
            name=str(release),
            params={
                "task": release.model.task,
                "data": release.data_source,
                "release": release.number,
            },
            tags={_INSTALLATION_TAG: settings.INSTALLATION_ID, _RELEASE_TAG: _key(release)},
        )
        release.mlflow_run_id = _find_or_log(tracker, release.model.name, record)
        _save(release, "mlflow_run_id")
    return release.mlflow_run_id


def _log_variant(tracker: MlflowTracker, variant: Variant, parent: str) -> str:
    """Its run below the release's."""
    return _find_or_log(tracker, variant.release.model.name, _variant_record(variant), parent)


def _register(registry: MlflowRegistry, variant: Variant, run: str) -> None:
    """The model version of its artifact, under an alias of its name where MLflow takes that."""
    model = variant.release.model.name
    variant.mlflow_run_id = run
    variant.mlflow_version = registry.register_version(model, run, _FOLDER, version_tags(variant))
    if may_be_alias(variant.name) and variant.name not in Title.values:
        registry.set_alias(model, variant.name, variant.mlflow_version)
    _save(variant, "mlflow_run_id", "mlflow_version")


def _variant_record(variant: Variant) -> RunRecord:
    artifact = variant.delivered
    with artifact.file.open("rb") as file:
        data = file.read()
    name = f"{variant.name}{FILE_SUFFIXES[artifact.media_type]}"
    return RunRecord(
        name=variant.name,
        params=variant_params(variant),
        metrics=variant_metrics(variant, data),
        tags={
            _INSTALLATION_TAG: settings.INSTALLATION_ID,
            _VARIANT_TAG: str(variant),
            _DIGEST_TAG: artifact.sha256,
            **_commit_tag(variant),
        },
        files={
            f"{_FOLDER}/{name}": data,
            f"{_FOLDER}/description.json": json.dumps(variant.description, indent=2).encode(),
        },
        model=_model_folder(variant, name),
    )


def _commit_tag(variant: Variant) -> dict[str, str]:
    commit = variant.training.get("commit")
    return {_COMMIT_TAG: str(commit)} if commit else {}


def _model_folder(variant: Variant, file: str) -> ModelFolder:
    said = variant.description
    return ModelFolder(
        path=_FOLDER,
        flavour=file.rpartition(".")[2],
        file=file,
        inputs=said.get("inputs", ()),
        outputs=said.get("outputs", ()),
    )


def _log_round(tracker: MlflowTracker, variant: Variant, tasks: Sequence[LearningTask]) -> str:
    finished = [task for task in tasks if task.status == LearningStatus.FINISHED]
    number = tasks[0].round
    record = RunRecord(
        name=f"{variant.name} learning {number}",
        params={"method": tasks[0].method, **tasks[0].parameters},
        metrics=_round_metrics(tasks, finished),
        tags={_INSTALLATION_TAG: settings.INSTALLATION_ID, _ROUND_TAG: f"{variant}/{number}"},
        files=_aggregated_layer(finished),
    )
    run = _find_or_log(tracker, variant.release.model.name, record, variant.mlflow_run_id)
    LearningTask.objects.filter(pk__in=[task.pk for task in tasks]).update(mlflow_run_id=run)
    return run


def _round_metrics(
    tasks: Sequence[LearningTask], finished: Sequence[LearningTask]
) -> dict[str, float]:
    metrics: dict[str, float] = {
        "devices": len(tasks),
        "devices_finished": len(finished),
        "samples": sum(task.samples or 0 for task in finished),
    }
    for name in ("accuracy_before", "accuracy_after"):
        mean = _weighted_mean((getattr(task, name), task.samples) for task in finished)
        metrics |= {} if mean is None else {name: mean}
    return metrics


def _weighted_mean(pairs: Iterable[tuple[float | None, int | None]]) -> float | None:
    known = [(value, weight) for value, weight in pairs if value is not None and weight]
    whole = sum(weight for _, weight in known)
    return sum(value * weight for value, weight in known) / whole if whole else None


def _aggregated_layer(finished: Sequence[LearningTask]) -> dict[str, bytes]:
    """The mean of the adapted last layers, weighted by samples.

    Federated averaging (McMahan et al. 2017, algorithm 1) of one round.
    """
    layers = [(_layer(task), task.samples) for task in finished if task.weights and task.samples]
    if not layers:
        return {}
    import numpy as np

    shape = layers[0][0].shape
    same = [(layer, samples) for layer, samples in layers if layer.shape == shape]
    weights = np.array([samples for _, samples in same], dtype=np.float64)
    mean = np.average(np.stack([layer for layer, _ in same]), axis=0, weights=weights)
    out = io.BytesIO()
    np.savez(out, layer=mean.astype(np.float32), devices=len(same), samples=int(weights.sum()))
    return {"learning/last_layer.npz": out.getvalue()}


def _layer(task: LearningTask) -> npt.NDArray[np.float32]:
    import numpy as np

    rows, columns = task.weights_shape or (0, 0)
    return np.frombuffer(bytes(task.weights or b""), dtype="<f4").reshape(rows, columns)


def _find_or_log(
    tracker: MlflowTracker, experiment: str, record: RunRecord, parent: str = ""
) -> str:
    return tracker.find_run(experiment, record.tags) or tracker.log_run(experiment, record, parent)


@transaction.atomic
def _save(row: Release | Variant, *fields: str) -> None:
    """In one transaction with the mark that its graph is out of date."""
    row.save(update_fields=list(fields))


def _key(release: Release) -> str:
    return f"{release.model.name}/{release.number}"
