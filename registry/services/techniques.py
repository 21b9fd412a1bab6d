"""Which techniques apply to a model on a device, and what they achieved where others used them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ontology.facts import Answer, Capacity
from ontology.matching import assess_technique, is_small_for
from ontology.matching.figures import latency_was_measured
from ontology.matching.techniques import Fact, TechniqueVerdict
from ontology.preconditions import known_preconditions
from registry.models import Device, Technique, Variant
from registry.projection.facts import UNDESCRIBED, need_of, variants_with_needs
from registry.projection.techniques import known_of
from registry.services.matching import capacity_of_device

_ORDER = {Answer.FITS: 0, Answer.UNKNOWN: 1, Answer.DOES_NOT_FIT: 2}


class UnknownPrecondition(LookupError):
    """A precondition was named that there is none of; the message is a sentence."""


@dataclass(frozen=True, slots=True)
class TechniqueAnswer:
    """A technique, and whether it applies."""

    technique: Technique
    verdict: TechniqueVerdict


def techniques_for(
    variant: Variant, device: Device | None = None, said: Mapping[str, bool] | None = None
) -> list[TechniqueAnswer]:
    """Every technique with its verdict on a variant: those that apply first, then what is open.

    Without a device, what depends on one stays unknown. `said` is what whoever asks knows of the
    use: preconditions by key, true or false. UnknownPrecondition for another key.
    """
    stated = check_said(said or {})
    capacity = UNDESCRIBED if device is None else capacity_of_device(device)
    known = known_of(variant) | _known_of_pair(variant, capacity)
    use = [stated, device.traits if device is not None else {}]
    answers = [
        TechniqueAnswer(
            technique,
            assess_technique(
                [known_preconditions()[key] for key in technique.preconditions],
                variant.release.model.traits,
                use,
                known,
            ),
        )
        for technique in Technique.objects.all()
    ]
    return sorted(answers, key=lambda each: _ORDER[each.verdict.answer])


def check_said(said: Mapping[str, bool]) -> dict[str, bool]:
    """The same, or UnknownPrecondition for a key that the ontology does not know."""
    unknown = sorted(said.keys() - known_preconditions().keys())
    if unknown:
        known = ", ".join(known_preconditions())
        raise UnknownPrecondition(f"there is no precondition {unknown[0]!r}; there are {known}")
    return dict(said)


def _known_of_pair(variant: Variant, capacity: Capacity) -> dict[str, Fact]:
    model = variant.release.model
    return {
        "family_latency_measured": _family_was_measured(variant, capacity),
        "small_language_model": is_small_for(model.language_model, need_of(variant), capacity),
    }


def _family_was_measured(variant: Variant, capacity: Capacity) -> bool | None:
    """A family is a release: to choose among its variants, each one's latency must be known."""
    family = variants_with_needs().filter(release=variant.release_id)
    seen = {latency_was_measured(need_of(member), capacity) for member in family}
    return True if seen == {True} else None
