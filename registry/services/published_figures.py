"""The figures and remarks of a published variant, each one row."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator

from ontology.facts import Figure, Metric, RuntimeId, Status
from registry.models import BoardType, Measurement, Remark, Runtime, SubjectKind, Variant
from registry.services.catalogue import CatalogueError, Change
from registry.services.graph_outbox import mark
from registry.services.measurements import UNITS, runtime_row
from registry.services.published_facts import (
    DisputeEntry,
    FigureEntry,
    FigureName,
    RemarkEntry,
    VariantEntry,
)


class Targets:
    """The rows of boards and runtimes, each read once."""

    def __init__(self) -> None:
        self._boards = {row.slug: row for row in BoardType.objects.all()}
        self._runtimes: dict[RuntimeId, Runtime] = {}

    def board(self, slug: str | None) -> BoardType | None:
        """The board of that slug, which must be there; None for none."""
        return None if slug is None else self._boards[slug]

    def runtime(self, named: RuntimeId | None, source: str) -> Runtime | None:
        """The runtime of that name, made where it is new; None for none."""
        if named is None:
            return None
        if named not in self._runtimes:
            self._runtimes[named] = runtime_row(named, source)
        return self._runtimes[named]


_KEY = ("board", "runtime", "precision", "metric", "dataset", "conditions", "status", "source")
_FACTS = ("value", "unit", "note")


def load_figures(variant: Variant, entry: VariantEntry, targets: Targets) -> Counter[Change]:
    """Bring the variant's figures up to the entry's; figures from elsewhere stay."""
    known = {_key(row): row for row in variant.measurements.select_related("board", "runtime")}
    changes: Counter[Change] = Counter()
    created = []
    for figure in (*entry.figures, *_derived(entry)):
        wanted = _row(variant, figure, targets)
        row = known.get(_key(wanted))
        if row is None:
            created.append(wanted)
        else:
            changes[_bring_up(row, wanted)] += 1
    Measurement.objects.bulk_create(created)
    if created:
        changes[Change.CREATED] += len(created)
        mark(SubjectKind.VARIANT, str(variant.pk))
    return changes


def _key(row: Measurement) -> tuple[object, ...]:
    return tuple(getattr(row, name) for name in _KEY)


def _bring_up(row: Measurement, wanted: Measurement) -> Change:
    changed = [name for name in _FACTS if getattr(row, name) != getattr(wanted, name)]
    for name in changed:
        setattr(row, name, getattr(wanted, name))
    if changed:
        row.save()
    return Change.UPDATED if changed else Change.UNCHANGED


def _row(variant: Variant, entry: FigureEntry, targets: Targets) -> Measurement:
    figure = entry.figure
    return Measurement(
        variant=variant,
        board=targets.board(figure.board),
        runtime=targets.runtime(figure.runtime, figure.source),
        precision=entry.precision or variant.precision,
        metric=figure.metric.value,
        value=figure.value,
        unit=UNITS[figure.metric],
        status=figure.status.value,
        source=figure.source,
        dataset=figure.dataset,
        conditions=figure.conditions,
        note=entry.note,
    )


def _derived(entry: VariantEntry) -> Iterator[FigureEntry]:
    """Of a network whose layers are published, the multiply-accumulates follow."""
    if entry.convolutions:
        macs = sum(_convolution_macs(**layer) for layer in entry.convolutions)
        source = "the published shapes of its convolutions"
        yield FigureEntry(Figure(Metric.MACS, macs, Status.DERIVED, source))


def _convolution_macs(
    *, in_channels: int, out_channels: int, kernel: int, groups: int, in_size: int, out_size: int
) -> int:
    """Of one square convolution: each output place meets its group's inputs under the kernel."""
    return out_size**2 * out_channels * kernel**2 * (in_channels // groups)


def load_remarks(variant: Variant, entries: Iterable[RemarkEntry], targets: Targets) -> bool:
    """Bring the variant's remarks up to the entries; whether one was new."""
    created = [
        Remark.objects.get_or_create(
            variant=variant,
            board=targets.board(entry.board),
            runtime=targets.runtime(entry.runtime, entry.source),
            text=entry.text,
            source=entry.source,
        )[1]
        for entry in entries
    ]
    if any(created):
        mark(SubjectKind.VARIANT, str(variant.pk))
    return any(created)


def load_disputes(entries: Iterable[DisputeEntry]) -> None:
    """Note which figures are said to contradict each other; both stay as they are."""
    for entry in entries:
        first, second = _named(entry.first), _named(entry.second)
        first.disputes.add(second)


def _named(name: FigureName) -> Measurement:
    rows = Measurement.objects.filter(
        variant__release__model__name=name.model,
        variant__name=name.variant,
        metric=name.metric.value,
        source=name.source,
    )
    if rows.count() != 1:
        rule = f"names {rows.count()} figures of {name.variant} by {name.source!r}; name one"
        raise CatalogueError("published facts", f"dispute about {name.model}", rule)
    return rows.get()
