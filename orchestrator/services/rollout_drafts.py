"""What a rollout's fields must hold before anything is planned, written or sent."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

from django.conf import settings

from orchestrator.models import Rollout
from orchestrator.policy.sending import WindowError, parse_window
from orchestrator.services.targets import RolloutError, parse_target
from registry.services.matching import deliverable

_HEALTH_LIMITS = ("max_accuracy_drop", "max_latency_ratio", "max_restarts")
_MAX_NAME = 160
# The signer signs no order that lives longer (deploy/signing_policy.py).
MAX_LIFE = timedelta(days=31)
# Whoever asks for a later start has most likely mistyped it.
LATEST_START = timedelta(days=3660)


def check_draft(rollout: Rollout, now: datetime) -> None:
    """RolloutError with a sentence for each field that does not hold; its own is the first's."""
    wrong: dict[str, str] = {}
    for field, check in _CHECKS:
        try:
            check(rollout, now)
        except RolloutError as error:
            wrong.setdefault(field, str(error))
    if wrong:
        raise RolloutError(next(iter(wrong.values())), wrong)


def _check_name(rollout: Rollout, now: datetime) -> None:
    if not 0 < len(rollout.name) <= _MAX_NAME:
        raise RolloutError(f"A rollout needs a name of 1 to {_MAX_NAME} characters.")


def _check_release(rollout: Rollout, now: datetime) -> None:
    if (rollout.release is None) == (rollout.variant is None):
        raise RolloutError("A rollout sends either a release or one variant.")
    if rollout.release is not None and not deliverable(rollout.release.variants.all()).exists():
        raise RolloutError(f"{rollout.release} has no variant to send: none has an artifact.")


def _check_variant(rollout: Rollout, now: datetime) -> None:
    if rollout.variant is not None and rollout.variant.artifact_id is None:
        raise RolloutError(
            f"{rollout.variant} is known by its figures alone: it has no artifact to send."
        )


def _check_target(rollout: Rollout, now: datetime) -> None:
    parse_target(rollout.target)


def _check_dynamic(rollout: Rollout, now: datetime) -> None:
    if rollout.is_dynamic and isinstance(rollout.target, dict) and "devices" in rollout.target:
        raise RolloutError("Named devices stay the same: nobody can join such a rollout.")


def _check_percentages(rollout: Rollout, now: datetime) -> None:
    percentages: Any = rollout.wave_percentages
    numbers = isinstance(percentages, list) and bool(percentages)
    if not numbers or not all(_is_number(each) for each in percentages):
        raise RolloutError("The waves are a list of cumulative percentages, e.g. 10, 50, 100.")
    _check_count_of_waves(len(percentages))
    ascending = all(first < second for first, second in pairwise(percentages))
    if percentages[0] <= 0 or not ascending or percentages[-1] != 100:
        raise RolloutError(
            "The waves' cumulative percentages must rise from above 0 and end at 100, "
            f"not {', '.join(f'{each:g}' for each in percentages)}."
        )


def _check_count_of_waves(count: int) -> None:
    if count > settings.ROLLOUT_WAVES_MAX:
        raise RolloutError(
            f"{count} waves are more than the {settings.ROLLOUT_WAVES_MAX} allowed; "
            "choose fewer or raise TINYFLEET_ROLLOUT_WAVES_MAX."
        )


def _check_sizes(rollout: Rollout, now: datetime) -> None:
    sizes: Any = rollout.wave_sizes
    if not isinstance(sizes, list) or not all(_is_count(each) for each in sizes):
        raise RolloutError("Sizes of waves are whole numbers of devices from 1 up, e.g. 5, 50.")
    if sizes and rollout.wave_percentages != [100]:
        raise RolloutError("Waves are given by percentages or by sizes, not by both.")
    _check_count_of_waves(len(sizes) + 1)


def _check_success(rollout: Rollout, now: datetime) -> None:
    _check_fraction("success threshold", rollout.success_threshold)


def _check_error(rollout: Rollout, now: datetime) -> None:
    _check_fraction("error threshold", rollout.error_threshold)


def _check_fraction(what: str, value: Any) -> None:
    if not _is_number(value) or not 0 <= value <= 1:
        raise RolloutError(f"The {what} is a fraction from 0 to 1; {value} can never be met.")


def _check_soak(rollout: Rollout, now: datetime) -> None:
    if rollout.soak_s != 0 and not _is_count(rollout.soak_s):
        raise RolloutError("The soak lasts 0 seconds or more, in whole seconds.")


def _check_health(rollout: Rollout, now: datetime) -> None:
    health: Any = rollout.health
    if not isinstance(health, dict):
        raise RolloutError(f"Health limits are named: {', '.join(_HEALTH_LIMITS)}.")
    for name, value in health.items():
        if name not in _HEALTH_LIMITS:
            known = ", ".join(_HEALTH_LIMITS)
            raise RolloutError(f"There is no health limit {name!r}; there are {known}.")
        if not _is_number(value) or value < 0:
            raise RolloutError(f"The health limit {name} is a number from 0 up, not {value!r}.")
    _check_health_can_be_told(rollout, health)


def _check_health_can_be_told(rollout: Rollout, health: dict[str, float]) -> None:
    """A limit that every device keeps, or none, says nothing of any."""
    if health.get("max_accuracy_drop", 0) > 1:
        raise RolloutError("No accuracy drops by more than 1: max_accuracy_drop is a fraction.")
    if health.get("max_latency_ratio", 1) == 0:
        raise RolloutError("Nothing takes no time: max_latency_ratio is a number above 0.")
    if health and not rollout.soak_s:
        raise RolloutError("Health is judged during the soak; one of 0 seconds shows nothing.")


def _check_window(rollout: Rollout, now: datetime) -> None:
    try:
        parse_window(rollout.window)
    except WindowError as error:
        raise RolloutError(str(error)) from error


def _check_rate(rollout: Rollout, now: datetime) -> None:
    if rollout.max_per_minute is not None and not _is_count(rollout.max_per_minute):
        raise RolloutError("At most one or more orders are sent a minute, or as many as there are.")


def _check_start(rollout: Rollout, now: datetime) -> None:
    if rollout.start_at is not None and rollout.start_at < now:
        raise RolloutError(f"The start, {rollout.start_at:%F %T %Z}, is in the past.")
    if rollout.start_at is not None and rollout.start_at - now > LATEST_START:
        raise RolloutError(f"The start, {rollout.start_at:%F %T %Z}, is over ten years ahead.")


def _check_expiry(rollout: Rollout, now: datetime) -> None:
    begins = rollout.start_at or now
    if rollout.expires_at <= begins:
        raise RolloutError("The rollout would expire before it starts.")
    if rollout.expires_at - begins > MAX_LIFE:
        raise RolloutError(
            f"The rollout would live longer than the {MAX_LIFE.days} days that the signer allows."
        )


_CHECKS: tuple[tuple[str, Callable[[Rollout, datetime], None]], ...] = (
    ("name", _check_name),
    ("release", _check_release),
    ("variant", _check_variant),
    ("target", _check_target),
    ("is_dynamic", _check_dynamic),
    ("wave_percentages", _check_percentages),
    ("wave_sizes", _check_sizes),
    ("success_threshold", _check_success),
    ("error_threshold", _check_error),
    ("soak_s", _check_soak),
    ("health", _check_health),
    ("window", _check_window),
    ("max_per_minute", _check_rate),
    ("start_at", _check_start),
    ("expires_at", _check_expiry),
)


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31


def _is_number(value: Any) -> bool:
    """A finite number; JSON's true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e12
