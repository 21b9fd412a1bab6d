"""What feeds a model, as people type it: `microphone,16000`, `camera,5,96x96x1`, `none`."""

from __future__ import annotations

import math
import re
from typing import Any

NO_INPUT = "none"
_KIND = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_SHAPE = re.compile(r"[1-9][0-9]*(x[1-9][0-9]*)*")
_FORM = "write SENSOR[,RATE[,SHAPE]], several joined by +, or none"


class InputSourceError(ValueError):
    """The text names no input source; the message says what is wrong and what to write."""


def parse_input_source(text: str | None) -> list[dict[str, Any]] | None:
    """The sensors that a model reads, as a Variant keeps them; None is "not known", [] "none".

    Rates are hertz; a shape is that of one sample, e.g. `camera,5,96x96x1`. Several inputs are
    joined by a plus sign: `accelerometer,100+gyroscope,100`.
    """
    if text is None or not text.strip():
        return None
    if text.strip().lower() == NO_INPUT:
        return []
    return [_source(part) for part in text.split("+")]


def _source(text: str) -> dict[str, Any]:
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 3:
        raise InputSourceError(f"{text!r} has more than a kind, a rate and a shape; {_FORM}")
    kind, rate, shape = parts + [""] * (3 - len(parts))
    if not _KIND.fullmatch(kind.lower()):
        raise InputSourceError(f"{kind!r} is no kind of sensor; {_FORM}")
    return {"kind": kind.lower(), "rate_hz": _rate(rate), "shape": _shape(shape)}


def _rate(text: str) -> float | None:
    if not text:
        return None
    try:
        rate = float(text)
    except ValueError as error:
        raise InputSourceError(f"{text!r} is no rate in hertz; {_FORM}") from error
    if not math.isfinite(rate) or rate <= 0:
        raise InputSourceError(f"{text!r} is no rate above 0 Hz; {_FORM}")
    return rate


def _shape(text: str) -> list[int] | None:
    if not text:
        return None
    if not _SHAPE.fullmatch(text):
        raise InputSourceError(f"{text!r} is no shape such as 96x96x1; {_FORM}")
    return [int(length) for length in text.split("x")]
