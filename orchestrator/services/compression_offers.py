"""Offers: devices of a kind came for which no compression of a model has been made.

The scheduler only offers. Who accepts an offer orders the job; nothing starts it by itself.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction
from django.db.models import F

from orchestrator.compression.search.catalogue import TASKS
from orchestrator.models import CompressionOffer, Job, OfferStatus
from orchestrator.models.jobs import JobStatus
from orchestrator.services.compression_budgets import EVERYBODY
from orchestrator.services.compression_orders import COMPRESS, Order, order_compression
from orchestrator.services.compression_outcomes import profiles_of_job
from registry.models import Device, DeviceStatus, Fleet, RegisteredModel

log = structlog.get_logger(__name__)


class OfferRefusal(Exception):
    """A decision on an offer that was decided; the message is a sentence."""


class OfferRounds:
    """Looks for new kinds of device every COMPRESSION_OFFER_INTERVAL_S, whenever it is called."""

    def __init__(self) -> None:
        self._next: datetime | None = None

    def tick(self, now: datetime) -> int:
        """How many offers were made or have come to mean more."""
        if self._next is not None and now < self._next:
            return 0
        self._next = now + timedelta(seconds=settings.COMPRESSION_OFFER_INTERVAL_S)
        return make_offers(now)


def make_offers(now: datetime) -> int:
    """Offer each model that can be compressed for the kinds of device that are new to it."""
    titles = [entry.title for entry in TASKS.values()]
    models = RegisteredModel.objects.filter(
        task__in=titles, reference=False, releases__isnull=False
    ).distinct()
    kinds = _kinds_by_fleet() if models else {}
    return sum(_offer(model, fleet, kinds[fleet], now) for model in models for fleet in kinds)


def accept(offer: CompressionOffer, user: User | AnonymousUser | None, now: datetime) -> Job:
    """Order the job that is offered. OfferRefusal, OrderError or OutOfScope where it cannot be."""
    fleet = EVERYBODY if offer.fleet is None else offer.fleet.slug
    with transaction.atomic():
        _decide(offer, OfferStatus.ACCEPTED, user, now)
        job = order_compression(Order(offer.model.name, fleet=fleet), user)
        CompressionOffer.objects.filter(pk=offer.pk).update(job=job)
    offer.refresh_from_db()
    return job


def dismiss(offer: CompressionOffer, user: User | AnonymousUser | None, now: datetime) -> None:
    """These kinds of device are not offered again for this model. OfferRefusal."""
    _decide(offer, OfferStatus.DISMISSED, user, now)
    offer.refresh_from_db()


def _decide(
    offer: CompressionOffer, status: OfferStatus, user: User | AnonymousUser | None, now: datetime
) -> None:
    """Conditional: of two that decide at once one is told that it is done."""
    by = user if isinstance(user, User) else None
    waiting = CompressionOffer.objects.filter(pk=offer.pk, status=OfferStatus.OPEN)
    if not waiting.update(status=status, decided_at=now, decided_by=by):
        offer.refresh_from_db()
        raise OfferRefusal(f"The offer to {offer} has been {offer.status}.")
    log.info("compression_offer_decided", offer=offer.pk, status=status.value)


def _kinds_by_fleet() -> Mapping[int | None, set[int]]:
    """The profiles of accepted devices by their fleets; under None of those that are in none."""
    kinds: dict[int | None, set[int]] = defaultdict(set)
    accepted = Device.objects.filter(status=DeviceStatus.ACCEPTED).exclude(profile=None)
    pairs = accepted.values_list("profile", F("fleets")).order_by().distinct()
    for profile, fleet in pairs:
        kinds[fleet].add(profile)
    return kinds


def _offer(model: RegisteredModel, fleet: int | None, kinds: Iterable[int], now: datetime) -> int:
    new = set(kinds) - _known(model)
    if not new:
        return 0
    offer, _ = CompressionOffer.objects.get_or_create(
        model=model,
        fleet=None if fleet is None else Fleet.objects.get(pk=fleet),
        status=OfferStatus.OPEN,
        defaults={"made_at": now},
    )
    offer.profiles.add(*new)
    log.info("compression_offered", offer=offer.pk, model=model.name, profiles=len(new))
    return 1


def _known(model: RegisteredModel) -> set[int]:
    """The profiles that a compression of the model was made for, or that were offered."""
    offered = CompressionOffer.objects.filter(model=model, profiles__isnull=False)
    known = set(offered.values_list("profiles", flat=True))
    made = Job.objects.filter(kind=COMPRESS, payload__model=model.name)
    for job in made.exclude(status=JobStatus.CANCELLED).only("payload"):
        known |= set(profiles_of_job(job))
    return known
