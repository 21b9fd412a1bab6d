"""Numbers with units, as descriptions state them, in the units that the inventory keeps."""

from __future__ import annotations

import math
from collections.abc import Mapping

from ontology.descriptions.terms import DescriptionRefused, Graph, short, tail

# Bytes in a unit, by the local name of its IRI in OM 2 or QUDT, or by its
# symbol or UN/CEFACT code. OM's
# kilobyte is the SI unit, 1000 B; 1024 B are a kibibyte (IEC 80000-13).
_BYTES_IN: Mapping[str, int] = {
    "byte": 1, "kilobyte": 1000, "megabyte": 1000**2, "gigabyte": 1000**3,
    "kibibyte": 1024, "mebibyte": 1024**2, "gibibyte": 1024**3,
    "BYTE": 1, "KiloBYTE": 1000, "MegaBYTE": 1000**2, "GigaBYTE": 1000**3,
    "KibiBYTE": 1024, "MebiBYTE": 1024**2, "GibiBYTE": 1024**3,
    "B": 1, "kB": 1000, "KB": 1000, "MB": 1000**2, "GB": 1000**3,
    "KiB": 1024, "MiB": 1024**2, "GiB": 1024**3,
    "AD": 1, "2P": 1000, "4L": 1000**2, "E34": 1000**3, "E64": 1024, "E63": 1024**2,
}  # fmt: skip
_THOUSAND = frozenset({"kilobyte", "KiloBYTE", "kB", "KB", "2P"})
_MOST = 2**53  # whole numbers up to here are exact as a double


def number(graph: Graph, subject: str, name: str, whose: str) -> float | None:
    """The one number that a subject has by a property; None where it has none.

    DescriptionRefused where it is no number of a sensible size, or where there are several.
    """
    texts = graph.related(subject, name)
    if not texts:
        return None
    values = {_parsed(text, f"the {name} of {whose}") for text in texts}
    if len(values) > 1:
        listed = " and ".join(f"{value:,g}" for value in sorted(values))
        raise DescriptionRefused(f"the {name} of {whose} is {listed} at once; leave one")
    return values.pop()


def _parsed(text: str, what: str) -> float:
    try:
        value = float(text)
    except ValueError as error:
        raise DescriptionRefused(f"{what} is {text[:60]!r}, which is no number") from error
    if not math.isfinite(value) or not 0 <= value <= _MOST:
        raise DescriptionRefused(f"{what} is {text[:60]}, which is not from 0 to 2^53")
    return value


def size_bytes(graph: Graph, subject: str, name: str, whose: str) -> int | None:
    """A size in whole bytes, by its number and its schema:unitCode; None where none is stated."""
    value = number(graph, subject, name, whose)
    if value is None:
        return None
    size = round(value * _factor(graph, subject, whose))
    if size > _MOST:
        raise DescriptionRefused(f"the {name} of {whose} is more than 2^53 bytes")
    return size


def _factor(graph: Graph, subject: str, whose: str) -> int:
    units = graph.related(subject, "schema:unitCode")
    if len(units) != 1:
        how_many = "no schema:unitCode" if not units else "several units"
        raise DescriptionRefused(f"{whose} has {how_many}; state one, such as om:kilobyte")
    unit = tail(units[0])
    if unit not in _BYTES_IN:
        raise DescriptionRefused(
            f"{whose} is stated in {short(units[0])}, which is no unit of memory known here"
        )
    if unit in _THOUSAND:
        graph.note_kilobyte(subject, short(units[0]) if ":" in units[0] else unit)
    return _BYTES_IN[unit]
