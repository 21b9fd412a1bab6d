"""Units in the field, and what equal ones share."""

from __future__ import annotations

from django.db import models

from ontology.namespaces import IRI_LENGTH
from registry.models.hardware import BoardType, FirmwareBuild
from registry.models.networks import Variant
from registry.models.techniques import check_traits


class CapabilityProfile(models.Model):
    """What a device can do, shared by equal devices, so matching costs by profile.

    Equal means the same board type, firmware build (and with it runtime and capacity) and sensors;
    `digest` is the SHA-256 over exactly these. A profile without firmware stands for a bare board.
    """

    digest = models.CharField(max_length=64, unique=True, editable=False)
    board = models.ForeignKey(BoardType, on_delete=models.PROTECT, related_name="profiles")
    firmware = models.ForeignKey(
        FirmwareBuild, null=True, blank=True, on_delete=models.PROTECT, related_name="profiles"
    )
    sensors = models.JSONField(
        null=True, help_text="List of {kind, max_rate_hz, shape}; null where not known"
    )

    class Meta:
        ordering = ["board", "id"]

    def __str__(self) -> str:
        return f"{self.board} {self.digest[:8]}"


class Fleet(models.Model):
    """A named selection of devices, which a rollout may aim at."""

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=160)
    description = models.TextField(blank=True)

    class Meta:
        ordering = ["slug"]

    def __str__(self) -> str:
        return self.name


class DeviceStatus(models.TextChoices):
    """Where a device stands in enrolment."""

    PENDING = "pending"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    REVOKED = "revoked"


class Device(models.Model):
    """One unit. `td` is its Thing Description as it came; all else is derived from it."""

    device_id = models.SlugField(max_length=64, unique=True)
    iri = models.CharField(
        "IRI", max_length=IRI_LENGTH, blank=True, help_text="What an imported description calls it"
    )
    description = models.TextField(blank=True, help_text="What it is, in its description's words")
    status = models.CharField(
        max_length=10, choices=DeviceStatus.choices, default=DeviceStatus.PENDING
    )
    public_key = models.TextField(blank=True, help_text="PEM, SubjectPublicKeyInfo")
    profile = models.ForeignKey(
        CapabilityProfile, null=True, blank=True, on_delete=models.PROTECT, related_name="devices"
    )
    fleets = models.ManyToManyField(Fleet, blank=True, related_name="devices")
    td = models.TextField("Thing Description", blank=True)
    affordances = models.JSONField(
        default=list,
        blank=True,
        help_text="What it offers by an imported description: [{kind, name, description, forms}]",
    )
    traits = models.JSONField(
        default=dict,
        blank=True,
        validators=[check_traits],
        help_text="Preconditions of techniques that hold where it is used: {name: true or false}",
    )
    installed = models.ForeignKey(
        Variant, null=True, blank=True, on_delete=models.PROTECT, related_name="installed_on"
    )
    installed_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    accepted_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["device_id"]
        constraints = [
            models.UniqueConstraint(
                fields=["iri"], condition=~models.Q(iri=""), name="one_device_of_an_iri"
            ),
        ]

    def __str__(self) -> str:
        return self.device_id
