"""What a search for a fleet has tried, and searches that are offered."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from orchestrator.models.jobs import Job
from registry.models import Artifact, CapabilityProfile, Fleet, RegisteredModel


class CompressionTrial(models.Model):
    """One choice of a search and what came of it; a job that runs again does not repeat it."""

    job = models.ForeignKey(Job, on_delete=models.CASCADE, related_name="trials")
    number = models.PositiveIntegerField()
    choice = models.JSONField(help_text="A value of every dimension that is searched")
    state = models.CharField(max_length=10, help_text="trained, or measured alone")
    footprint = models.JSONField(help_text="Flash, arenas, operators, latencies; bytes and ms")
    score = models.FloatField(null=True, help_text="Of the int8 file, by the task's measure")
    float_score = models.FloatField(null=True, help_text="Of its network, before quantization")
    technique = models.CharField(max_length=120, blank=True)
    params = models.JSONField(default=dict)
    artifact = models.ForeignKey(Artifact, null=True, on_delete=models.PROTECT, related_name="+")
    seconds = models.FloatField()
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["job", "number"]
        constraints = [
            models.UniqueConstraint(fields=["job", "number"], name="one_trial_of_a_number"),
        ]

    def __str__(self) -> str:
        return f"trial {self.number} of {self.job}"


class OfferStatus(models.TextChoices):
    """Where an offer stands."""

    OPEN = "open"
    ACCEPTED = "accepted"
    DISMISSED = "dismissed"


class CompressionOffer(models.Model):
    """Devices came whose kind no compression of a model has been made for: a person decides.

    `fleet` is empty for devices that are in none: then every device is meant.
    """

    model = models.ForeignKey(RegisteredModel, on_delete=models.CASCADE, related_name="+")
    fleet = models.ForeignKey(Fleet, null=True, blank=True, on_delete=models.CASCADE)
    profiles = models.ManyToManyField(CapabilityProfile, related_name="+")
    status = models.CharField(max_length=10, choices=OfferStatus.choices, default=OfferStatus.OPEN)
    job = models.ForeignKey(Job, null=True, blank=True, on_delete=models.SET_NULL)
    made_at = models.DateTimeField()
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering = ["-made_at", "-id"]
        constraints = [
            # Of two schedulers that look at once, one makes the offer.
            models.UniqueConstraint(
                fields=["model", "fleet"],
                condition=models.Q(status="open"),
                name="one_open_offer_for_a_fleet",
            ),
            models.UniqueConstraint(
                fields=["model"],
                condition=models.Q(status="open", fleet=None),
                name="one_open_offer_for_everybody",
            ),
        ]

    def __str__(self) -> str:
        return f"compress {self.model} for {self.fleet or 'every device'}"
