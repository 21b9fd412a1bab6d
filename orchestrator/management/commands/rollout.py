"""`manage.py rollout create|plan|start|watch|pause|resume|abort|retry|roll-back`."""

from __future__ import annotations

import time
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.core.management.base import CommandError
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from rich.console import Console
from rich.live import Live

from orchestrator.management import rollout_tables
from orchestrator.models import Rollout, RolloutStatus
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError, RolloutPolicy
from registry.management.writing_command import WritingCommand
from registry.services.lookup import LookupFailed, find_release, find_variant

_POLL_S = 0.5
_STILL_GOING = (RolloutStatus.SCHEDULED, RolloutStatus.RUNNING, RolloutStatus.PAUSED)
_ORDERS: dict[str, Callable[[Rollout], Rollout]] = {
    "start": rollouts.start_rollout,
    "pause": rollouts.pause,
    "resume": rollouts.resume,
    "abort": rollouts.abort,
    "retry": rollouts.retry_failed,
    "roll-back": rollouts.roll_back,
}


class Command(WritingCommand):
    """Make, try out, steer and watch rollouts."""

    subject_options = ("order", "id", "name")
    help = "Make a rollout, plan it without sending anything, steer it, and watch it."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """One sub-command an order."""
        orders = parser.add_subparsers(dest="order", required=True, metavar="ORDER")
        create = orders.add_parser("create", help="make a draft")
        _what_arguments(create)
        create.add_argument("--start", action="store_true", help="start it at once")
        create.add_argument("--watch", action="store_true", help="and watch it until it ends")
        plan = orders.add_parser("plan", help="say who would get what; nothing is written")
        plan.add_argument("id", type=int, nargs="?", help="a draft; without it give --release ...")
        _what_arguments(plan)
        for order in (*_ORDERS, "watch"):
            steer = orders.add_parser(order, help=f"{order} a rollout")
            steer.add_argument("id", type=int, help="the rollout's number")
            if order in {"start", "retry"}:
                steer.add_argument("--watch", action="store_true", help="watch it until it ends")

    def is_act(self, options: dict[str, Any]) -> bool:
        """Planning and watching change nothing."""
        return options.get("order") not in {"plan", "watch"}

    def handle(self, *args: Any, order: str, **options: Any) -> None:
        """Exit status 1 with a sentence where an order cannot be followed."""
        try:
            self._follow(order, options)
        except (RolloutError, LookupFailed) as error:
            raise CommandError(str(error)) from error

    def _follow(self, order: str, options: dict[str, Any]) -> None:
        if order == "plan":
            self._plan(options)
            return
        if order == "create":
            rollout = rollouts.create_rollout(**_wanted(options))
            if options["start"] or options["watch"]:
                rollout = rollouts.start_rollout(rollout)
        else:
            rollout = _find(options["id"])
            if order in _ORDERS:
                rollout = _ORDERS[order](rollout)
        if order == "watch" or options.get("watch"):
            self._watch(rollout)
        else:
            self.stdout.write(f"Rollout {rollout.pk} {rollout.name!r} is {rollout.status}.")

    def _plan(self, options: dict[str, Any]) -> None:
        saved = options["id"] is not None
        rollout = _find(options["id"]) if saved else rollouts.draft_rollout(**_wanted(options))
        console = _console(self.stdout)
        console.print(rollout_tables.plan_tables(rollout, rollouts.plan(rollout)))

    def _watch(self, rollout: Rollout) -> None:
        """Until it ends; status 1 where it did not complete. Ctrl-C ends only the watching."""
        console = _console(self.stdout)
        try:
            with Live(console=console, auto_refresh=False, transient=False) as live:
                while True:
                    rollout.refresh_from_db()
                    live.update(rollout_tables.progress_table(rollout), refresh=True)
                    if rollout.status not in _STILL_GOING:
                        break
                    time.sleep(_POLL_S)
        except KeyboardInterrupt:
            self.stdout.write(f"Rollout {rollout.pk} goes on; watch it again with `rollout watch`.")
            return
        if rollout.status != RolloutStatus.COMPLETED:
            raise CommandError(
                f"Rollout {rollout.pk} is {rollout.status}. {rollout.detail}".strip()
            )


def _console(stdout: Any) -> Console:
    """Draws to where the command writes; colours and movement only on a terminal."""
    return Console(file=stdout, width=None if stdout.isatty() else 120)


def _what_arguments(parser: ArgumentParser) -> None:
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


def _wanted(options: dict[str, Any]) -> dict[str, Any]:
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
    if options["sparql"]:
        return {"sparql": _text(options["sparql"])}
    given = {"fleet": options["fleet"], "filter": options["filter"], "devices": options["device"]}
    return {kind: value for kind, value in given.items() if value} or {"all": True}


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


def _find(number: int) -> Rollout:
    rows = Rollout.objects.select_related("release__model", "variant__release__model")
    rollout = rows.filter(pk=number).first()
    if rollout is None:
        raise LookupFailed(f"there is no rollout {number}")
    return rollout


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
    moment = parse_datetime(text)
    if moment is None:
        raise ArgumentTypeError(f"{text!r} is no time such as 2030-01-31T22:00Z")
    return moment if timezone.is_aware(moment) else timezone.make_aware(moment)
