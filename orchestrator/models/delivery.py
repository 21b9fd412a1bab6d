"""Campaigns, stages and single updates. Their transitions stand in orchestrator.policy."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from orchestrator.protocol.messages import DeploymentStatus
from registry.models import Device, Release, Variant

STATUS_CHOICES = [(status.value, status.value) for status in DeploymentStatus]


class RolloutStatus(models.TextChoices):
    """Where a campaign stands."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    RUNNING = "running"
    PAUSED = "paused"
    STOPPED = "stopped"
    ABORTED = "aborted"
    COMPLETED = "completed"
    ROLLED_BACK = "rolled_back"


class Rollout(models.Model):
    """A release (each device its best variant) or one variant, sent to a selection of devices."""

    name = models.CharField(max_length=160)
    release = models.ForeignKey(
        Release, null=True, blank=True, on_delete=models.PROTECT, related_name="rollouts"
    )
    variant = models.ForeignKey(
        Variant, null=True, blank=True, on_delete=models.PROTECT, related_name="rollouts"
    )
    target = models.JSONField(help_text="{all: true}, or one of fleet, devices, filter, sparql")
    status = models.CharField(
        max_length=12, choices=RolloutStatus.choices, default=RolloutStatus.DRAFT
    )
    is_dynamic = models.BooleanField(
        default=False, help_text="Until it expires, devices that its target comes to mean join"
    )
    wave_percentages = models.JSONField(default=list, help_text="e.g. [10, 50, 100]; cumulative")
    wave_sizes = models.JSONField(
        default=list,
        blank=True,
        help_text="Instead of percentages: devices a wave, e.g. [5, 50]; one more takes the rest",
    )
    success_threshold = models.FloatField(default=0.9, help_text="Fraction; a wave needs >= this")
    error_threshold = models.FloatField(default=0.2, help_text="Fraction; above this it stops")
    soak_s = models.PositiveIntegerField(default=0, help_text="Seconds between install and confirm")
    health = models.JSONField(
        default=dict,
        blank=True,
        help_text="What the soak must hold: {max_accuracy_drop, max_latency_ratio, max_restarts}",
    )
    revert_on_failure = models.BooleanField(
        default=False, help_text="When it stops, send its devices back to what they ran before"
    )
    window = models.JSONField(
        null=True,
        blank=True,
        help_text="When orders may be sent: {from, to, days, timezone}, e.g. 22:00 to 05:00",
    )
    max_per_minute = models.PositiveIntegerField(
        null=True, blank=True, help_text="Orders sent in any minute, at most"
    )
    needs_approval = models.BooleanField(
        default=False, help_text="Somebody else than its maker has to approve it before it starts"
    )
    approved_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="approved_rollouts",
    )
    approved_at = models.DateTimeField(null=True, blank=True)
    detail = models.TextField(blank=True, help_text="Why it stands where it stands")
    start_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()
    proposal = models.CharField(
        max_length=300, blank=True, help_text="What proposed it, where no person made it"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)
    crowned_at = models.DateTimeField(
        null=True, blank=True, help_text="When its release became its model's champion by it"
    )
    previous_champion = models.ForeignKey(
        Release,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Which release this one took the title from: the way back",
    )
    # When its target was last worked out anew; only of a dynamic one.
    target_seen_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta:
        ordering = ["-id"]
        permissions = [("approve_rollout", "Can approve another person's rollout")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(release__isnull=False) ^ models.Q(variant__isnull=False),
                name="rollout_has_release_or_variant",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class WaveStatus(models.TextChoices):
    """Where a stage stands."""

    WAITING = "waiting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Wave(models.Model):
    """One stage of a rollout."""

    rollout = models.ForeignKey(Rollout, on_delete=models.CASCADE, related_name="waves")
    number = models.PositiveIntegerField()
    status = models.CharField(max_length=10, choices=WaveStatus.choices, default=WaveStatus.WAITING)
    # Set with every ending in the wave, so that a tick counts only waves in which something ended.
    recount = models.BooleanField(default=True, editable=False)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["rollout", "number"]
        constraints = [
            models.UniqueConstraint(fields=["rollout", "number"], name="one_wave_number"),
        ]

    def __str__(self) -> str:
        return f"{self.rollout} wave {self.number}"


class DeploymentPurpose(models.TextChoices):
    """Why a device gets a manifest."""

    UPDATE = "update"
    REVERT = "revert"


class Deployment(models.Model):
    """One device's update. `sequence` and `manifest` are set when the manifest is signed.

    A deployment that no variant fits is not_applicable from its start and keeps the reasons.
    """

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    wave = models.ForeignKey(
        Wave, on_delete=models.CASCADE, related_name="deployments", db_index=False
    )
    device = models.ForeignKey(Device, on_delete=models.CASCADE, related_name="deployments")
    variant = models.ForeignKey(
        Variant, null=True, blank=True, on_delete=models.PROTECT, related_name="deployments"
    )
    previous = models.ForeignKey(
        Variant,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        db_index=False,
        help_text="What the device ran when its wave started: the way back",
    )
    purpose = models.CharField(
        max_length=6, choices=DeploymentPurpose.choices, default=DeploymentPurpose.UPDATE
    )
    attempt = models.PositiveIntegerField(default=1)
    is_newest = models.BooleanField(default=True, help_text="No later attempt in its wave")
    status = models.CharField(
        max_length=20,
        choices=STATUS_CHOICES,
        default=DeploymentStatus.PENDING.value,
    )
    # Indexed in place of the status: a step on the way then changes no index, and PostgreSQL keeps
    # the new row beside the old one (a heap-only tuple), at a quarter of the cost.
    outcome = models.GeneratedField(
        expression=models.Case(
            models.When(is_open=True, then=models.Value("")), default=models.F("status")
        ),
        output_field=models.CharField(max_length=20),
        db_persist=True,
        help_text="The final status, empty until then",
    )
    is_open = models.BooleanField(default=True, help_text="Not in a final state")
    progress = models.FloatField(default=0.0)
    result_code = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)
    reasons = models.JSONField(default=list, help_text="Why nothing fits, nearest variant first")
    sequence = models.PositiveBigIntegerField(null=True, unique=True)
    manifest = models.BinaryField(null=True)
    reports = models.PositiveIntegerField(default=0, help_text="How many came, up to the quota")
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)
    notified_at = models.DateTimeField(null=True, blank=True)
    installed_at = models.DateTimeField(null=True, blank=True)
    soak_ends_at = models.DateTimeField(null=True, blank=True)
    expires_at = models.DateTimeField()

    class Meta:
        ordering = ["wave", "device"]
        indexes = [
            # Ticks and the gateway read open deployments only; final ones pile up for ever.
            models.Index(
                fields=["wave"],
                condition=models.Q(is_open=True, notified_at__isnull=True),
                name="unsent_by_wave",
            ),
            models.Index(
                fields=["device"], condition=models.Q(is_open=True), name="open_by_device"
            ),
            # How many a rollout with a rate has sent in the last minute.
            models.Index(
                fields=["wave", "notified_at"],
                condition=models.Q(notified_at__isnull=False),
                name="notified_by_wave",
            ),
            models.Index(
                fields=["expires_at"], condition=models.Q(is_open=True), name="open_by_expiry"
            ),
            models.Index(
                fields=["soak_ends_at"], condition=models.Q(is_open=True), name="open_by_soak"
            ),
            # A wave is counted over all its devices, those that ended too.
            models.Index(fields=["wave", "is_newest", "purpose", "outcome"], name="wave_tally"),
        ]
        constraints = [
            models.UniqueConstraint(fields=["wave", "device", "attempt"], name="one_attempt"),
        ]

    def __str__(self) -> str:
        return f"{self.device} {self.status}"


class DeploymentEvent(models.Model):
    """What happened to a deployment, in the order in which the server learnt of it."""

    deployment = models.ForeignKey(Deployment, on_delete=models.CASCADE, related_name="events")
    at = models.DateTimeField()
    status = models.CharField(max_length=20)
    code = models.CharField(max_length=40, blank=True)
    detail = models.TextField(blank=True)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"{self.deployment_id} {self.status}"
