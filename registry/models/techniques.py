"""Published ways to make, train, choose or run networks, and works that are cited alone."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from ontology.preconditions import known_preconditions


def check_preconditions(keys: object) -> None:
    """ValidationError unless it is a list, or the keys of a mapping, of known preconditions."""
    if not isinstance(keys, list | dict):
        raise ValidationError("must name preconditions")
    unknown = sorted(str(key) for key in keys if key not in known_preconditions())
    if unknown:
        known = ", ".join(known_preconditions())
        raise ValidationError(f"{unknown[0]!r} is no precondition; there are {known}")


def check_traits(traits: object) -> None:
    """ValidationError unless it maps preconditions to true or false."""
    if not isinstance(traits, dict):
        raise ValidationError("must map preconditions to true or false")
    check_preconditions(traits)
    wrong = sorted(key for key, holds in traits.items() if not isinstance(holds, bool))
    if wrong:
        raise ValidationError(f"{wrong[0]} is true or false, not {traits[wrong[0]]!r}")


class Technique(models.Model):
    """A published technique with what it asks for and what it achieved, in its source's words.

    `preconditions` is what is judged; `applies_to` and `condition` say the same for people.
    """

    slug = models.SlugField(max_length=80, unique=True)
    name = models.CharField(max_length=160)
    kind = models.CharField(max_length=80, help_text="e.g. pruning, on-device training, serving")
    applies_to = models.CharField(max_length=200)
    condition = models.CharField(max_length=200)
    preconditions = models.JSONField(
        default=list, validators=[check_preconditions], help_text="Keys; all of them must hold"
    )
    achieved = models.CharField(max_length=300)
    source = models.CharField(max_length=300)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class CitedWork(models.Model):
    """A work that is named beside the others but is about something else: nothing matches it."""

    slug = models.SlugField(max_length=80, unique=True)
    title = models.CharField(max_length=300)
    source = models.CharField(max_length=300)
    out_of_scope_because = models.CharField(max_length=300)

    class Meta:
        ordering = ["title"]

    def __str__(self) -> str:
        return self.title
