"""Whether a device is well with its new model, measured against itself with the old one.

Pure. A limit that is not set is not asked for; a figure that is missing accuses nobody: a device
without labels has no accuracy to lose.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class HealthLimits:
    """What the soak must hold. A drop in fractions of one; a ratio of mean latencies; a count."""

    max_accuracy_drop: float | None = None
    max_latency_ratio: float | None = None
    max_restarts: int | None = None

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        asked = (self.max_accuracy_drop, self.max_latency_ratio, self.max_restarts)
        return any(limit is not None for limit in asked)


@dataclass(frozen=True, slots=True)
class Vitals:
    """One device's means over a stretch of telemetry; accuracy is a fraction of one."""

    accuracy: float | None = None
    latency_ms: float | None = None
    restarts: int = 0


def complaints(limits: HealthLimits, before: Vitals, after: Vitals) -> tuple[str, ...]:
    """One sentence for each limit that is broken; none means well."""
    found = (
        _accuracy(limits, before, after),
        _latency(limits, before, after),
        _restarts(limits, after),
    )
    return tuple(sentence for sentence in found if sentence)


def _accuracy(limits: HealthLimits, before: Vitals, after: Vitals) -> str:
    limit = limits.max_accuracy_drop
    if limit is None or before.accuracy is None or after.accuracy is None:
        return ""
    drop = before.accuracy - after.accuracy
    if drop <= limit:
        return ""
    return (
        f"accuracy fell from {before.accuracy:.3f} to {after.accuracy:.3f}, at most {limit:g} less"
    )


def _latency(limits: HealthLimits, before: Vitals, after: Vitals) -> str:
    limit = limits.max_latency_ratio
    if limit is None or not before.latency_ms or after.latency_ms is None:
        return ""
    if after.latency_ms <= limit * before.latency_ms:
        return ""
    return (
        f"latency rose from {before.latency_ms:.3g} ms to {after.latency_ms:.3g} ms, "
        f"at most {limit:g} times as much"
    )


def _restarts(limits: HealthLimits, after: Vitals) -> str:
    if limits.max_restarts is None or after.restarts <= limits.max_restarts:
        return ""
    return f"restarted {after.restarts} times, at most {limits.max_restarts}"
