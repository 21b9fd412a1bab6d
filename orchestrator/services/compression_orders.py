"""What may be ordered: which model, for whom, within which limits; checked before a job is made."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from django.conf import settings
from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from orchestrator.compression.search.catalogue import TASKS, TaskEntry
from orchestrator.models import Job
from orchestrator.policy.footprints import PATCHING_RUNTIME
from orchestrator.services import jobs
from orchestrator.services.compression_budgets import EVERYBODY, fleet_devices
from registry.footprint.figures import RUNTIME
from registry.footprint.kernels.table import KERNEL_SETS
from registry.models import Fleet, RegisteredModel
from registry.services.board_fit import find_board
from registry.services.lookup import LookupFailed
from registry.services.networks import RegistrationError, check_name
from registry.services.scopes import OutOfScope, check_scope

COMPRESS = "compress"
RUNTIMES = (RUNTIME, PATCHING_RUNTIME)
"""Whose needs of RAM are known; beside RAM and flash an order names one."""

_MAX_SEED = 2**31 // 1000


class OrderError(ValueError):
    """An order that cannot be as it is; `field` is at fault, the message is a sentence."""

    def __init__(self, field: str, problem: str) -> None:
        self.field = field
        super().__init__(problem)

    @property
    def sentence(self) -> str:
        """With the stop at its end."""
        return str(self) if str(self).endswith("?") else f"{self}."


@dataclass(frozen=True, slots=True)
class Order:
    """A compression for one of: a fleet, a board of the catalogue, so much RAM and flash.

    `min_accuracy` is the least score, by whatever the task is judged by: accuracy, AUC or R2.
    `task` is worked out from the model where it is empty; `trials` and `seconds` bound the search.
    """

    model: str
    task: str = ""
    fleet: str | None = None
    board: str | None = None
    ram_bytes: int | None = None
    flash_bytes: int | None = None
    kernels: str = "cmsis_nn"
    runtime: str = RUNTIME
    max_latency_ms: float | None = None
    min_accuracy: float | None = None
    seed: int = 0
    trials: int | None = None
    seconds: float | None = None


def order_compression(order: Order, user: User | AnonymousUser | None = None) -> Job:
    """Have the workers do it. OrderError or OutOfScope where it cannot be; then there is no job."""
    task = check_order(order)
    if order.fleet is not None:
        check_scope(user, [device.pk for device in fleet_devices(order.fleet)])
    with transaction.atomic():
        given = {name: value for name, value in asdict(order).items() if value is not None}
        return jobs.enqueue(COMPRESS, {**given, "task": task.name})


def order_of(payload: Mapping[str, Any]) -> Order:
    """The order in a job's payload, which holds more than that."""
    names = {each.name for each in fields(Order)}
    return Order(**{name: value for name, value in payload.items() if name in names})


def check_order(order: Order) -> TaskEntry:
    """The task of the order. OrderError for the first field that does not hold."""
    try:
        check_name(order.model, "model")
    except RegistrationError as error:
        raise OrderError("model", str(error)) from error
    _check_target(order)
    _check_limits(order)
    return _task(order)


def _check_target(order: Order) -> None:
    memory = order.ram_bytes is not None or order.flash_bytes is not None
    if sum([order.fleet is not None, order.board is not None, memory]) != 1:
        raise OrderError("fleet", "name one of: a fleet, a board, or RAM and flash")
    if memory:
        _check_memory(order)
    if order.board is not None:
        _check_board(order)
    if order.fleet is not None:
        _check_fleet(order.fleet)


def _check_memory(order: Order) -> None:
    for field in ("ram_bytes", "flash_bytes"):
        value = getattr(order, field)
        if not isinstance(value, int) or isinstance(value, bool) or value <= 0:
            raise OrderError(field, "RAM and flash are both needed, each in bytes above 0")


def _check_board(order: Order) -> None:
    try:
        find_board(str(order.board))
    except LookupFailed as error:
        raise OrderError("board", str(error)) from error


def _check_fleet(slug: str) -> None:
    if slug != EVERYBODY and not Fleet.objects.filter(slug=slug).exists():
        raise OrderError("fleet", f"there is no fleet {slug!r}; {EVERYBODY!r} means every device")
    if not fleet_devices(slug).exclude(profile=None).exists():
        raise OrderError(
            "fleet", f"no accepted device of the fleet {slug!r} has described itself yet"
        )


def _check_limits(order: Order) -> None:
    if order.runtime not in RUNTIMES:
        raise OrderError("runtime", f"runtimes are {' and '.join(RUNTIMES)}")
    if order.kernels not in KERNEL_SETS:
        raise OrderError("kernels", f"kernels are one of {', '.join(KERNEL_SETS)}")
    _check_number("max_latency_ms", order.max_latency_ms, 0, 1e9, "milliseconds above 0")
    _check_number("min_accuracy", order.min_accuracy, 0, 1, "a fraction above 0, at most 1")
    _check_number("seed", order.seed + 1, 0, _MAX_SEED, f"a whole number from 0 to {_MAX_SEED - 1}")
    most = settings.COMPRESSION_TRIALS_MAX
    _check_number("trials", order.trials, 0, most, f"a whole number from 1 to {most}")
    longest = settings.COMPRESSION_SECONDS_MAX
    _check_number("seconds", order.seconds, 0, longest, f"above 0, at most {longest:g}")


def _check_number(field: str, value: float | None, above: float, most: float, what: str) -> None:
    """NaN is in no range."""
    if value is not None and not above < value <= most:
        raise OrderError(field, f"{field.replace('_', ' ')}: {what}")


def _task(order: Order) -> TaskEntry:
    """The one that is named, else the model's own, else the one that is called like the model."""
    if order.task:
        return named_task(order.task)
    model = RegisteredModel.objects.filter(name=order.model).first()
    same = [entry for entry in TASKS.values() if model is not None and entry.title == model.task]
    if same:
        return next((entry for entry in same if entry.name == order.model), same[0])
    if order.model in TASKS:
        return TASKS[order.model]
    raise OrderError(
        "task",
        f"how {order.model!r} is trained is not known here; name one of these tasks:"
        f" {', '.join(TASKS)}",
    )


def named_task(name: str) -> TaskEntry:
    """OrderError, with the names that there are, for any other."""
    try:
        return TASKS[name]
    except KeyError:
        known = ", ".join(TASKS)
        raise OrderError("task", f"there is no task {name!r}; there are {known}") from None


__all__ = ["COMPRESS", "Order", "OrderError", "OutOfScope", "check_order", "order_compression"]
__all__ += ["named_task", "order_of"]
