"""Client certificates: asked for when a device is accepted, issued by the signer, withdrawn.

Both directions are levels, looked at again and again, so nothing is lost where a process dies or
the signer is away: what was asked for waits in the database until it is issued, and the list of
withdrawn certificates is made from what the database says now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime, timedelta

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from orchestrator.gateways.certificates import (
    CertificateClient,
    present_authority,
    revoked_file,
    write_revoked,
)
from orchestrator.gateways.signing import SignerUnreachable, SigningRefused
from orchestrator.models import AccessChange, DeviceCertificate
from orchestrator.protocol.certificates import (
    SERVER_RENEWS_AFTER,
    is_issued_by,
    read_certificate,
)
from orchestrator.protocol.messages import EnrolmentAnswer, EnrolmentResult
from registry.models import Device, DeviceStatus

log = structlog.get_logger(__name__)

CERTIFICATES_AT_ONCE = 200
RETRY_S = 2.0
LOOK_EVERY_S = 1.0
LOOK_SHARE = 0.02
LOOK_AT_LEAST_EVERY_S = 5.0
"""Comparing all certificates with their devices may take this share of the gateway's time, but is
never put off for longer than that."""
LIST_IS_READ_AFTER_S = 2.0
"""The supervisor tells Mosquitto of a change at once and a second later (deploy.supervisor)."""

_OF_A_MEMBER = Q(device__status=DeviceStatus.ACCEPTED, device__public_key=F("public_key"))


def completed(device_id: str, result: EnrolmentResult, now: datetime) -> EnrolmentResult | None:
    """The answer with the device's certificate, or None where it is only now asked for.

    The same enrolment gets the same certificate until half of its life is over, or the authority is
    another: that is how one is renewed, and how a lost answer comes again. To be called in the
    transaction that accepted the device.
    """
    if not settings.ISSUE_CERTIFICATES or result.answer is not EnrolmentAnswer.ACCEPTED:
        return result
    device = Device.objects.get(device_id=device_id)
    mine = DeviceCertificate.objects.filter(device=device)
    newest = mine.filter(public_key=device.public_key).last()
    if newest is None or (newest.pem and _is_due(newest, now)):
        mine.filter(pem="").delete()  # asked for with a key that is not the device's any more
        mine.create(device=device, public_key=device.public_key, asked_at=now)
        return None
    return _answer(newest) if newest.pem else None


class Certificates:
    """Has the signer issue what was asked for and list what is withdrawn; waits while it is away.

    `clock` is monotonic seconds.
    """

    def __init__(
        self, client: CertificateClient, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._client = client
        self._clock = clock
        self._not_before = 0.0
        self._listed: list[int] | None = None
        self._look_at = 0.0

    def keep_up(self, now: datetime) -> list[tuple[str, EnrolmentResult]]:
        """Issue and withdraw; returns the answers that devices wait for, by device id."""
        if not settings.ISSUE_CERTIFICATES or self._clock() < self._not_before:
            return []
        answers: list[tuple[str, EnrolmentResult]] = []
        try:
            self._look(now)
            for asked in _asked_for():
                answers += self._issue(asked, now)
        except SignerUnreachable as error:
            log.warning("signer_unreachable", error=str(error), retry_in_s=RETRY_S)
            self._not_before = self._clock() + RETRY_S
        return answers

    def _look(self, now: datetime) -> None:
        started = self._clock()
        if started < self._look_at:
            return
        self._withdraw(now)
        _cut_off(now)
        took = self._clock() - started
        self._look_at = started + max(LOOK_EVERY_S, min(took / LOOK_SHARE, LOOK_AT_LEAST_EVERY_S))

    def _withdraw(self, now: datetime) -> None:
        serials = withdrawn_serials(now)
        if serials == self._listed and revoked_file().exists():
            return
        try:
            write_revoked(self._client.revocation_list(serials))
        except SigningRefused as error:
            log.error("revocation_list_refused", reason=str(error), certificates=len(serials))
            self._not_before = self._clock() + RETRY_S
            return
        _note_listed(now)
        self._listed = serials
        log.info("certificates_withdrawn", certificates=len(serials))

    def _issue(self, asked: DeviceCertificate, now: datetime) -> list[tuple[str, EnrolmentResult]]:
        assert asked.device is not None
        device_id = asked.device.device_id
        try:
            pem = self._client.client_certificate(device_id, asked.public_key)
        except SigningRefused as error:
            log.error("certificate_refused", device=device_id, reason=str(error))
            asked.delete()
            return []
        if not _keep(asked, pem, now):
            return []
        log.info("certificate_issued", device=device_id, serial=asked.serial)
        return [(device_id, _answer(asked))]


def withdrawn_serials(now: datetime) -> list[int]:
    """Of all certificates that have not ended, those that are no member's present key's."""
    return sorted(int(serial, 16) for serial in _withdrawn(now).values_list("serial", flat=True))


def _withdrawn(now: datetime) -> QuerySet[DeviceCertificate]:
    living = DeviceCertificate.objects.filter(ends_at__gt=now)
    return living.exclude(pk__in=living.filter(_OF_A_MEMBER).values("pk"))


@transaction.atomic
def _note_listed(now: datetime) -> None:
    withdrawn = list(_withdrawn(now).values_list("pk", flat=True))
    listed = DeviceCertificate.objects.exclude(listed_at=None)
    listed.exclude(pk__in=withdrawn).update(listed_at=None, is_cut=False)
    DeviceCertificate.objects.filter(pk__in=withdrawn, listed_at=None).update(listed_at=now)


def _cut_off(now: datetime) -> None:
    """Have the broker end whoever came in before it had read the list.

    Revocation itself has a connection ended at once; but its device may be back, with a certificate
    that the broker takes until it has read the list.
    """
    read_by_now = now - timedelta(seconds=LIST_IS_READ_AFTER_S)
    late = list(DeviceCertificate.objects.filter(listed_at__lte=read_by_now, is_cut=False))
    if not late:
        return  # without a transaction, which would take the database's one lock for writing
    with transaction.atomic():
        for device_id in {read_certificate(row.pem).device_id for row in late}:
            AccessChange.objects.create(device_id=device_id, admits=False, rekeys=True)
        DeviceCertificate.objects.filter(pk__in=[row.pk for row in late]).update(is_cut=True)


def _asked_for() -> QuerySet[DeviceCertificate]:
    asked = DeviceCertificate.objects.filter(_OF_A_MEMBER, ends_at=None).select_related("device")
    return asked[:CERTIFICATES_AT_ONCE]


@transaction.atomic
def _keep(asked: DeviceCertificate, pem: str, now: datetime) -> bool:
    """Store what was issued; False where nobody asks any more. What has ended is forgotten.

    A certificate is stored before it is sent, so there is none out there that could not be
    withdrawn.
    """
    issued = read_certificate(pem)
    asked.pem, asked.serial, asked.ends_at = pem, f"{issued.serial:x}", issued.ends
    values = {"pem": asked.pem, "serial": asked.serial, "ends_at": asked.ends_at}
    DeviceCertificate.objects.filter(ends_at__lte=now).delete()
    return bool(DeviceCertificate.objects.filter(pk=asked.pk, pem="").update(**values))


def _is_due(certificate: DeviceCertificate, now: datetime) -> bool:
    """At half of its life; at once where the authority that issued it has been replaced."""
    authority = present_authority()
    if authority is not None and not is_issued_by(certificate.pem, authority):
        return True
    return read_certificate(certificate.pem).has_lived(SERVER_RENEWS_AFTER, now)


def _answer(certificate: DeviceCertificate) -> EnrolmentResult:
    return EnrolmentResult(EnrolmentAnswer.ACCEPTED, certificate=certificate.pem)
