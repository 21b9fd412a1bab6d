"""Figures as publications print them, in the units in which they are kept.

Decimals all the way: 4.31 GB are 4,310,000,000 B, not one byte less. kB, MB and GB are powers of
1000, KiB and MiB of 1024, as the SI and IEC 80000-13 have them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Any

from ontology.facts import Metric, RuntimeId
from registry.services.catalogue_checks import Broken, shown

_BYTES = {
    "B": Decimal(1),
    "kB": Decimal(1000),
    "MB": Decimal(1000) ** 2,
    "GB": Decimal(1000) ** 3,
    "KiB": Decimal(1024),
    "MiB": Decimal(1024) ** 2,
    "GiB": Decimal(1024) ** 3,
}
_MILLISECONDS = {"us": Decimal("0.001"), "ms": Decimal(1), "s": Decimal(1000)}
_MILLIJOULES = {"uJ": Decimal("0.001"), "mJ": Decimal(1), "J": Decimal(1000)}
_FRACTION = {"": Decimal(1), "%": Decimal("0.01")}
_COUNT = {"": Decimal(1), "k": Decimal(10) ** 3, "M": Decimal(10) ** 6, "G": Decimal(10) ** 9}
_PER_SECOND_OF_MS = "inf/s"  # a latency told as its inverse

# How a catalogue file calls each metric, and the factor of each unit that it may stand in.
METRICS: Mapping[str, tuple[Metric, Mapping[str, Decimal]]] = {
    "arena": (Metric.ARENA_BYTES, _BYTES),
    "flash": (Metric.FLASH_BYTES, _BYTES),
    "training": (Metric.TRAINING_BYTES, _BYTES),
    "latency": (Metric.LATENCY_MS, _MILLISECONDS),
    "first_token": (Metric.FIRST_TOKEN_MS, _MILLISECONDS),
    "energy": (Metric.ENERGY_MJ, _MILLIJOULES),
    "accuracy": (Metric.ACCURACY, _FRACTION),
    "top5_accuracy": (Metric.TOP5_ACCURACY, _FRACTION),
    "auc": (Metric.AUC, _FRACTION),
    "score": (Metric.SCORE, _FRACTION),
    "r2": (Metric.R2, _FRACTION),
    "macs": (Metric.MACS, _COUNT),
    "parameters": (Metric.PARAMETERS, _COUNT),
    "angular_error": (Metric.ANGULAR_ERROR_DEG, {"deg": Decimal(1)}),
    "psnr": (Metric.PSNR_DB, {"dB": Decimal(1)}),
    "frame_rate": (Metric.FRAME_RATE_HZ, {"1/s": Decimal(1)}),
    "generation_rate": (Metric.TOKENS_PER_S, {"token/s": Decimal(1)}),
}

_SIZE = re.compile(r"(?P<number>[0-9.]+) ?(?P<unit>[A-Za-z]*)", re.ASCII)
_RUNTIME = re.compile(
    r"(?P<name>[a-z0-9-]+)(@(?P<version>[\w.+-]+))?(/(?P<kernels>[a-z0-9_]+))?", re.ASCII
)


def quantity(name: str, value: Any) -> float:
    """'587 ms' of a latency as 587.0; Broken where it is no number or the unit is not its own."""
    metric, units = METRICS[name]
    number, _, unit = str(value).partition(" ")
    amount = _positive(number, value)
    if metric is Metric.LATENCY_MS and unit == _PER_SECOND_OF_MS:
        return float(1000 / amount)
    if unit not in units:
        known = ", ".join(unit or "no unit" for unit in units)
        raise Broken(f"{name} must be in {known}, not {shown(value)}")
    return float(amount * units[unit])


def _positive(number: str, value: Any) -> Decimal:
    try:
        amount = Decimal(number)
    except InvalidOperation:
        raise Broken(f"must be a number and its unit, such as 587 ms, not {shown(value)}") from None
    if not amount.is_finite() or not 0 < amount < Decimal(10) ** 18:
        raise Broken(f"must be a number above zero, not {shown(value)}")
    return amount


def bytes_of(value: str) -> int:
    """'192kB' or '192 kB' as 192000, '4096' as it is; Broken for what is no size in bytes."""
    found = _SIZE.fullmatch(value.strip())
    if found is None or (found["unit"] or "B") not in _BYTES:
        raise Broken(f"must be a size such as 192kB, 8GB or 64KiB, not {shown(value)}")
    return int(_positive(found["number"], value) * _BYTES[found["unit"] or "B"])


def runtime_of(value: Any) -> RuntimeId:
    """'tflite-micro@2024/cmsis_nn' as name, version and kernels; what is left out is empty."""
    found = _RUNTIME.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise Broken(f"must be NAME@VERSION/KERNELS, the last two if known, not {shown(value)}")
    return RuntimeId(found["name"], found["version"] or "", found["kernels"] or "")
