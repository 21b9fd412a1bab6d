"""A member's new key: it waits for an operator beside the old one, which works on till then."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings

from orchestrator.models import KeyRequest
from orchestrator.protocol.messages import Enrolment, EnrolmentAnswer, EnrolmentResult
from registry.models import Device

_PENDING = EnrolmentAnswer.PENDING
_REJECTED = EnrolmentAnswer.REJECTED


def ask(device: Device, enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    """Keep the key for the operator, one a device: the first that asks, until it is decided on."""
    request = KeyRequest.objects.filter(device=device).first()
    if request is None or (request.rejected_at and request.public_key != enrolment.public_key):
        return _keep(device, enrolment, now)
    if request.public_key != enrolment.public_key:
        return _answer(_PENDING, "another new key waits under this name; it is decided on first")
    if request.rejected_at:
        return _answer(_REJECTED, "this key was turned away; a fresh token is needed")
    KeyRequest.objects.filter(pk=request.pk).update(verifier=enrolment.verifier)
    return _waits(device)


def _keep(device: Device, enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    limit = settings.PENDING_KEYS_MAX
    if KeyRequest.objects.filter(rejected_at=None).count() >= limit:
        return _answer(_REJECTED, f"{limit} new keys wait already; enrol with a token")
    # A new row, not a changed one: an operator who looks at the old one cannot accept this one.
    KeyRequest.objects.filter(device=device).delete()
    KeyRequest.objects.create(
        device=device,
        public_key=enrolment.public_key,
        verifier=enrolment.verifier,
        asked_at=now,
    )
    return _waits(device)


def _waits(device: Device) -> EnrolmentResult:
    known_by = "other keys" if device.public_key else "its description alone"
    return _answer(
        _PENDING,
        f"this device is a member with {known_by}; an operator has to accept the new key,"
        " or a fresh token is needed",
    )


def _answer(answer: EnrolmentAnswer, reason: str) -> EnrolmentResult:
    return EnrolmentResult(answer, reason)
