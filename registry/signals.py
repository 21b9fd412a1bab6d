"""Edits in the admin reach the graph: a saved or deleted row marks its subject, nothing more."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any
from weakref import WeakKeyDictionary

from django.db.models import Model, Q, QuerySet
from django.db.models.signals import m2m_changed, post_delete, post_save, pre_delete, pre_save

from registry.models import (
    CapabilityProfile,
    Device,
    Fleet,
    Measurement,
    OnboardSensor,
    RegisteredModel,
    Release,
    Remark,
    SubjectKind,
    Variant,
)
from registry.projection.keys import SUBJECT_MODELS, subject_of
from registry.services.graph_outbox import mark, mark_all, mark_everything, mark_new_profile


def connect() -> None:
    """Connect every receiver, once a process."""
    for model in SUBJECT_MODELS:
        pre_save.connect(_mark_old_key, sender=model, dispatch_uid=f"graph-old-key-{model}")
        post_save.connect(_mark_row, sender=model, dispatch_uid=f"graph-save-{model}")
        pre_delete.connect(_mark_referrers, sender=model, dispatch_uid=f"graph-names-{model}")
        post_delete.connect(_mark_row, sender=model, dispatch_uid=f"graph-delete-{model}")
    pre_save.connect(_mark_variants_of, sender=RegisteredModel, dispatch_uid="graph-traits")
    pre_delete.connect(_mark_disputing, sender=Measurement, dispatch_uid="graph-disputing")
    disputes = Measurement.disputes.through
    m2m_changed.connect(_mark_disputed, sender=disputes, dispatch_uid="graph-disputes")
    for model in (OnboardSensor, Measurement, Remark):
        post_save.connect(_mark_owner, sender=model, dispatch_uid=f"graph-save-{model}")
        post_delete.connect(_mark_owner, sender=model, dispatch_uid=f"graph-delete-{model}")
    through = Device.fleets.through
    m2m_changed.connect(_mark_members, sender=through, dispatch_uid="graph-fleets")


def _mark_row(instance: Model, created: bool = False, **_: Any) -> None:
    if created and isinstance(instance, CapabilityProfile):
        mark_new_profile(instance.digest)
    else:
        mark(*subject_of(instance))


def _mark_old_key(instance: Model, raw: bool = False, **_: Any) -> None:
    """A subject that changes its key changes its IRI, and with it every graph that names it."""
    if instance.pk is None or raw:
        return
    old = type(instance)._base_manager.filter(pk=instance.pk).first()
    if old is not None and subject_of(old) != subject_of(instance):
        mark(*subject_of(old))
        mark_everything()


def _mark_referrers(instance: Model, **_: Any) -> None:
    """Rows that name this one and outlive it: their reference is cleared without a signal."""
    if isinstance(instance, Fleet):
        rows: Iterable[Model] = instance.devices.all()
    elif isinstance(instance, Variant):
        rows = instance.children.select_related("release__model")
    elif isinstance(instance, Release):
        rows = RegisteredModel.objects.filter(Q(champion=instance) | Q(challenger=instance))
    else:
        return
    mark_all(subject_of(row) for row in rows)


def _mark_owner(instance: OnboardSensor | Measurement | Remark, **_: Any) -> None:
    if isinstance(instance, OnboardSensor):
        mark(SubjectKind.BOARD, instance.board.slug)
    else:
        mark(SubjectKind.VARIANT, str(instance.variant_id))


def _mark_variants_of(instance: RegisteredModel, raw: bool = False, **_: Any) -> None:
    """What is stated of a model decides what its variants' clues still tell, and their verdicts."""
    old = None if raw else RegisteredModel.objects.filter(pk=instance.pk).first()
    if old is None or all(getattr(old, name) == getattr(instance, name) for name in _OF_VARIANTS):
        return
    variants = Variant.objects.filter(release__model=instance).values_list("pk", flat=True)
    mark_all((SubjectKind.VARIANT, str(pk)) for pk in variants)


_OF_VARIANTS = ("reference", "language_model", "traits")


def _mark_disputed(instance: Measurement, action: str, pk_set: set[int] | None, **_: Any) -> None:
    """A contradiction is said at both figures."""
    if action != "pre_clear" and not (action in {"post_add", "post_remove"} and pk_set):
        return
    others = instance.disputes.all() if action == "pre_clear" else _measurements(pk_set)
    rows = {instance.variant_id, *others.values_list("variant", flat=True)}
    mark_all((SubjectKind.VARIANT, str(pk)) for pk in sorted(rows))


def _mark_disputing(instance: Measurement, **_: Any) -> None:
    """Figures of other variants that name this one as contradicting them outlive it."""
    variants = instance.disputes.values_list("variant", flat=True)
    mark_all((SubjectKind.VARIANT, str(pk)) for pk in variants)


def _measurements(pk_set: set[int] | None) -> QuerySet[Measurement]:
    return Measurement.objects.filter(pk__in=pk_set or ())


def _mark_members(instance: Device | Fleet, action: str, pk_set: set[int] | None, **_: Any) -> None:
    """Membership is said at the device, whichever side it was edited from."""
    if isinstance(instance, Device):
        if action.startswith("post_"):
            mark(SubjectKind.DEVICE, instance.device_id)
    elif action == "pre_clear":
        # After clearing nobody knows who they were.
        _CLEARED[instance] = _device_ids(instance.devices.all())
    elif action == "post_clear":
        mark_all((SubjectKind.DEVICE, each) for each in _CLEARED.pop(instance, []))
    elif action.startswith("post_"):
        concerned = Device.objects.filter(pk__in=pk_set or ())
        mark_all((SubjectKind.DEVICE, each) for each in _device_ids(concerned))


_CLEARED: WeakKeyDictionary[Fleet, list[str]] = WeakKeyDictionary()


def _device_ids(devices: QuerySet[Device]) -> list[str]:
    return list(devices.values_list("device_id", flat=True))
