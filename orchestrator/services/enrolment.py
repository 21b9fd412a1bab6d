"""Who may join: single-use tokens, known ids, proof of possession of a key, and revocation.

Any other enrolment waits for an operator. So does an accepted device's new key or secret, beside
the old one: the account that devices enrol with is shared, so otherwise anybody could put a working
device off the air by enrolling in its name.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.utils import timezone

from orchestrator.gateways.broker_files import write_password_file
from orchestrator.models import (
    AccessChange,
    DeviceCredential,
    DeviceShadow,
    EnrolmentToken,
    KeyRequest,
)
from orchestrator.protocol.encoding import verify_enrolment
from orchestrator.protocol.messages import Enrolment, EnrolmentAnswer, EnrolmentResult
from orchestrator.protocol.topics import check_device_id
from orchestrator.services import key_requests, known_devices
from orchestrator.services.deployments import cancel_for_device
from registry.models import Device, DeviceStatus, SubjectKind
from registry.services.graph_outbox import mark
from registry.services.inventory import accept_device, set_device_status

log = structlog.get_logger(__name__)

ACCEPTED = EnrolmentResult(EnrolmentAnswer.ACCEPTED)


class NotWaiting(ValueError):
    """An operator decided on a device that does not wait; the message is a sentence."""


def issue_token(device_id: str, now: datetime, expires: datetime | None = None) -> str:
    """A token with which this device, and no other, may enrol once; only its SHA-256 is kept.

    It expires at `expires`, or ENROLMENT_TOKEN_EXPIRY_S after `now`. Raises TopicError for a name
    that no device may have.
    """
    token = secrets.token_urlsafe(24)
    EnrolmentToken.objects.create(
        token_sha256=_digest(token),
        device_id=check_device_id(device_id),
        expires_at=expires or now + timedelta(seconds=settings.ENROLMENT_TOKEN_EXPIRY_S),
    )
    log.info("token_issued", device=device_id)
    return token


@transaction.atomic
def enrol(enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    """Answer an enrolment; the same one again, as it comes with QoS 1, gets the same answer."""
    result = _answer(enrolment, now)
    log.info(
        "enrolment_answered",
        device=enrolment.device_id,
        answer=result.answer.value,
        reason=result.reason,
    )
    return result


@transaction.atomic
def accept_pending(device: Device, now: datetime) -> None:
    """An operator lets a waiting device in, with the key and secret that it offered.

    One of which only the Thing Description is known becomes a member without either: to connect it
    needs a token. Raises NotWaiting for any other: one that was turned away has no secret any more.
    """
    device = _waiting(device)
    accept_device(device.device_id, public_key=device.public_key, at=now)
    if device.public_key:
        known_devices.close(device.device_id, now)
    _tell_the_broker(device.device_id, admits=True)


@transaction.atomic
def reject_pending(device: Device) -> None:
    """An operator turns a waiting device away; a token can still let it in later.

    Raises NotWaiting for any other: a member is revoked, which also ends what is sent to it.
    """
    device = _waiting(device)
    set_device_status(device, DeviceStatus.REJECTED)
    DeviceCredential.objects.filter(device=device).delete()


@transaction.atomic
def accept_key(request: KeyRequest, now: datetime) -> None:
    """An operator lets a member's new key and secret take the old ones' place, from now on.

    The broker ends the connection of whoever signed in with the old secret. Raises NotWaiting.
    """
    request = _asking(request)
    _admit(request.device.device_id, request.public_key, request.verifier, now)


@transaction.atomic
def reject_key(request: KeyRequest, now: datetime) -> None:
    """An operator turns a member's new key away; it works on with the old one. NotWaiting."""
    request = _asking(request)
    KeyRequest.objects.filter(pk=request.pk).update(rejected_at=now)
    log.info("new_key_rejected", device=request.device.device_id)


@transaction.atomic
def revoke(device: Device, now: datetime | None = None) -> None:
    """Shut a device out: its credential goes, what was on its way to it is cancelled."""
    set_device_status(device, DeviceStatus.REVOKED)
    DeviceCredential.objects.filter(device=device).delete()
    EnrolmentToken.objects.filter(device_id=device.device_id, used_at=None).delete()
    KeyRequest.objects.filter(device=device).delete()
    DeviceShadow.objects.filter(device=device).update(online=False)
    cancel_for_device(device, now or timezone.now(), "the device was revoked")
    _tell_the_broker(device.device_id, admits=False)


def _tell_the_broker(device_id: str, *, admits: bool, rekeys: bool = False) -> None:
    """The row stays until the gateway has told the broker, whatever dies after the commit."""
    AccessChange.objects.create(device_id=device_id, admits=admits, rekeys=rekeys)
    transaction.on_commit(write_password_file)


def _answer(enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    if not verify_enrolment(enrolment):
        return _rejected("the signature was not made with the key that was sent")
    device = Device.objects.filter(device_id=enrolment.device_id).first()
    if device is not None and _is_member(device, enrolment):
        # Again, for it may ask because the broker does not know it.
        _tell_the_broker(device.device_id, admits=True)
        return ACCEPTED
    token = EnrolmentToken.objects.filter(token_sha256=_digest(enrolment.token)).first()
    if token is None and _is_known(device, enrolment, now):
        return _admit(enrolment.device_id, enrolment.public_key, enrolment.verifier, now)
    if token is None:
        return _without_token(device, enrolment, now)
    refusal = _refusal(token, enrolment, now)
    if refusal:
        return _rejected(refusal)
    return _join(token, enrolment, now)


def _waiting(device: Device) -> Device:
    """The row as it is now, locked: a token may have let it in since the operator looked."""
    row = Device.objects.select_for_update().get(pk=device.pk)
    if row.status != DeviceStatus.PENDING:
        raise NotWaiting(f"{row.device_id} does not wait: it is {row.status}.")
    if not row.public_key and not row.td:
        raise NotWaiting(f"{row.device_id} does not wait: only its description was brought.")
    return row


def _asking(request: KeyRequest) -> KeyRequest:
    """The row as it is now, locked: the device may have come by a token since."""
    rows = KeyRequest.objects.select_for_update(of=("self",)).select_related("device")
    row = rows.filter(pk=request.pk, rejected_at=None).first()
    if row is None:
        raise NotWaiting(f"This new key of {request.device} does not wait any more.")
    return row


def _is_known(device: Device | None, enrolment: Enrolment, now: datetime) -> bool:
    """Whether the list of known ids lets this key in; the row is used up then.

    Not one that was turned away or revoked, and not another key in a member's name.
    """
    status, key = (device.status, device.public_key) if device else (DeviceStatus.PENDING, "")
    waits = status == DeviceStatus.PENDING
    if not waits and (status != DeviceStatus.ACCEPTED or key):
        return False
    first = key in {"", enrolment.public_key}
    return known_devices.claim(enrolment.device_id, enrolment.public_key, now, first=first)


def _is_member(device: Device, enrolment: Enrolment) -> bool:
    """Whether this very enrolment has been accepted already."""
    credential = DeviceCredential.objects.filter(device=device, verifier=enrolment.verifier)
    same_key = device.public_key == enrolment.public_key
    return device.status == DeviceStatus.ACCEPTED and same_key and credential.exists()


def _refusal(token: EnrolmentToken, enrolment: Enrolment, now: datetime) -> str:
    if token.device_id != enrolment.device_id:
        return "the token was issued for another device"
    if token.used_at is not None:
        return "the token has been used; ask for another one"
    if token.expires_at <= now:
        return "the token has expired; ask for another one"
    return ""


def _join(token: EnrolmentToken, enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    # Conditional: of two enrolments with one token that come at once, one gets it.
    unused = EnrolmentToken.objects.filter(pk=token.pk, used_at=None)
    if not unused.update(used_at=now):
        return _rejected("the token has been used; ask for another one")
    return _admit(enrolment.device_id, enrolment.public_key, enrolment.verifier, now)


def _admit(device_id: str, public_key: str, verifier: str, now: datetime) -> EnrolmentResult:
    """A member from now on, by this key and this secret alone."""
    before = Device.objects.filter(device_id=device_id).first()
    device = accept_device(device_id, public_key=public_key, at=now)
    if before is not None and before.public_key != public_key:
        _begin_boots_anew(device)
    KeyRequest.objects.filter(device=device).delete()
    known_devices.close(device_id, now)
    _keep_credential(device, verifier, now)
    _tell_the_broker(device_id, admits=True, rekeys=before is not None)
    return ACCEPTED


def _begin_boots_anew(device: Device) -> None:
    """A device with a new key was wiped, so its next words must not count as an older boot's.

    What was acknowledged stays: it tells the device from where to count its boots on.
    """
    DeviceShadow.objects.filter(device=device).update(boot=0, online=False)


def _without_token(device: Device | None, enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    if known_devices.names_another_key(enrolment.device_id, enrolment.public_key):
        return _rejected("the list of known devices names another key for this one")
    if device is None or (device.status == DeviceStatus.PENDING and not device.public_key):
        return _begin_to_wait(enrolment, now)
    if device.status == DeviceStatus.PENDING and device.public_key == enrolment.public_key:
        _keep_credential(device, enrolment.verifier, now)
        return _pending("an operator has to accept this device")
    if device.status == DeviceStatus.PENDING:
        return _pending("another key waits under this name; the operator has to decide on it")
    if device.status == DeviceStatus.ACCEPTED:
        return key_requests.ask(device, enrolment, now)
    return _rejected(f"this device was {device.status}; a fresh token is needed")


def _begin_to_wait(enrolment: Enrolment, now: datetime) -> EnrolmentResult:
    """From now on it waits with this key; it may be known already, by an imported description."""
    limit = settings.PENDING_DEVICES_MAX
    waiting = Device.objects.filter(status=DeviceStatus.PENDING).exclude(public_key="")
    if waiting.count() >= limit:
        return _rejected(f"{limit} devices wait already; enrol with a token")
    device, _ = Device.objects.update_or_create(
        device_id=enrolment.device_id, defaults={"public_key": enrolment.public_key}
    )
    mark(SubjectKind.DEVICE, device.device_id)
    _keep_credential(device, enrolment.verifier, now)
    return _pending("an operator has to accept this device")


def _keep_credential(device: Device, verifier: str, now: datetime) -> None:
    values = {"verifier": verifier, "enrolled_at": now}
    DeviceCredential.objects.update_or_create(device=device, defaults=values)


def _rejected(reason: str) -> EnrolmentResult:
    return EnrolmentResult(EnrolmentAnswer.REJECTED, reason)


def _pending(reason: str) -> EnrolmentResult:
    return EnrolmentResult(EnrolmentAnswer.PENDING, reason)


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
