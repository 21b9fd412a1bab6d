"""The aliases `champion` and `challenger` in MLflow, beside the titles that releases have here.

A title moves by rollouts and by people here, and its alias follows; an alias that somebody moved in
MLflow proposes a rollout. Each look compares levels, so it may be killed anywhere, come late or
twice.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime

import structlog
from django.utils import timezone

from ontology.matching import qualities
from orchestrator.gateways.mlflow_registry import MlflowRegistry
from orchestrator.models import MlflowAlias, Title
from orchestrator.policy.aliases import NOWHERE, AliasFacts, Deed, Move, choose_deed, read_move
from orchestrator.services.mlflow_proposals import is_undecided, propose
from orchestrator.services.targets import RolloutError
from registry.models import RegisteredModel, Release, Variant
from registry.models.audit import AuditChannel, AuditOutcome
from registry.services.audit import Act, record
from registry.services.networks import need_of

log = structlog.get_logger(__name__)

TAG_VALUE = "true"


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A model under its name in MLflow, with the versions there that are variants here."""

    model: RegisteredModel
    name: str
    variants: Mapping[str, Variant]

    def titled(self, title: Title) -> Release | None:
        """The release that has the title."""
        return self.model.champion if title is Title.CHAMPION else self.model.challenger

    def versions_of(self, release: Release | None) -> dict[str, Variant]:
        """Those of a release's variants."""
        found = self.variants.items()
        return {version: row for version, row in found if release and row.release_id == release.pk}

    def release_at(self, version: str) -> Release | None:
        """The release that has a variant of that version."""
        return self.variants[version].release if version in self.variants else None


def follow_alias(
    registry: MlflowRegistry, known: KnownModel, title: Title, stands_at: str, now: datetime
) -> MlflowAlias:
    """Answer a move of somebody else's, put the alias where it belongs, and the tags with it."""
    alias, _ = MlflowAlias.objects.select_related("proposal").get_or_create(
        mlflow_model=known.name, title=title, defaults={"model": known.model}
    )
    alias.stands_at, alias.seen_at = stands_at, now
    facts = _facts(alias, known, title)
    facts = _answer(alias, known, facts)
    _apply(registry, alias, facts)
    _tag(registry, alias, known, title)
    if facts.face != NOWHERE or known.titled(title) is None:
        alias.release = known.titled(title)
    alias.save()
    return alias


def _facts(alias: MlflowAlias, known: KnownModel, title: Title) -> AliasFacts:
    release = known.titled(title)
    titled = known.versions_of(release)
    facts = AliasFacts(
        stands_at=alias.stands_at,
        own=frozenset({alias.put, alias.putting}),
        titled=frozenset(titled),
        face=_face(titled),
        is_ours=alias.stands_at in known.variants,
        answered=alias.answered,
        title_moved=alias.release_id != (release.pk if release else None),
    )
    return _with_proposal(alias, known, facts)


def _with_proposal(alias: MlflowAlias, known: KnownModel, facts: AliasFacts) -> AliasFacts:
    """Whether what was proposed for where it stands is still to be decided."""
    release = known.release_at(alias.stands_at)
    if alias.proposal is None or release is None or alias.proposal.release_id != release.pk:
        return facts
    pending = is_undecided(alias.proposal, alias.seen_at or timezone.now())
    ended = not pending and alias.stands_at == alias.answered
    return replace(facts, proposal_pending=pending, proposal_ended=ended)


def _face(titled: Mapping[str, Variant]) -> str:
    """Of a release's versions the one to bear its alias: the best by its measure, then the
    smallest."""
    quality = qualities([need_of(variant) for variant in titled.values()])

    def rank(version: str) -> tuple[float, int, int]:
        variant = titled[version]
        known = quality[str(variant.pk)]
        size_bytes = variant.artifact.size_bytes if variant.artifact else 0
        return -(-math.inf if known is None else known), size_bytes, variant.pk

    return min(titled, key=rank, default=NOWHERE)


def _answer(alias: MlflowAlias, known: KnownModel, facts: AliasFacts) -> AliasFacts:
    """Propose what somebody wishes, once a move; say so where it cannot be."""
    move = read_move(facts)
    if move is Move.FOREIGN:
        _complain(alias, _foreign(alias))
    elif move is Move.WISH:
        alias.answered, alias.problem = alias.stands_at, ""
        release = known.variants[alias.stands_at].release
        try:
            alias.proposal = propose(alias, release, alias.stands_at)
        except RolloutError as error:
            _complain(alias, f"{_moved(alias)}, a rollout of which cannot be proposed: {error}")
            alias.proposal = None
        return _with_proposal(alias, known, facts)
    elif facts.proposal_pending:
        alias.answered = alias.stands_at
    elif alias.stands_at in facts.titled | facts.own | {NOWHERE}:
        alias.answered, alias.problem = "", ""
        if alias.stands_at in facts.titled:
            alias.put = alias.putting = alias.stands_at
    return facts


def _moved(alias: MlflowAlias) -> str:
    return f"{alias.title} of {alias.mlflow_model} was moved in MLflow to version {alias.stands_at}"


def _foreign(alias: MlflowAlias) -> str:
    name = f"models:/{alias.mlflow_model}/{alias.stands_at}"
    return f"{_moved(alias)}, which is not known here; bring it in with import_model {name}"


def _complain(alias: MlflowAlias, problem: str) -> None:
    """In the alias's row, and once a move in the log and the audit trail."""
    if alias.problem == problem:
        return
    alias.problem = problem
    log.warning("alias_not_followed", alias=str(alias), why=problem)
    _audit(alias, "alias moved in MLflow", problem, AuditOutcome.REFUSED)


def _audit(
    alias: MlflowAlias, action: str, detail: str, outcome: AuditOutcome = AuditOutcome.DONE
) -> None:
    record(Act(AuditChannel.SYSTEM, action, str(alias), outcome, detail), actor="worker")


def _apply(registry: MlflowRegistry, alias: MlflowAlias, facts: AliasFacts) -> None:
    """Move it, with the intent written first: a move that was broken off is still known as ours."""
    deed = choose_deed(facts)
    if deed is Deed.LEAVE:
        return
    target = facts.face if deed is Deed.PUT else NOWHERE
    if alias.stands_at in facts.own | facts.titled:
        alias.put = alias.stands_at
    alias.putting = target
    alias.save()
    if deed is Deed.PUT:
        registry.set_alias(alias.mlflow_model, alias.title, target)
    else:
        registry.remove_alias(alias.mlflow_model, alias.title)
    log.info("alias_put", alias=str(alias), version=target, before=alias.stands_at)
    _audit(alias, "alias put in MLflow", f"version {target}" if target else "taken away")
    alias.put = alias.stands_at = target
    alias.answered, alias.problem = "", ""


def _tag(registry: MlflowRegistry, alias: MlflowAlias, known: KnownModel, title: Title) -> None:
    """The tag is at every version of the titled release and at no other of ours.

    The server is asked where it is, so that what was broken off half-way is made whole.
    """
    wanted = known.versions_of(known.titled(title)).keys()
    release = known.titled(title)
    if sorted(wanted) == alias.tagged and alias.release_id == (release.pk if release else None):
        return
    there = registry.tagged(known.name, title, TAG_VALUE) & known.variants.keys()
    for version in sorted(wanted - there):
        registry.tag(known.name, version, title, TAG_VALUE)
    for version in sorted(there - wanted):
        registry.untag(known.name, version, title)
    alias.tagged = sorted(wanted)
