"""`manage.py match [--device ID] [--variant ID] [--json]`: what fits what, and why not."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from rich.markup import escape
from rich.table import Table

from ontology.facts import Answer, Capacity, Verdict
from ontology.matching import Ranking, explain
from registry.management import match_options
from registry.management.tables import rendered
from registry.models import Device, Variant
from registry.services.fleet_matching import Coverage, FittingDevices, coverage, fitting_devices
from registry.services.lookup import LookupFailed, find_device, find_variant
from registry.services.matching import (
    PairVerdict,
    assess_all,
    candidates,
    capacity_of_device,
    reason_json,
)
from registry.services.ranked import RankedVariant, WhatIf, ranked, what_if

_STYLE = {Answer.FITS: "green", Answer.DOES_NOT_FIT: "red", Answer.UNKNOWN: "yellow"}
_WORDS = {Answer.FITS: "fits", Answer.DOES_NOT_FIT: "does not fit", Answer.UNKNOWN: "unknown"}

NOBODY = "(what if)"


class Command(BaseCommand):
    """Judge devices and variants against each other; needs no other process."""

    help = (
        "Say which variant fits which device, and what fails by how much. With neither --device "
        "nor --variant every pair is judged and printed as one JSON line. Reference models, which"
        " are known from publications, are judged where --reference, --model or --variant asks."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        match_options.add_arguments(parser)

    def handle(self, *args: Any, **options: Any) -> None:
        asked, ranking = match_options.what_if_of(options), match_options.ranking_of(options)
        try:
            variants = _variants(options)
            if asked is not None or ranking is not None:
                _refuse_whole_fleets(options)
                self._in_order(options, asked, ranking, variants)
                return
            devices = _devices(options["device"])
        except LookupFailed as error:
            raise CommandError(str(error)) from error
        if options["fits"]:
            self._fits(fitting_devices(devices, variants, options["only"]))
        elif options["count"]:
            self._count(coverage(devices, variants, options["only"]), as_json=options["json"])
        else:
            self._pairs(options, assess_all(devices, variants, options["only"]))

    def _pairs(self, options: dict[str, Any], pairs: Iterable[PairVerdict]) -> None:
        if options["json"] or (options["device"] is None and options["variant"] is None):
            for pair in pairs:
                self.stdout.write(json.dumps(pair_json(pair)))
        else:
            self.stdout.write(rendered(_table(pairs)))

    def _fits(self, found: Iterable[FittingDevices]) -> None:
        for each in found:
            for device in each.devices:
                self.stdout.write(json.dumps({"device": device, "variant": str(each.variant)}))

    def _count(self, found: Iterable[Coverage], *, as_json: bool) -> None:
        if as_json:
            for each in found:
                self.stdout.write(json.dumps(coverage_json(each)))
        else:
            self.stdout.write(rendered(_coverage_table(found)))

    def _in_order(
        self,
        options: dict[str, Any],
        asked: WhatIf | None,
        ranking: Ranking | None,
        variants: QuerySet[Variant],
    ) -> None:
        name, capacity = _one_capacity(options["device"], asked)
        rows = ranked(capacity, variants, ranking or Ranking(), only=options["only"] or ())
        if options["json"]:
            for row in rows:
                self.stdout.write(json.dumps(ranked_json(name, row)))
        else:
            self.stdout.write(rendered(_ranked_table(name, rows, with_merit=ranking is not None)))


def _refuse_whole_fleets(options: dict[str, Any]) -> None:
    for name in ("fits", "count"):
        if options[name]:
            raise CommandError(f"--{name} is about devices of the inventory, not about an order")


def _one_capacity(device_id: str | None, asked: WhatIf | None) -> tuple[str | None, Capacity]:
    if asked is not None:
        if device_id is not None:
            raise CommandError(
                "--device names one; --ram, --flash, --runtime, --board describe one"
            )
        return None, what_if(asked)
    if device_id is None:
        raise CommandError("an order is one device's: name it with --device, or describe it")
    return device_id, capacity_of_device(find_device(device_id))


def _devices(device_id: str | None) -> QuerySet[Device]:
    if device_id is None:
        return Device.objects.all()
    return Device.objects.filter(pk=find_device(device_id).pk)


def _variants(options: dict[str, Any]) -> QuerySet[Variant]:
    if options["variant"] is not None:
        return Variant.objects.filter(pk=find_variant(options["variant"]).pk)
    return candidates(options["model"], reference=options["reference"])


def pair_json(pair: PairVerdict) -> dict[str, Any]:
    """One line of output."""
    return {
        "device": pair.device.device_id,
        "variant": str(pair.variant),
        "verdict": pair.verdict.answer.value,
        "reasons": [reason_json(reason) for reason in pair.verdict.reasons],
    }


def coverage_json(found: Coverage) -> dict[str, Any]:
    """One line of output for `--count`."""
    return {
        "variant": str(found.variant),
        "fits": found.fits,
        "unknown": found.unknown,
        "does_not_fit": found.does_not_fit,
    }


def ranked_json(device_id: str | None, row: RankedVariant) -> dict[str, Any]:
    """One line of output in the order of merit; the device is null where nobody has it."""
    return {
        "device": device_id,
        "variant": str(row.variant),
        "verdict": row.verdict.answer.value,
        "merit": row.merit,
        "reasons": [reason_json(reason) for reason in row.verdict.reasons],
    }


def _table(pairs: Iterable[PairVerdict]) -> Table:
    table = Table("Device", "Variant", "Verdict", "Why", box=None, pad_edge=False)
    for pair in pairs:
        verdict = _verdict_text(pair.verdict)
        table.add_row(pair.device.device_id, str(pair.variant), verdict, _why(pair.verdict))
    return table


def _coverage_table(found: Iterable[Coverage]) -> Table:
    table = Table("Variant", box=None, pad_edge=False)
    for title in ("Fits", "Unknown", "Does not fit"):
        table.add_column(title, justify="right")
    for each in found:
        counts = (each.fits, each.unknown, each.does_not_fit)
        table.add_row(str(each.variant), *(f"{count:,}" for count in counts))
    return table


def _ranked_table(
    device_id: str | None, rows: Iterable[RankedVariant], *, with_merit: bool
) -> Table:
    merit_column = ["Merit"] if with_merit else []
    columns = ["Device", "Variant", "Verdict", *merit_column, "Why"]
    table = Table(*columns, box=None, pad_edge=False)
    for row in rows:
        merit = "not known" if row.merit is None else f"{row.merit:.4f}"
        cells = [device_id or NOBODY, str(row.variant), _verdict_text(row.verdict)]
        table.add_row(*cells, *([merit] if with_merit else []), _why(row.verdict))
    return table


def _verdict_text(verdict: Verdict) -> str:
    words = _WORDS[verdict.answer] + (" (assumed)" if verdict.assumed else "")
    return f"[{_STYLE[verdict.answer]}]{words}[/]"


def _why(verdict: Verdict) -> str:
    """What decides: every failed constraint, or else every unknown one, or else the headroom."""
    failed = [reason for reason in verdict.reasons if reason.holds is False]
    unknown = [reason for reason in verdict.reasons if reason.holds is None]
    spare = [reason for reason in verdict.reasons if reason.headroom is not None]
    return escape("; ".join(explain(reason) for reason in failed or unknown or spare))
