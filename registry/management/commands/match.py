"""`manage.py match [--device ID] [--variant ID] [--json]`: what fits what, and why not."""

from __future__ import annotations

import json
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Iterable, Iterator
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db.models import QuerySet
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from ontology.facts import Answer, Constraint, Verdict
from ontology.matching import explain
from registry.models import Device, Variant
from registry.services.lookup import LookupFailed, find_device, find_variant
from registry.services.matching import PairVerdict, assess_all, reason_json, restrict

_STYLE = {Answer.FITS: "green", Answer.DOES_NOT_FIT: "red", Answer.UNKNOWN: "yellow"}
_WORDS = {Answer.FITS: "fits", Answer.DOES_NOT_FIT: "does not fit", Answer.UNKNOWN: "unknown"}

PIPE_WIDTH = 160


class Command(BaseCommand):
    """Judge devices and variants against each other; needs no other process."""

    help = (
        "Say which variant fits which device, and what fails by how much. With neither --device "
        "nor --variant every pair is judged and printed as one JSON line."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--device", metavar="ID", help="one device")
        parser.add_argument("--variant", metavar="ID", help="one variant: number or model/1/name")
        parser.add_argument("--json", action="store_true", help="one JSON line a pair, no table")
        parser.add_argument(
            "--only",
            metavar="CONSTRAINTS",
            type=_constraints,
            help=f"ask only these, by commas: {', '.join(c.value for c in _ALWAYS)}",
        )

    def handle(
        self,
        *args: Any,
        device: str | None,
        variant: str | None,
        only: list[Constraint] | None,
        **options: Any,
    ) -> None:
        pairs = _restricted(assess_all(_devices(device), _variants(variant)), only)
        if options["json"] or (device is None and variant is None):
            for pair in pairs:
                self.stdout.write(json.dumps(pair_json(pair)))
        else:
            self.stdout.write(_rendered(_table(pairs)))


_ALWAYS = list(Constraint)[:6]


def _constraints(text: str) -> list[Constraint]:
    try:
        chosen = [Constraint(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    foreign = [constraint.value for constraint in chosen if constraint not in _ALWAYS]
    if foreign:
        raise ArgumentTypeError(f"{foreign[0]} needs a limit, which only the REST API takes")
    return chosen


def _devices(device_id: str | None) -> QuerySet[Device]:
    if device_id is None:
        return Device.objects.all()
    try:
        return Device.objects.filter(pk=find_device(device_id).pk)
    except LookupFailed as error:
        raise CommandError(str(error)) from error


def _variants(name: str | None) -> QuerySet[Variant]:
    if name is None:
        return Variant.objects.all()
    try:
        return Variant.objects.filter(pk=find_variant(name).pk)
    except LookupFailed as error:
        raise CommandError(str(error)) from error


def _restricted(
    pairs: Iterable[PairVerdict], only: list[Constraint] | None
) -> Iterator[PairVerdict]:
    for pair in pairs:
        verdict = restrict(pair.verdict, only) if only else pair.verdict
        yield PairVerdict(pair.device, pair.variant, verdict)


def pair_json(pair: PairVerdict) -> dict[str, Any]:
    """One line of output."""
    return {
        "device": pair.device.device_id,
        "variant": str(pair.variant),
        "verdict": pair.verdict.answer.value,
        "reasons": [reason_json(reason) for reason in pair.verdict.reasons],
    }


def _table(pairs: Iterable[PairVerdict]) -> Table:
    table = Table("Device", "Variant", "Verdict", "Why", box=None, pad_edge=False)
    for pair in pairs:
        answer = pair.verdict.answer
        words = _WORDS[answer] + (" (assumed)" if pair.verdict.assumed else "")
        verdict = f"[{_STYLE[answer]}]{words}[/]"
        table.add_row(pair.device.device_id, str(pair.variant), verdict, _why(pair.verdict))
    return table


def _rendered(table: Table) -> str:
    """As text, coloured on a terminal only; a file or a pipe gets wide lines."""
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=PIPE_WIDTH)
    with console.capture() as captured:
        console.print(table)
    return captured.get()


def _why(verdict: Verdict) -> str:
    """What decides: every failed constraint, or else every unknown one, or else the headroom."""
    failed = [reason for reason in verdict.reasons if reason.holds is False]
    unknown = [reason for reason in verdict.reasons if reason.holds is None]
    spare = [reason for reason in verdict.reasons if reason.headroom is not None]
    return escape("; ".join(explain(reason) for reason in failed or unknown or spare))
