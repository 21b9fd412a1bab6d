"""What a file of published facts may say: YAML in, checked entries out, or the rule it breaks."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ontology.facts import Figure, Metric, Status
from ontology.preconditions import known_preconditions
from registry.services.catalogue_checks import (
    Broken,
    CatalogueError,
    Check,
    above_zero,
    checked,
    list_of,
    matching,
    number,
    sections,
    shown,
    slug,
    text,
    url,
    word,
    yes_or_no,
)
from registry.services.published_facts import (
    CitedWorkEntry,
    DisputeEntry,
    FigureEntry,
    FigureName,
    ModelEntry,
    PlatformEntry,
    PublishedFacts,
    RemarkEntry,
    TechniqueEntry,
    VariantEntry,
)
from registry.services.quantities import METRICS, quantity, runtime_of


def read_published(directory: Path) -> PublishedFacts:
    """Read and check every *.yaml file of a folder; CatalogueError for the first fault."""
    found: dict[str, list[Any]] = {section: [] for section in _SECTIONS}
    seen: set[tuple[str, str]] = set()
    for file in sorted(directory.glob("*.yaml")):
        for section, entries in sections(file, _SECTIONS):
            for place, raw in enumerate(entries, start=1):
                label = _label(section, place, raw)
                try:
                    found[section].append(_SECTIONS[section](raw))
                    _once(seen, section, label)
                except Broken as error:
                    raise CatalogueError(file.name, label, str(error)) from error
    return PublishedFacts(**{section: tuple(entries) for section, entries in found.items()})


def _label(section: str, place: int, raw: Any) -> str:
    names = [raw.get("slug") or raw.get("name")] if isinstance(raw, dict) else []
    return f"{section.removesuffix('s')} {next((n for n in names if n), place)}"


def _once(seen: set[tuple[str, str]], section: str, label: str) -> None:
    """Disputes have no name of their own."""
    if (section, label) in seen and section != "disputes":
        raise Broken("is given twice in this catalogue")
    seen.add((section, label))


def _platform(raw: Any) -> PlatformEntry:
    required = ("slug", "name", "vendor", "mcu", "core", "source")
    return PlatformEntry(**checked(raw, _PLATFORM, required))


def _model(raw: Any) -> ModelEntry:
    values = checked(raw, _MODEL, ("name", "task", "source", "variants"))
    if values.get("traits") and not values.get("traits_source"):
        raise Broken("states traits and lacks traits_source")
    variants = tuple(_variant(each, values["source"]) for each in values.pop("variants"))
    names = [variant.name for variant in variants]
    if len(set(names)) < len(names):
        raise Broken("names a variant twice")
    for variant in variants:
        if variant.parent and variant.parent not in names[: names.index(variant.name)]:
            raise Broken(f"{variant.name}: its parent must stand before it")
    return ModelEntry(**values, variants=variants)


def _variant(raw: Any, source: str) -> VariantEntry:
    values = checked(raw, _VARIANT, ("name",))
    name = values["name"]
    try:
        rows = [checked(row, _ROW, ()) for row in values.pop("figures", ())]
        figures = tuple(entry for row in rows for entry in _figures(row, source))
        remarks = tuple(_remark(row, source) for row in rows if "remark" in row)
    except Broken as error:
        raise Broken(f"{name}: {error}") from error
    return VariantEntry(**values, figures=figures, remarks=remarks)


def _figures(row: Mapping[str, Any], source: str) -> Iterator[FigureEntry]:
    """A row of figures shares its target, data set, conditions, status and source."""
    named = [name for name in METRICS if name in row]
    if not named and "remark" not in row:
        raise Broken("has a row without a figure or a remark")
    for name in named:
        figure = Figure(
            metric=METRICS[name][0],
            value=quantity(name, row[name]),
            status=row.get("status", Status.PUBLISHED),
            source=row.get("source", source),
            runtime=row.get("runtime"),
            board=row.get("board"),
            dataset=row.get("dataset", ""),
            conditions=row.get("conditions", ""),
        )
        yield FigureEntry(figure, row.get("precision", ""), row.get("note", ""))


def _remark(row: Mapping[str, Any], source: str) -> RemarkEntry:
    return RemarkEntry(
        row["remark"], row.get("source", source), row.get("board"), row.get("runtime")
    )


def _technique(raw: Any) -> TechniqueEntry:
    return TechniqueEntry(**checked(raw, _TECHNIQUE, _TECHNIQUE))


def _cited_work(raw: Any) -> CitedWorkEntry:
    return CitedWorkEntry(**checked(raw, _CITED_WORK, _CITED_WORK))


def _dispute(raw: Any) -> DisputeEntry:
    return DisputeEntry(**checked(raw, {"first": _named, "second": _named}, ("first", "second")))


def _named(raw: Any) -> FigureName:
    return FigureName(**checked(raw, _FIGURE_NAME, _FIGURE_NAME))


def _one_of(kind: type[Metric] | type[Status]) -> Check:
    def check(value: Any) -> Metric | Status:
        if value not in set(kind):
            raise Broken(f"must be one of {', '.join(kind)}, not {shown(value)}")
        return kind(value)

    return check


def _precondition(value: Any) -> str:
    if value not in known_preconditions():
        raise Broken(f"must be of {', '.join(known_preconditions())}, not {shown(value)}")
    return str(value)


def _traits(value: Any) -> dict[str, bool]:
    if not isinstance(value, dict) or not value:
        raise Broken(f"must map preconditions to true or false, not {shown(value)}")
    return {_precondition(key): yes_or_no(holds) for key, holds in value.items()}


def _shape(value: Any) -> dict[str, Any]:
    return checked(value, {"input": list_of(above_zero), "depth_multiplier": number}, ())


def _convolution(value: Any) -> dict[str, int]:
    return checked(value, dict.fromkeys(_CONVOLUTION, above_zero), _CONVOLUTION)


def _plain(value: Any) -> Any:
    """Checked where its unit is known."""
    return value


def _entries(value: Any) -> Sequence[Any]:
    found: Sequence[Any] = list_of(_plain)(value)
    return found


_CONVOLUTION = ("in_channels", "out_channels", "kernel", "groups", "in_size", "out_size")
# As it is known: CCT-2/3x2, mnasnet-a1_d1.0_i192.
_VARIANT_NAME = re.compile(r"[\w.+-]+(/[\w.+-]+)*", re.ASCII)
_PLATFORM: Mapping[str, Check] = {
    "slug": slug,
    "name": text(160),
    "vendor": text(120),
    "mcu": text(80),
    "core": word,
    "clock_hz": above_zero,
    "ram_bytes": above_zero,
    "flash_bytes": above_zero,
    "url": url,
    "source": text(300),
}
_ROW: Mapping[str, Check] = {
    "board": slug,
    "runtime": runtime_of,
    "precision": text(20),
    "dataset": text(80),
    "conditions": text(300),
    "status": _one_of(Status),
    "source": text(300),
    "note": text(300),
    "remark": text(300),
    **dict.fromkeys(METRICS, _plain),
}
_VARIANT: Mapping[str, Check] = {
    "name": matching(_VARIANT_NAME, 120, "a name of letters, digits and . + - _ /"),
    "precision": text(20),
    "parent": text(120),
    "technique": text(120),
    "shape": _shape,
    "convolutions": list_of(_convolution),
    "figures": _entries,
}
_MODEL: Mapping[str, Check] = {
    "name": slug,
    "task": text(200),
    "source": text(300),
    "language_model": yes_or_no,
    "traits": _traits,
    "traits_source": text(300),
    "variants": _entries,
}
_TECHNIQUE: Mapping[str, Check] = {
    "slug": slug,
    "name": text(160),
    "kind": text(80),
    "applies_to": text(200),
    "condition": text(200),
    "preconditions": list_of(_precondition),
    "achieved": text(300),
    "source": text(300),
}
_CITED_WORK: Mapping[str, Check] = {
    "slug": slug,
    "title": text(300),
    "source": text(300),
    "out_of_scope_because": text(300),
}
_FIGURE_NAME: Mapping[str, Check] = {
    "model": slug,
    "variant": text(120),
    "metric": _one_of(Metric),
    "source": text(300),
}
_SECTIONS: Mapping[str, Check] = {
    "platforms": _platform,
    "models": _model,
    "techniques": _technique,
    "cited_works": _cited_work,
    "disputes": _dispute,
}
