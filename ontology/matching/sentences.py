"""A reason in words, for people who have to act on it."""

from __future__ import annotations

from ontology.facts import Constraint, Figure, Quantity, Reason

_NOUN = {
    Constraint.FLASH: "flash",
    Constraint.RAM: "arena",
    Constraint.OPERATORS: "operators",
    Constraint.DTYPES: "tensor types",
    Constraint.SENSORS: "sensors",
    Constraint.RUNTIME: "a runtime",
}
_LIMIT = {
    Constraint.LATENCY: ("must answer within", "takes"),
    Constraint.ENERGY: ("may use", "uses"),
    Constraint.ACCURACY: ("must reach an accuracy of", "reaches"),
}


def explain(reason: Reason) -> str:
    """E.g. 'needs 22,928 B of arena, has 8,192 B: 14,736 B short'."""
    if reason.constraint in _LIMIT:
        return _explain_limit(reason)
    if reason.constraint in {Constraint.FLASH, Constraint.RAM}:
        return _explain_size(reason)
    if reason.constraint is Constraint.RUNTIME:
        return _explain_runtime(reason)
    return _explain_set(reason)


def _explain_size(reason: Reason) -> str:
    noun = _NOUN[reason.constraint]
    if reason.need is None:
        return f"what it needs of {noun} is not known for this runtime"
    need = f"needs {_quantity(reason.need, reason.unit)} of {noun}"
    if reason.have is None:
        return f"{need}; what the device has is not known"
    return f"{need}, has {_quantity(reason.have, reason.unit)}: {_spare(reason)}"


def _explain_limit(reason: Reason) -> str:
    wish, fact = _LIMIT[reason.constraint]
    wanted = f"{wish} {_quantity(reason.need, reason.unit)}"
    if reason.have is None:
        return f"{wanted}; no figure is known for this device"
    have = f"{_quantity(reason.have, reason.unit)}{_resting_on(reason.basis)}"
    return f"{wanted}, {fact} {have}: {_spare(reason)}"


def _resting_on(basis: Figure | None) -> str:
    """E.g. ' (derived, ± 47 %)'."""
    if basis is None:
        return ""
    error = "" if basis.error is None else f", ± {basis.error:.0%}".replace("%", " %")
    return f" ({basis.status.value}{error})"


def _spare(reason: Reason) -> str:
    headroom = reason.headroom or 0
    amount = _quantity(abs(headroom), reason.unit)
    if reason.holds:
        return f"{amount} to spare"
    return f"{amount} too much" if reason.constraint in _COSTS else f"{amount} short"


_COSTS = frozenset({Constraint.LATENCY, Constraint.ENERGY})


def _explain_runtime(reason: Reason) -> str:
    if reason.need is None:
        return "which runtimes can run it is not known"
    need = f"needs one of {_listed(reason.need)}"
    have = "not known" if reason.have is None else _listed(reason.have)
    return f"{need}; the device's runtime is {have}"


def _explain_set(reason: Reason) -> str:
    noun = _NOUN[reason.constraint]
    if reason.holds:
        return f"has all the {noun} that it needs"
    if reason.need is None:
        return f"which {noun} it needs is not known"
    if reason.have is None:
        return f"needs the {noun} {_listed(reason.need)}; the device's are not known"
    verb = "may lack" if reason.holds is None else "lacks"
    instead = f" (has {_listed(reason.have)})" if reason.have else ""
    return f"{verb} the {noun} {_listed(reason.need)}{instead}"


def _listed(value: Quantity) -> str:
    return ", ".join(value) if isinstance(value, tuple) else str(value)


def _quantity(value: Quantity, unit: str) -> str:
    number = f"{value:,}" if isinstance(value, int) else f"{value:,.4g}"
    return number if unit in {"", "1"} else f"{number} {unit}"
