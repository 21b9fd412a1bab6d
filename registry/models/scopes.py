"""Whom somebody may act on."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from registry.models.devices import Fleet


class FleetScope(models.Model):
    """The fleets on whose devices a user may act; without a row, on all. Reading is not held to it.

    A superuser is not held to it either.
    """

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="fleet_scope"
    )
    fleets = models.ManyToManyField(Fleet, related_name="scopes", blank=True)

    class Meta:
        ordering = ["user"]

    def __str__(self) -> str:
        return f"scope of {self.user}"
