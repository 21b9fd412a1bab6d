"""`manage.py techniques --variant V [--device D]`: which apply, and what they achieved."""

from __future__ import annotations

import json
from argparse import ArgumentParser
from collections.abc import Iterable
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from rich.markup import escape
from rich.table import Table

from ontology.facts import Answer
from registry.management.tables import rendered
from registry.services.lookup import LookupFailed, find_device, find_variant
from registry.services.techniques import TechniqueAnswer, UnknownPrecondition, techniques_for

WORDS = {
    Answer.FITS: "applies",
    Answer.UNKNOWN: "unknown",
    Answer.DOES_NOT_FIT: "does not apply",
}


class Command(BaseCommand):
    """Judge every technique on a variant and a device; needs no other process."""

    help = "Say which published techniques apply to a variant on a device, and what they achieved."

    def add_arguments(self, parser: ArgumentParser) -> None:
        parser.add_argument("--variant", required=True, metavar="V", help="number or model/1/name")
        parser.add_argument("--device", metavar="ID", help="the device that it would run on")
        parser.add_argument(
            "--holds", metavar="KEYS", default="", help="preconditions that hold, by commas"
        )
        parser.add_argument(
            "--fails", metavar="KEYS", default="", help="preconditions that do not, by commas"
        )
        parser.add_argument("--json", action="store_true", help="one JSON line a technique")

    def handle(self, *args: Any, **options: Any) -> None:
        said = dict.fromkeys(_keys(options["fails"]), False)
        said |= dict.fromkeys(_keys(options["holds"]), True)
        try:
            device = find_device(options["device"]) if options["device"] else None
            answers = techniques_for(find_variant(options["variant"]), device, said)
        except (LookupFailed, UnknownPrecondition) as error:
            raise CommandError(str(error)) from error
        if options["json"]:
            for answer in answers:
                self.stdout.write(json.dumps(answer_json(answer)))
        else:
            self.stdout.write(_rendered(answers))


def _keys(text: str) -> list[str]:
    return [key.strip() for key in text.split(",") if key.strip()]


def answer_json(answer: TechniqueAnswer) -> dict[str, Any]:
    """One line of output."""
    return {
        "technique": answer.technique.slug,
        "outcome": WORDS[answer.verdict.answer].replace(" ", "_"),
        "preconditions": {
            outcome.precondition.key: outcome.holds for outcome in answer.verdict.outcomes
        },
        "achieved": answer.technique.achieved,
        "source": answer.technique.source,
    }


def _rendered(answers: Iterable[TechniqueAnswer]) -> str:
    table = Table("Technique", "Outcome", "Why", "Achieved", box=None, pad_edge=False)
    for answer in answers:
        words = WORDS[answer.verdict.answer]
        row = (answer.technique.name, words, _why(answer), answer.technique.achieved)
        table.add_row(*map(escape, row))
    return rendered(table)


def _why(answer: TechniqueAnswer) -> str:
    """What decides: every precondition that fails, or else every open one, or else all."""
    outcomes = answer.verdict.outcomes
    failed = [each.precondition.label for each in outcomes if each.holds is False]
    open_ = [each.precondition.label for each in outcomes if each.holds is None]
    if failed:
        return f"not so: {', '.join(failed)}"
    if open_:
        return f"not known: {', '.join(open_)}"
    return f"so: {', '.join(each.precondition.label for each in outcomes)}"
