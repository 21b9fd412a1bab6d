"""What several processes must agree on: who leads, which number comes next, what was computed."""

from __future__ import annotations

from django.db import models

from registry.models import Variant


class Lease(models.Model):
    """Who may lead until when. Taken by conditional update, so one of several claimants wins."""

    name = models.CharField(max_length=40, primary_key=True)
    owner = models.CharField(max_length=120, blank=True)
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name} held by {self.owner} until {self.until:%F %T}"


class SequenceCounter(models.Model):
    """The highest manifest sequence number ever given out; one row, which only grows."""

    name = models.CharField(max_length=40, primary_key=True)
    value = models.PositiveBigIntegerField(default=0)

    def __str__(self) -> str:
        return f"{self.name} {self.value}"


class SelfTestVector(models.Model):
    """What a variant's int8 file answers to a generated input, computed once on the server."""

    variant = models.OneToOneField(Variant, on_delete=models.CASCADE, related_name="self_test")
    generator = models.CharField(max_length=40)
    seed = models.PositiveBigIntegerField()
    expected = models.BinaryField(help_text="The first output's leading bytes, 64 at most")
    tolerance = models.PositiveSmallIntegerField(help_text="Largest difference of one byte")
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"self-test of {self.variant}"
