"""/techniques/ and /cited-works/, and what came of asking which techniques apply."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.exceptions import NotFound

from ontology.facts import Answer
from ontology.preconditions import known_preconditions
from registry.api.compatibility import ANY
from registry.api.fields import NamesField
from registry.models import CitedWork, Device, Technique
from registry.services.lookup import LookupFailed, find_device
from registry.services.techniques import TechniqueAnswer

_WORDS = {
    Answer.FITS: "applies",
    Answer.UNKNOWN: "unknown",
    Answer.DOES_NOT_FIT: "does_not_apply",
}


class TechniqueSerializer(serializers.ModelSerializer[Technique]):
    """A published technique in the words of its source."""

    preconditions = NamesField()

    class Meta:
        model = Technique
        fields = (
            "slug",
            "name",
            "kind",
            "applies_to",
            "condition",
            "preconditions",
            "achieved",
            "source",
        )


class CitedWorkSerializer(serializers.ModelSerializer[CitedWork]):
    """A work that nothing is matched to, with why."""

    class Meta:
        model = CitedWork
        fields = ("slug", "title", "source", "out_of_scope_because")


class TechniqueViewSet(viewsets.ReadOnlyModelViewSet[Technique]):
    """Published techniques with their preconditions."""

    queryset = Technique.objects.all()
    serializer_class = TechniqueSerializer
    lookup_field = "slug"
    filterset_fields = ("kind",)


class CitedWorkViewSet(viewsets.ReadOnlyModelViewSet[CitedWork]):
    """Works that are cited and out of scope."""

    queryset = CitedWork.objects.all()
    serializer_class = CitedWorkSerializer
    lookup_field = "slug"


class TechniquesQuery(serializers.Serializer[object]):
    """On which device, and what is known of the use."""

    device = serializers.CharField(required=False, help_text="A device's id")
    holds = serializers.CharField(
        required=False, help_text=f"What holds, by commas: {', '.join(known_preconditions())}"
    )
    fails = serializers.CharField(required=False, help_text="What does not hold, by commas")
    outcome = serializers.ChoiceField(
        choices=[*_WORDS.values(), ANY], default=ANY, help_text="Only techniques with this outcome"
    )


class PreconditionOutcomeSerializer(serializers.Serializer[object]):
    """One precondition; `holds` is null where it is not known."""

    key = serializers.CharField()
    label = serializers.CharField()  # type: ignore[assignment]
    holds = serializers.BooleanField(allow_null=True)


class TechniqueAnswerSerializer(TechniqueSerializer):
    """A technique and whether it applies."""

    outcome = serializers.ChoiceField(choices=list(_WORDS.values()))
    preconditions = PreconditionOutcomeSerializer(many=True)  # type: ignore[assignment]

    class Meta(TechniqueSerializer.Meta):
        fields = ("outcome", *TechniqueSerializer.Meta.fields)  # type: ignore[assignment]


def device_or_404(device_id: str | None) -> Device | None:
    """The device that was named, if one was."""
    if device_id is None:
        return None
    try:
        return find_device(device_id)
    except LookupFailed as error:
        raise NotFound({"device": [str(error)]}) from error


def said_of(asked: dict[str, Any]) -> dict[str, bool]:
    """What whoever asks knows: preconditions by key."""
    denied = dict.fromkeys(_keys(asked.get("fails", "")), False)
    return denied | dict.fromkeys(_keys(asked.get("holds", "")), True)


def _keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def answer_json(answer: TechniqueAnswer) -> dict[str, Any]:
    """A technique as TechniqueAnswerSerializer documents it."""
    outcomes = answer.verdict.outcomes
    return {
        "outcome": _WORDS[answer.verdict.answer],
        **TechniqueSerializer(answer.technique).data,
        "preconditions": [
            {
                "key": outcome.precondition.key,
                "label": outcome.precondition.label,
                "holds": outcome.holds,
            }
            for outcome in outcomes
        ],
    }
