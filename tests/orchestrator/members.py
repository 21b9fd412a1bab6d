"""Devices with keys and secrets of their own, for tests of what they say."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from django.contrib.auth.models import Permission, User
from rest_framework.test import APIClient

from orchestrator.models import DeviceCredential
from orchestrator.protocol.encoding import make_verifier, sign_enrolment
from orchestrator.protocol.messages import Enrolment
from registry.models import Device, DeviceStatus

NOW = datetime(2030, 1, 1, 12, 0, tzinfo=UTC)


def later(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


class Identity:
    """What a device makes for itself at its first start."""

    def __init__(self, device_id: str) -> None:
        self.device_id = device_id
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.secret = os.urandom(16).hex()
        self.verifier = make_verifier(self.secret, os.urandom(12))

    def enrolment(self, token: str = "none") -> Enrolment:
        return sign_enrolment(self.key, self.device_id, token, self.verifier)


def member(device_id: str, **fields) -> Device:
    """An accepted device."""
    return Device.objects.create(device_id=device_id, status=DeviceStatus.ACCEPTED, **fields)


def known_member(device_id: str) -> Identity:
    """An accepted device whose secret the broker will take after the next password file."""
    identity = Identity(device_id)
    device = member(device_id, public_key=identity.enrolment().public_key)
    DeviceCredential.objects.create(device=device, verifier=identity.verifier, enrolled_at=NOW)
    return identity


def signed_in(*permissions: str) -> APIClient:
    """Somebody of the staff with these permissions, for REST and for the admin."""
    user = User.objects.create_user("operator", is_staff=True)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = APIClient()
    client.force_authenticate(user)
    client.force_login(user)
    return client
