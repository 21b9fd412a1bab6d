"""`manage.py rollout create|plan|start|watch|pause|resume|abort|retry|roll-back`."""

from __future__ import annotations

from argparse import ArgumentParser
from collections.abc import Callable
from typing import IO, Any, cast

from django.contrib.auth.models import User
from django.core.management.base import CommandError
from rich.console import Console

from orchestrator.management import rollout_options, rollout_tables
from orchestrator.management.rollout_watch import watch
from orchestrator.models import Rollout, RolloutStatus
from orchestrator.services import rollouts
from orchestrator.services.rollouts import RolloutError
from orchestrator.services.steering import steer
from registry.management.writing_command import WritingCommand
from registry.services.lookup import LookupFailed

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
        rollout_options.add_order(create)
        create.add_argument("--start", action="store_true", help="start it at once")
        create.add_argument("--watch", action="store_true", help="and watch it until it ends")
        plan = orders.add_parser("plan", help="say who would get what; nothing is written")
        plan.add_argument("id", type=int, nargs="?", help="a draft; without it give --release ...")
        rollout_options.add_order(plan)
        for order in (*_ORDERS, "watch"):
            steered = orders.add_parser(order, help=f"{order} a rollout")
            steered.add_argument("id", type=int, help="the rollout's number")
            if order in {"start", "retry"}:
                steered.add_argument("--watch", action="store_true", help="watch it until it ends")
        for order, each in orders.choices.items():
            if order != "watch":
                held = "held to what this user may do, and to which devices; without it to nothing"
                each.add_argument("--as", dest="acting", metavar="USER", help=held)

    def is_act(self, options: dict[str, Any]) -> bool:
        """Planning and watching change nothing."""
        return options.get("order") not in {"plan", "watch"}

    def subject(self, options: dict[str, Any]) -> str:
        """With the user in whose name it was ordered."""
        acting = options.get("acting")
        return super().subject(options) + (f" as {acting}" if acting else "")

    def handle(self, *args: Any, order: str, **options: Any) -> None:
        """Exit status 1 with a sentence where an order cannot be followed."""
        try:
            self._follow(order, options)
        except (RolloutError, LookupFailed) as error:
            raise CommandError(str(error)) from error

    def _follow(self, order: str, options: dict[str, Any]) -> None:
        user = _user(options)
        if order == "plan":
            self._plan(options, user)
            return
        if order == "create":
            rollout = _create(options, user)
        else:
            rollout = _find(options["id"])
            if order in _ORDERS:
                rollout = _steer(order, rollout, user)
        if order in {"retry", "roll-back"}:
            self._tell_left(rollout)
        if order == "watch" or options.get("watch"):
            self._watch(rollout)
        else:
            self.stdout.write(f"Rollout {rollout.pk} {rollout.name!r} is {rollout.status}.")

    def _plan(self, options: dict[str, Any], user: User | None) -> None:
        saved = options["id"] is not None
        rollout = _find(options["id"]) if saved else _draft(options, user)
        held = user or rollout.created_by
        plan = rollouts.plan(rollout)
        self._console().print(rollout_tables.plan_tables(rollout, plan, held))

    def _tell_left(self, rollout: Rollout) -> None:
        for left in rollouts.left_alone(rollout):
            self.stdout.write(str(left))

    def _watch(self, rollout: Rollout) -> None:
        """Until it ends; status 1 where it did not complete. Ctrl-C ends only the watching."""
        try:
            watch(rollout, self._console())
        except KeyboardInterrupt:
            self.stdout.write(f"Rollout {rollout.pk} goes on; watch it again with `rollout watch`.")
            return
        if rollout.status != RolloutStatus.COMPLETED:
            raise CommandError(
                f"Rollout {rollout.pk} is {rollout.status}. {rollout.detail}".strip()
            )

    def _console(self) -> Console:
        """Draws to where the command writes; colours and movement only on a terminal."""
        out = cast(IO[str], self.stdout)  # it writes, and says whether it is a terminal
        return Console(file=out, width=None if self.stdout.isatty() else 120)


def _user(options: dict[str, Any]) -> User | None:
    name = options.get("acting")
    if not name:
        return None
    user = User.objects.filter(username=name, is_active=True).first()
    if user is None:
        raise LookupFailed(f"there is no active user {name!r}")
    return user


def _check_may(user: User | None, permission: str) -> None:
    """The terminal itself may do everything: it holds the database and the keys."""
    if user is not None and not user.has_perm(f"orchestrator.{permission}"):
        raise RolloutError(f"{user} lacks the permission {permission}.")


def _draft(options: dict[str, Any], user: User | None) -> Rollout:
    return rollouts.draft_rollout(**rollout_options.wanted(options), user=user)


def _create(options: dict[str, Any], user: User | None) -> Rollout:
    starts = options["start"] or options["watch"]
    _check_may(user, "add_rollout")
    if starts:
        _check_may(user, "change_rollout")
    rollout = rollouts.create_rollout(**rollout_options.wanted(options), user=user)
    return _steer("start", rollout, user) if starts else rollout


def _steer(order: str, rollout: Rollout, user: User | None) -> Rollout:
    _check_may(user, "change_rollout")
    return steer(_ORDERS[order], rollout, user)


def _find(number: int) -> Rollout:
    rows = Rollout.objects.select_related("release__model", "variant__release__model")
    rollout = rows.filter(pk=number).first() if 0 < number < 2**63 else None
    if rollout is None:
        raise LookupFailed(f"there is no rollout {number}")
    return rollout
