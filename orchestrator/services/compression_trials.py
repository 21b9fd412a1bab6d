"""Trials as rows: kept one by one, so that a job that is run again does not repeat them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ontology.facts import Metric, Need
from orchestrator.compression.search.catalogue import TaskEntry
from orchestrator.models import CompressionTrial, Job
from orchestrator.policy.footprints import Footprint, quality
from registry.services.artifacts import store_artifact

if TYPE_CHECKING:
    from orchestrator.compression.search.trials import Trial


def keep(job: Job, trial: Trial) -> CompressionTrial:
    """Store a trial and, of a trained one, its file."""
    artifact = store_artifact(trial.data) if trial.data else None
    return CompressionTrial.objects.create(
        job=job,
        number=trial.number,
        choice=dict(trial.choice),
        state=trial.state.value,
        footprint=trial.footprint.as_json(),
        score=trial.score,
        float_score=trial.float_score,
        technique=trial.technique,
        params=dict(trial.params),
        artifact=artifact,
        seconds=trial.seconds,
    )


def kept(job: Job, measure: Metric) -> list[Trial]:
    """What earlier attempts of a job have finished, in order; without the files."""
    from orchestrator.compression.search.trials import Trial, TrialState

    return [
        Trial(
            number=row.number,
            choice=row.choice,
            state=TrialState(row.state),
            footprint=Footprint.from_json(row.footprint),
            seconds=row.seconds,
            measure=measure,
            score=row.score,
            float_score=row.float_score,
            technique=row.technique,
            params=row.params,
        )
        for row in job.trials.order_by("number")
    ]


def need_of_trial(row: CompressionTrial, entry: TaskEntry) -> Need:
    """A row in the vocabulary of matching, under the name that its variant has."""
    known = None if row.score is None else quality(entry.measure, row.score)
    return Footprint.from_json(row.footprint).need(variant_name(row), entry.sensors, known)


def variant_name(row: CompressionTrial) -> str:
    """What the variant of a release is called that a trial becomes."""
    return f"t{row.number:03d}"
