"""When a sensor can feed an input.

The shape rule: with dimensions of one dropped, the sensor's sample has at least as many dimensions
as the input, and each of the input's dimensions, in order, is no greater. A sample can be cropped,
scaled down or averaged; it cannot be invented. So a 240 x 320 x 3 camera feeds a 96 x 96 x 1
input, and a greyscale camera does not feed a colour one.
"""

from __future__ import annotations

from collections.abc import Iterable

from ontology.facts import Sensor, SensorNeed


def satisfies(need: SensorNeed, sensors: Iterable[Sensor]) -> bool | None:
    """True if one sensor surely feeds the input, None if one may, False if none can."""
    outcomes = {_feeds(need, sensor) for sensor in sensors if sensor.kind == need.kind}
    if True in outcomes:
        return True
    return None if None in outcomes else False


def _feeds(need: SensorNeed, sensor: Sensor) -> bool | None:
    parts = (_fast_enough(need, sensor), _large_enough(need.shape, sensor.shape))
    if False in parts:
        return False
    return None if None in parts else True


def _fast_enough(need: SensorNeed, sensor: Sensor) -> bool | None:
    if need.rate_hz is None:
        return True
    return None if sensor.max_rate_hz is None else sensor.max_rate_hz >= need.rate_hz


def _large_enough(need: tuple[int, ...] | None, have: tuple[int, ...] | None) -> bool | None:
    wanted = _without_ones(need or ())
    if not wanted:
        return True
    if have is None:
        return None
    offered = _without_ones(have)
    enough = (size <= limit for size, limit in zip(wanted, offered, strict=False))
    return len(wanted) <= len(offered) and all(enough)


def _without_ones(shape: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(size for size in shape if size != 1)


def describe_need(need: SensorNeed) -> str:
    """E.g. 'camera at 5 Hz, 96x96'."""
    return _describe(need.kind, need.rate_hz, need.shape)


def describe_sensor(sensor: Sensor) -> str:
    """E.g. 'camera at 30 Hz, 240x320x3'; the rate is the highest it can."""
    return _describe(sensor.kind, sensor.max_rate_hz, sensor.shape)


def _describe(kind: str, rate_hz: float | None, shape: tuple[int, ...] | None) -> str:
    rate = "" if rate_hz is None else f" at {rate_hz:g} Hz"
    size = "" if not shape else ", " + "x".join(str(length) for length in shape)
    return f"{kind}{rate}{size}"
