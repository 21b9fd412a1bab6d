"""What `manage.py match` is asked for: which constraints, what kind of device, what counts."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from dataclasses import fields
from typing import Any

from django.core.management.base import CommandError

from ontology.facts import Constraint
from ontology.matching import LatencyTarget, Ranking, Weights, parse_weights
from ontology.matching.ranking import HARD_ALPHA, HARD_BETA
from registry.management.arguments import size
from registry.services.ranked import WhatIf

ALWAYS = list(Constraint)[:6]
_WEIGHTS = [field.name for field in fields(Weights)]
# Latency and energy count by what is left of a limit, which only the REST API takes.
_WITHOUT_LIMIT = [name for name in _WEIGHTS if name not in {"latency", "energy"}]


def add_arguments(parser: ArgumentParser) -> None:
    """Every option of the command."""
    parser.add_argument("--device", metavar="ID", help="one device")
    parser.add_argument("--variant", metavar="ID", help="one variant: number or model/1/name")
    parser.add_argument("--model", metavar="NAME", help="the variants of one model")
    parser.add_argument("--reference", action="store_true", help="published reference models too")
    parser.add_argument("--json", action="store_true", help="one JSON line a pair, no table")
    parser.add_argument(
        "--only",
        metavar="CONSTRAINTS",
        type=_constraints,
        help=f"ask only these, by commas: {', '.join(c.value for c in ALWAYS)}",
    )
    whole = parser.add_argument_group("whole fleets", "without reasons, so in little time")
    extent = whole.add_mutually_exclusive_group()
    extent.add_argument("--fits", action="store_true", help="only which device each variant fits")
    extent.add_argument("--count", action="store_true", help="only how many devices it fits")
    _add_what_if(parser)
    _add_ranking(parser)


def _add_what_if(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("a device that nobody has", "instead of --device")
    group.add_argument("--ram", metavar="SIZE", type=size, help="for the interpreter, e.g. 192kB")
    group.add_argument("--flash", metavar="SIZE", type=size, help="for one model, e.g. 800kB")
    group.add_argument("--runtime", metavar="R", default="", help="NAME@VERSION/KERNELS")
    group.add_argument("--board", metavar="SLUG", default="", help="a kind of board")


def _add_ranking(parser: ArgumentParser) -> None:
    group = parser.add_argument_group("the best first", "on one device")
    group.add_argument("--rank", action="store_true", help="by accuracy, then headroom")
    group.add_argument(
        "--weights",
        metavar="W",
        type=_weights,
        help=f"by your weights of {', '.join(_WITHOUT_LIMIT)}, e.g. accuracy=1,ram=0.5",
    )
    group.add_argument(
        "--target-latency", metavar="MS", type=float, help="by MnasNet's reward for this target"
    )
    group.add_argument("--alpha", type=float, default=HARD_ALPHA, help="within the target")
    group.add_argument("--beta", type=float, default=HARD_BETA, help="above the target")


def what_if_of(options: dict[str, Any]) -> WhatIf | None:
    """The device that was described instead of named, None where none was."""
    asked = WhatIf(options["ram"], options["flash"], options["runtime"], options["board"])
    return None if asked == WhatIf() else asked


def ranking_of(options: dict[str, Any]) -> Ranking | None:
    """What counts, None where no order was asked for."""
    weights, latency = options["weights"], options["target_latency"]
    if weights is not None and latency is not None:
        raise CommandError("--weights and --target-latency are two orders; give one")
    if not options["rank"] and weights is None and latency is None:
        return None
    if latency is None:
        return Ranking(weights)
    try:
        return Ranking(weights, LatencyTarget(latency, options["alpha"], options["beta"]))
    except ValueError as error:
        raise CommandError(f"--target-latency, --alpha, --beta: {error}") from error


def _constraints(text: str) -> list[Constraint]:
    try:
        chosen = [Constraint(part.strip()) for part in text.split(",")]
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    foreign = [constraint.value for constraint in chosen if constraint not in ALWAYS]
    if foreign:
        raise ArgumentTypeError(f"{foreign[0]} needs a limit, which only the REST API takes")
    return chosen


def _weights(text: str) -> Weights:
    try:
        weights = parse_weights(text)
    except ValueError as error:
        raise ArgumentTypeError(str(error)) from error
    if weights.latency or weights.energy:
        raise ArgumentTypeError("latency and energy need a limit, which only the REST API takes")
    return weights
