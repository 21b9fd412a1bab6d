"""The options of a new rollout in the terminal, and the order that they make."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from pathlib import Path
from typing import Any

from django.utils import timezone
from django.utils.dateparse import parse_datetime

from orchestrator.services.rollouts import RolloutError, RolloutPolicy
from registry.services.lookup import find_release, find_variant


def add_order(parser: ArgumentParser) -> None:
    """What is sent to whom, and how."""
    parser.add_argument("--name", default="", help="what people call it")
    parser.add_argument("--release", help="a release's id, or model/number")
    parser.add_argument("--variant", help="one variant instead: its id, or model/number/name")
    target = parser.add_mutually_exclusive_group()
    target.add_argument("--fleet", help="the fleet's slug; without a target every device")
    target.add_argument("--device", action="append", metavar="ID", help="one device; repeatable")
    target.add_argument("--filter", help="devices that it means, e.g. 'board = nano-33-ble'")
    target.add_argument("--sparql", type=Path, metavar="FILE", help="devices that a SELECT yields")
    parser.add_argument(
        "--dynamic", action="store_true", help="devices that it comes to mean join until it expires"
    )
    waves = parser.add_mutually_exclusive_group()
    waves.add_argument("--waves", type=_percentages, default=(100,), metavar="10,50,100")
    waves.add_argument(
        "--wave-sizes", type=_sizes, default=(), metavar="5,50", help="devices; the rest follows"
    )
    parser.add_argument("--success", type=float, default=0.9, help="a wave needs >= this fraction")
    parser.add_argument("--errors", type=float, default=0.2, help="above this fraction it stops")
    parser.add_argument("--soak", type=int, default=0, help="seconds from install to confirm")
    parser.add_argument("--start-at", type=_moment, metavar="2030-01-31T22:00Z")
    parser.add_argument("--expires-at", type=_moment, metavar="2030-02-28T22:00Z")
    parser.add_argument("--max-accuracy-drop", type=float, help="health: a fraction")
    parser.add_argument("--max-latency-ratio", type=float, help="health: times as long as before")
    parser.add_argument("--max-restarts", type=int, help="health: during the soak")
    parser.add_argument("--window", type=_window, metavar="22:00-05:00", help="when orders may go")
    parser.add_argument("--window-days", metavar="mon,tue", help="on which days it begins")
    parser.add_argument("--timezone", default="UTC", metavar="Europe/Berlin", help="of the window")
    parser.add_argument("--per-minute", type=int, help="orders in any minute, at most")
    parser.add_argument("--needs-approval", action="store_true", help="by a second person")
    parser.add_argument("--revert", action="store_true", help="send devices back when it stops")


def wanted(options: dict[str, Any]) -> dict[str, Any]:
    """The options as `create_rollout` and `draft_rollout` take them."""
    release, variant = options["release"], options["variant"]
    return {
        "name": options["name"] or f"{release or variant or ''} {timezone.now():%F %H:%M}",
        "release": find_release(release) if release else None,
        "variant": find_variant(variant) if variant else None,
        "target": _target(options),
        "policy": _policy(options),
    }


def _target(options: dict[str, Any]) -> dict[str, Any]:
    if options["sparql"] is not None:
        return {"sparql": _text(options["sparql"])}
    given = {"fleet": options["fleet"], "filter": options["filter"], "devices": options["device"]}
    # An empty one is refused: it must not come to mean every device.
    return {kind: value for kind, value in given.items() if value is not None} or {"all": True}


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise RolloutError(f"{path} cannot be read as text: {error}.") from error


def _policy(options: dict[str, Any]) -> RolloutPolicy:
    limits = ("max_accuracy_drop", "max_latency_ratio", "max_restarts")
    return RolloutPolicy(
        wave_percentages=options["waves"],
        success_threshold=options["success"],
        error_threshold=options["errors"],
        soak_s=options["soak"],
        start_at=options["start_at"],
        expires_at=options["expires_at"],
        health={name: options[name] for name in limits if options[name] is not None},
        revert_on_failure=options["revert"],
        is_dynamic=options["dynamic"],
        wave_sizes=options["wave_sizes"],
        window=_hours(options),
        max_per_minute=options["per_minute"],
        needs_approval=options["needs_approval"],
    )


def _hours(options: dict[str, Any]) -> dict[str, Any] | None:
    if options["window"] is None:
        return None
    days = options["window_days"]
    named = {"days": days.split(",")} if days else {}
    return {**options["window"], **named, "timezone": options["timezone"]}


def _percentages(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no list of percentages such as 10,50,100") from error


def _sizes(text: str) -> tuple[int, ...]:
    try:
        return tuple(int(part) for part in text.split(","))
    except ValueError as error:
        raise ArgumentTypeError(f"{text!r} is no list of numbers such as 5,50") from error


def _window(text: str) -> dict[str, str]:
    begins, dash, ends = text.partition("-")
    if not dash:
        raise ArgumentTypeError(f"{text!r} is no window such as 22:00-05:00")
    return {"from": begins, "to": ends}


def _moment(text: str) -> Any:
    try:
        moment = parse_datetime(text)
    except ValueError:  # of the right form, but no such day or hour
        moment = None
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time such as 2030-01-31T22:00Z")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
