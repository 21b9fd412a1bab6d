"""Compressions over REST: an order, and what came of it so far."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from orchestrator.api.observations import JobSerializer
from orchestrator.models import CompressionOffer, CompressionTrial, Job
from orchestrator.services.compression_orders import RUNTIMES, Order
from orchestrator.services.compression_outcomes import Outcome, outcome_of, standing_json
from orchestrator.services.compression_trials import variant_name
from registry.api.fields import ObjectField
from registry.footprint.kernels.table import KERNEL_SETS

_MOST_BYTES = 2**50


class CompressionOrderSerializer(serializers.Serializer[Order]):
    """For one of: a fleet by its slug (`all`: every accepted device), a board, RAM and flash."""

    model = serializers.CharField(max_length=120)
    task = serializers.CharField(required=False, help_text="How it is trained; default: as it was")
    fleet = serializers.CharField(required=False)
    board = serializers.CharField(required=False)
    ram_bytes = serializers.IntegerField(required=False, min_value=1, max_value=_MOST_BYTES)
    flash_bytes = serializers.IntegerField(required=False, min_value=1, max_value=_MOST_BYTES)
    kernels = serializers.ChoiceField(choices=KERNEL_SETS, required=False)
    runtime = serializers.ChoiceField(
        choices=RUNTIMES, required=False, help_text="Beside RAM and flash"
    )
    max_latency_ms = serializers.FloatField(required=False)
    min_accuracy = serializers.FloatField(
        required=False, help_text="A fraction; the least R2 or AUC where its task has that"
    )
    seed = serializers.IntegerField(required=False, min_value=0, max_value=2**31)
    trials = serializers.IntegerField(required=False, min_value=1, max_value=2**31)
    seconds = serializers.FloatField(required=False, help_text="Of work, over all attempts")

    def order(self) -> Order:
        """What was validated, as the service takes it."""
        return Order(**self.validated_data)


class GapSerializer(serializers.Serializer[object]):
    """A constraint that nothing known meets: the smallest known need beside what there is."""

    constraint = serializers.CharField()
    need = serializers.JSONField(allow_null=True)
    have = serializers.JSONField(allow_null=True)
    unit = serializers.CharField(allow_blank=True)
    missing = serializers.FloatField(allow_null=True)


class StandingSerializer(serializers.Serializer[object]):
    """One budget: `served`, `unreachable` for any network of the task, or `not_found`."""

    budget = serializers.ListField(child=serializers.CharField(), help_text="Who shares it")
    reach = serializers.CharField()
    variant = serializers.CharField(allow_null=True)
    measure = serializers.CharField(help_text="What the score is: accuracy, auc or r2")
    score = serializers.FloatField(allow_null=True)
    gaps = GapSerializer(many=True)


class TrialSerializer(serializers.ModelSerializer[CompressionTrial]):
    """One choice and what came of it; without a score it was not trained."""

    choice = ObjectField()
    footprint = ObjectField()
    params = ObjectField()
    name = serializers.SerializerMethodField()
    is_released = serializers.SerializerMethodField(help_text="Nothing dominates it")

    class Meta:
        model = CompressionTrial
        fields = (
            "number",
            "name",
            "choice",
            "state",
            "footprint",
            "score",
            "float_score",
            "technique",
            "params",
            "artifact",
            "seconds",
            "is_released",
        )

    def get_name(self, trial: CompressionTrial) -> str:
        """What its variant is called."""
        return variant_name(trial)

    def get_is_released(self, trial: CompressionTrial) -> bool:
        """By the search as it stands."""
        return trial.number in self.context["released"]


class CompressionSerializer(JobSerializer):
    """The job, with what is asked of it in `payload`."""


class CompressionDetailSerializer(JobSerializer):
    """The job with its log, and what it has found so far."""

    _found: Outcome | None = None
    measure = serializers.SerializerMethodField(help_text="What scores are: accuracy, auc or r2")
    problem = serializers.SerializerMethodField(help_text="Why there are no standings any more")
    standings = serializers.SerializerMethodField()
    trials = serializers.SerializerMethodField()

    class Meta:
        model = Job
        fields = (*JobSerializer.Meta.fields, "log", "measure", "problem", "standings", "trials")

    def get_measure(self, job: Job) -> str | None:
        """None of a task that is not there any more."""
        return self._outcome(job).measure

    def get_problem(self, job: Job) -> str:
        """As where the board has left the catalogue."""
        return self._outcome(job).problem

    @extend_schema_field(StandingSerializer(many=True))
    def get_standings(self, job: Job) -> Any:
        """Each budget."""
        return [standing_json(each) for each in self._outcome(job).standings]

    @extend_schema_field(TrialSerializer(many=True))
    def get_trials(self, job: Job) -> Any:
        """In their order."""
        context = {"released": self._outcome(job).released}
        return TrialSerializer(job.trials.order_by("number"), many=True, context=context).data

    def _outcome(self, job: Job) -> Outcome:
        """Worked out once for both fields."""
        if self._found is None:
            self._found = outcome_of(job)
        return self._found


class CompressionOfferSerializer(serializers.ModelSerializer[CompressionOffer]):
    """Kinds of device that are new to a model; without a fleet they are in none."""

    model = serializers.SlugRelatedField[CompressionOffer](slug_field="name", read_only=True)
    fleet = serializers.SlugRelatedField[CompressionOffer](slug_field="slug", read_only=True)
    boards = serializers.SerializerMethodField()

    class Meta:
        model = CompressionOffer
        fields = ("id", "model", "fleet", "boards", "status", "job", "made_at", "decided_at")

    def get_boards(self, offer: CompressionOffer) -> list[str]:
        """Of which boards the new kinds are."""
        return sorted({profile.board.slug for profile in offer.profiles.all()})
