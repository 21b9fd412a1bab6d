"""Small is not a property of a language model alone, but of it and a device."""

from __future__ import annotations

from ontology.facts import Answer, Capacity, Constraint, Need
from ontology.matching.rules import RULES, combine

_HOLDS = {Answer.FITS: True, Answer.UNKNOWN: None, Answer.DOES_NOT_FIT: False}


def is_small_for(language_model: bool | None, need: Need, capacity: Capacity) -> bool | None:
    """Whether it is a language model that the device's memory holds for inference.

    None where it is not known to be one, or what it needs or the device has is not known.
    """
    ram = RULES[Constraint.RAM](need, capacity).holds
    return _HOLDS[combine((language_model, ram))]
