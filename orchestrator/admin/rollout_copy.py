"""A new rollout after the pattern of an old one."""

from __future__ import annotations

from typing import Any

from orchestrator.models import Rollout

_ALIKE = ("name", "success_threshold", "error_threshold", "soak_s", "max_per_minute")
_SWITCHES = ("is_dynamic", "revert_on_failure", "needs_approval")


def fields_of(rollout: Rollout) -> dict[str, Any]:
    """As `RolloutForm` takes them. When it starts and expires is left to be chosen anew."""
    alike = {name: getattr(rollout, name) for name in (*_ALIKE, *_SWITCHES)}
    fields = alike | rollout.health | _what(rollout) | _target(rollout) | _waves(rollout)
    return fields | _window(rollout)


def _what(rollout: Rollout) -> dict[str, Any]:
    release = rollout.release
    if release is None:
        return {"what": "variant", "variant": str(rollout.variant)}
    return {"what": "release", "release": f"{release.model.name}/{release.number}"}


def _target(rollout: Rollout) -> dict[str, Any]:
    kind, value = next(iter(rollout.target.items()))
    if kind == "all":
        return {"target": kind}
    return {"target": kind, kind: "\n".join(value) if kind == "devices" else value}


def _waves(rollout: Rollout) -> dict[str, Any]:
    kind = "wave_sizes" if rollout.wave_sizes else "wave_percentages"
    return {"waves": kind, kind: ", ".join(f"{each:g}" for each in getattr(rollout, kind))}


def _window(rollout: Rollout) -> dict[str, Any]:
    return {f"window_{name}": value for name, value in (rollout.window or {}).items()}
