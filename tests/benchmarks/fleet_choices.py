"""Each budget's choice, of the search's trials and of the hand-made, judged on other images."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from typing import Any

from orchestrator.compression.digits import load_split
from orchestrator.compression.evaluation import Int8Classifier
from orchestrator.models import Job
from orchestrator.services.compression_budgets import budgets_of
from orchestrator.services.compression_orders import named_task, order_of
from orchestrator.services.compression_outcomes import profiles_of_job
from orchestrator.services.compression_trials import need_of_trial
from registry.models import Artifact, Release
from registry.services.networks import need_of
from tests.benchmarks.chosen_by_halves import Rights, judged_apart


def choices_apart(job: Job, by_hand: Release, seed: int) -> Mapping[str, Mapping[str, float]]:
    """Whom a budget stands for, to the accuracies of the choice for it on images that chose it and
    on others; budgets that the hand-made do not serve are left out."""
    order = order_of(job.payload)
    entry = named_task(order.task)
    trials = job.trials.filter(state="trained").select_related("artifact").order_by("number")
    ours = [(need_of_trial(row, entry), row.artifact_id) for row in trials]
    theirs = [(need_of(row), row.artifact_id) for row in by_hand.variants.order_by("pk")]
    found = {}
    for budget in budgets_of(order, profiles_of_job(job), entry.measure):
        sides = [
            [digest for need, digest in side if budget.may_serve(need)] for side in (ours, theirs)
        ]
        if all(sides):
            found[budget.name] = _judged(*sides, seed)
    return found


def _judged(ours: Iterable[Any], theirs: Iterable[Any], seed: int) -> dict[str, float]:
    searched, by_hand = (
        judged_apart([_rights(artifact, seed) for artifact in side]) for side in (ours, theirs)
    )
    return {
        "searched_chosen": searched[0],
        "searched_judged": searched[1],
        "by_hand_chosen": by_hand[0],
        "by_hand_judged": by_hand[1],
    }


@cache
def _rights(artifact: Any, seed: int) -> Rights:
    """Of one file, by its row's key, which of the images held out it gets right."""
    held_out = load_split(seed).held_out
    with Artifact.objects.get(pk=artifact).file.open("rb") as file:
        said = Int8Classifier(file.read()).run(held_out.images)[0]
    return said.argmax(1) == held_out.labels
