"""The budgets of an order: what each capability profile of a fleet offers, or a board, or sizes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING

from django.db.models import Count, QuerySet

from ontology.facts import Capacity, Constraint, Limits, Metric, RuntimeId
from orchestrator.policy.budgets import ALWAYS, Budget, merged
from orchestrator.policy.footprints import YARDSTICK
from registry.footprint.description import Board
from registry.footprint.figures import RUNTIME
from registry.models import BoardType, CapabilityProfile, Device, DeviceStatus, Fleet
from registry.services.board_fit import bare_board_capacity, find_board
from registry.services.matching import capacities_of

if TYPE_CHECKING:
    from orchestrator.services.compression_orders import Order

EVERYBODY = "all"
"""In place of a fleet: every accepted device, unless a fleet is called so."""

# Latencies are predicted for these kernels; under others a network takes longer, by how much is
# not known.
_TIMED_KERNELS = "cmsis_nn"
_OF_A_BOARD = ALWAYS - {Constraint.SENSORS}
_OF_SIZES = frozenset({Constraint.FLASH, Constraint.RAM})


def fleet_devices(slug: str) -> QuerySet[Device]:
    """The accepted devices of a fleet, or all of them."""
    accepted = Device.objects.filter(status=DeviceStatus.ACCEPTED)
    if slug == EVERYBODY and not Fleet.objects.filter(slug=slug).exists():
        return accepted
    return accepted.filter(fleets__slug=slug)


def profiles_of(slug: str) -> list[int]:
    """The profiles that devices of a fleet have now, by key."""
    found = fleet_devices(slug).exclude(profile=None).values_list("profile", flat=True)
    return sorted(set(found))


def budgets_of(order: Order, profiles: Collection[int], measure: Metric) -> list[Budget]:
    """What the variants may need; `profiles` are those that the order for a fleet was made for.

    LookupFailed where the board of the order has left the catalogue since.
    """
    limits = Limits(order.max_latency_ms, accuracy=order.min_accuracy, measure=measure)
    if order.board is not None:
        board = find_board(order.board)
        capacity = bare_board_capacity(board, order.kernels)
        return [Budget((board.slug,), capacity, limits, _OF_A_BOARD, _timed(board, capacity))]
    if order.fleet is None:
        return [_of_sizes(order, limits)]
    return merged(_of_profiles(order.fleet, profiles, limits))


def _of_sizes(order: Order, limits: Limits) -> Budget:
    """Of no board in particular: latencies are those on the yardstick."""
    capacity = Capacity(
        profile="",
        slot_bytes=order.flash_bytes,
        arena_budget_bytes=order.ram_bytes,
        runtime=RuntimeId(order.runtime, "", order.kernels if order.runtime == RUNTIME else ""),
        board=YARDSTICK.slug,
    )
    name = f"{order.ram_bytes:,} B of RAM, {order.flash_bytes:,} B of flash"
    return Budget((name,), capacity, limits, _OF_SIZES, YARDSTICK)


def _of_profiles(fleet: str, profiles: Collection[int], limits: Limits) -> list[Budget]:
    rows = CapabilityProfile.objects.filter(pk__in=profiles).select_related("board")
    capacities = capacities_of(profiles)
    counts = _device_counts(fleet, profiles)
    boards = Counter(row.board.slug for row in rows)
    return [
        Budget(
            names=(_name(row, counts, is_alone=boards[row.board.slug] == 1),),
            capacity=capacities[row.pk],
            limits=limits,
            board=_timed(row.board, capacities[row.pk]),
        )
        for row in rows
    ]


def _device_counts(fleet: str, profiles: Collection[int]) -> Mapping[int | None, int]:
    rows = fleet_devices(fleet).filter(profile__in=profiles).values("profile")
    return {row["profile"]: row["count"] for row in rows.annotate(count=Count("pk"))}


def _name(row: CapabilityProfile, counts: Mapping[int | None, int], *, is_alone: bool) -> str:
    """A board of two kinds of profile is told apart by their digests."""
    name = row.board.slug if is_alone else f"{row.board.slug} {row.digest[:8]}"
    return f"{name} x {counts.get(row.pk, 0)}"


def _timed(board: BoardType, capacity: Capacity) -> Board | None:
    """What latencies are predicted for; None where there is no basis."""
    runtime = capacity.runtime
    if runtime is None or (runtime.name, runtime.kernels) != (RUNTIME, _TIMED_KERNELS):
        return None
    return Board(board.slug, board.core, board.clock_hz)
