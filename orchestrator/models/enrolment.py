"""Permission to join."""

from __future__ import annotations

from django.db import models

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
