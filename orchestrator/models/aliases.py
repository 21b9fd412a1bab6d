"""Aliases of MLflow that stand for titles of releases."""

from __future__ import annotations

from django.db import models

from orchestrator.models.delivery import Rollout
from registry.models import RegisteredModel, Release


class Title(models.TextChoices):
    """What a release of a model may be; MLflow has an alias and a tag of the same name."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"


class MlflowAlias(models.Model):
    """A title of a model, and what is known of the alias that stands for it in MLflow."""

    model = models.ForeignKey(
        RegisteredModel, on_delete=models.CASCADE, related_name="mlflow_aliases"
    )
    mlflow_model = models.CharField("model in MLflow", max_length=256)
    title = models.CharField(max_length=12, choices=Title.choices)
    stands_at = models.CharField(
        max_length=20, blank=True, help_text="The version at which it was last seen or put"
    )
    release = models.ForeignKey(
        Release,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="Which release had the title when MLflow was last told",
    )
    proposal = models.ForeignKey(
        Rollout,
        null=True,
        blank=True,
        on_delete=models.SET_NULL,
        related_name="+",
        help_text="What its last move by somebody else proposed",
    )
    problem = models.TextField(blank=True, help_text="Why it does not say what the registry says")
    seen_at = models.DateTimeField(null=True, blank=True)
    # Written before and after each move of ours, so that none is taken for somebody else's.
    putting = models.CharField(max_length=20, blank=True, editable=False)
    put = models.CharField(max_length=20, blank=True, editable=False)
    answered = models.CharField(max_length=20, blank=True, editable=False)
    tagged = models.JSONField(default=list, editable=False)

    class Meta:
        ordering = ["mlflow_model", "title"]
        verbose_name = "MLflow alias"
        verbose_name_plural = "MLflow aliases"
        constraints = [
            models.UniqueConstraint(fields=["mlflow_model", "title"], name="one_alias_of_a_title"),
        ]

    def __str__(self) -> str:
        return f"models:/{self.mlflow_model}@{self.title}"
