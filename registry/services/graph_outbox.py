"""Say that a subject's graph is out of date, in the transaction that changed its row.

The row and the mark are committed together or not at all, so the graph can lag behind the inventory
but never miss a change. Marks are not merged: a mark that was skipped because an equal one was
waiting could be lost with it, when that one has been read but not yet removed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TypeAlias

from django.db.models import Q
from django.utils import timezone

from registry.models import CapabilityProfile, Device, GraphChange, SubjectKind, Variant
from registry.services.row_sets import insert_rows

# In place of a key: every subject of the kind. One row, where a fleet of profiles times a shelf of
# variants would be thousands.
EVERY = "*"

# Begins the key of verdicts that a new profile adds to: a column, where a variant's are a row.
COLUMN = "profile/"

Mark: TypeAlias = tuple[SubjectKind, str]


def mark(kind: SubjectKind, subject: str) -> None:
    """Mark one subject, and whatever else is projected from its row; call within its transaction.

    `subject` is the key in the subject's IRI: a board's slug, a runtime's, firmware's or variant's
    primary key, a profile's digest, a device_id, a fleet's slug, a model's name, 'NAME/NUMBER' of a
    release, the variant's key for its verdicts.
    """
    mark_all([(kind, subject)])


def mark_all(marks: Iterable[Mark]) -> None:
    """Mark several subjects with as few queries as there are kinds of consequence."""
    given = list(marks)
    devices = [subject for kind, subject in given if kind is SubjectKind.DEVICE]
    found = [mark for each in given for mark in (each, *_consequences(*each))]
    _write(dict.fromkeys([*found, *_judged_by_figures_of(devices)]))


def _write(marks: Iterable[Mark]) -> None:
    now = timezone.now()
    rows = [(kind.value, subject, now) for kind, subject in marks]
    insert_rows(GraphChange, ("kind", "subject", "marked_at"), rows)


def mark_new(marks: Iterable[Mark]) -> None:
    """Mark subjects whose rows were not there before: no other subject is projected from them."""
    _write(dict.fromkeys(marks))


def mark_new_profile(digest: str) -> None:
    """Mark a profile that there was not before: each variant's verdict on it is to be added."""
    _write([(SubjectKind.PROFILE, digest), (SubjectKind.VERDICTS, f"{COLUMN}{digest}")])


def mark_everything() -> None:
    """Mark every subject there is."""
    mark_all((kind, EVERY) for kind in SubjectKind)


def _consequences(kind: SubjectKind, subject: str) -> Iterator[Mark]:
    """What else is projected from the row: a capacity that changes is a new judgement of all."""
    if subject == EVERY:
        return
    if kind is SubjectKind.VARIANT:
        yield SubjectKind.VERDICTS, subject
    elif kind is SubjectKind.MODEL:
        yield from _variants_of(Q(release__model__name=subject))
    elif kind is SubjectKind.RELEASE:
        name, _, number = subject.rpartition("/")
        yield from _variants_of(Q(release__model__name=name, release__number=number))
    elif kind is SubjectKind.PROFILE:
        yield SubjectKind.VERDICTS, EVERY
        devices = Device.objects.filter(profile__digest=subject)  # a new profile has none yet
        for device_id in devices.values_list("device_id", flat=True):
            yield SubjectKind.DEVICE, device_id
    elif (profiles := _profiles_by(kind, subject)) is not None:
        digests = list(CapabilityProfile.objects.filter(profiles).values_list("digest", flat=True))
        yield from ((SubjectKind.PROFILE, digest) for digest in digests)
        if digests or kind is SubjectKind.RUNTIME:  # which figures count for, as well as run on
            yield SubjectKind.VERDICTS, EVERY


def _variants_of(owner: Q) -> Iterator[Mark]:
    """A variant repeats its model's task and its release's data, for those who ask of it alone."""
    for pk in Variant.objects.filter(owner).values_list("pk", flat=True):
        yield SubjectKind.VARIANT, str(pk)


def _judged_by_figures_of(device_ids: Sequence[str]) -> Iterator[Mark]:
    """A figure that was taken on a device holds for the board type that its profile names."""
    if device_ids:
        measured = Variant.objects.filter(measurements__device__device_id__one_of=device_ids)
        keys = measured.distinct().values_list("pk", flat=True)
        yield from ((SubjectKind.VERDICTS, str(key)) for key in keys)


def _profiles_by(kind: SubjectKind, subject: str) -> Q | None:
    """Whose capacity is read from this row; a bare board's is its memory and an assumed runtime."""
    if kind is SubjectKind.BOARD:
        return Q(board__slug=subject, firmware=None)
    if kind is SubjectKind.RUNTIME:
        return Q(firmware__runtime=subject) | Q(firmware=None)
    if kind is SubjectKind.FIRMWARE:
        return Q(firmware=subject)
    return None
