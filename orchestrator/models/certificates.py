"""What devices on TLS brokers sign in with."""

from __future__ import annotations

from django.db import models

from registry.models import Device


class DeviceCertificate(models.Model):
    """A client certificate: asked for while it has no end and no PEM, kept until it has ended.

    It is good while its device is accepted with this very key; every other one that has not ended
    is on the list of withdrawn certificates. So it outlives the device's row. `listed_at` is when
    it came on that list; `is_cut`, that the broker was told since to end whoever came in with it.
    """

    device = models.ForeignKey(
        Device, on_delete=models.SET_NULL, null=True, related_name="certificates"
    )
    public_key = models.TextField(help_text="PEM SubjectPublicKeyInfo")
    pem = models.TextField(blank=True)
    serial = models.CharField(max_length=40, blank=True, help_text="Hexadecimal")
    ends_at = models.DateTimeField(null=True, blank=True)
    asked_at = models.DateTimeField()
    listed_at = models.DateTimeField(null=True, blank=True)
    is_cut = models.BooleanField(default=False)

    class Meta:
        ordering = ["pk"]
        indexes = [
            models.Index(fields=["ends_at"]),  # null: asked for
            models.Index(fields=["listed_at"], name="certificate_listed"),
        ]

    def __str__(self) -> str:
        return f"certificate {self.serial or '(asked for)'} of {self.device}"
