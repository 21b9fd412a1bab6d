"""Permission to join."""

from __future__ import annotations

from django.db import models

from orchestrator.protocol.enrolment import key_fingerprint
from registry.models import Device


class EnrolmentToken(models.Model):
    """A single-use permission to enrol; only its SHA-256 is kept."""

    token_sha256 = models.CharField(max_length=64, unique=True)
    device_id = models.SlugField(max_length=64, help_text="The only device that may use it")
    expires_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["-created_at"]

    def __str__(self) -> str:
        return f"token for {self.device_id}"


class DeviceCredential(models.Model):
    """The verifier that the broker checks a device's secret against; the secret is unknown here."""

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="credential")
    verifier = models.CharField(max_length=300, help_text="Mosquitto password-file form")
    enrolled_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"credential of {self.device}"


class KnownDevice(models.Model):
    """An id of the list of known ones: the first key that it shows is accepted, once.

    A row whose `used_at` stands lets nobody in any more, whatever becomes of its device.
    """

    device_id = models.SlugField(max_length=64, unique=True)
    key_sha256 = models.CharField(
        "key fingerprint",
        max_length=64,
        blank=True,
        help_text="SHA-256 of the only key that may come; blank: the first one",
    )
    listed_at = models.DateTimeField(auto_now_add=True)
    used_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["device_id"]

    def __str__(self) -> str:
        return self.device_id


class KeyRequest(models.Model):
    """A member asks to be known by another key or secret; what it is known by works on till then.

    One a device. A request that was turned away stays as the memory of that.
    """

    device = models.OneToOneField(Device, on_delete=models.CASCADE, related_name="key_request")
    public_key = models.TextField(help_text="PEM, SubjectPublicKeyInfo")
    verifier = models.CharField(max_length=300, help_text="Mosquitto password-file form")
    asked_at = models.DateTimeField()
    rejected_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-asked_at"]

    def __str__(self) -> str:
        return f"new key of {self.device}"

    @property
    def old_fingerprint(self) -> str:
        """Of the key that is accepted; empty where there is none."""
        return key_fingerprint(self.device.public_key)

    @property
    def new_fingerprint(self) -> str:
        """Of the key that asks."""
        return key_fingerprint(self.public_key)
