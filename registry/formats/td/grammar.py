"""The small grammars of texts in a description: IRIs, URI templates, date-times, language tags.

Sources: RFC 3986 and 3987 (URI, IRI), RFC 6570 (URI templates), RFC 3339 (date-time), BCP 47
(RFC 5646, language tags), RFC 6901 (JSON pointers).
"""

from __future__ import annotations

import calendar
import re
from datetime import datetime

# What stands in no IRI: controls, space, and the delimiters that RFC 3987 leaves out. Braces are
# left out too, but a URI template has them.
_NOT_IN_IRI = re.compile(r"[\x00-\x20\x7f-\x9f<>\"\\^`|]|%(?![0-9A-Fa-f]{2})")
_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:.")
_EXPRESSION = re.compile(r"\{([+#./;?&=,!@|]?)([^{}]*)\}")
# RFC 6570 allows letters, digits, _ . and %; descriptions in use have hyphens too.
_VARIABLE = re.compile(r"([^:*]+)(?::[1-9][0-9]{0,3}|\*)?")
_DATE_TIME = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.\d+)?(?:[Zz]|[+-](\d\d):(\d\d))", re.ASCII
)
_LANGUAGE = re.compile(
    r"(?:[a-z]{2,3}(?:-[a-z]{3}){0,3}|[a-z]{4,8})"  # language with its extensions
    r"(?:-[a-z]{4})?"  # script
    r"(?:-(?:[a-z]{2}|[0-9]{3}))?"  # region
    r"(?:-(?:[a-z0-9]{5,8}|[0-9][a-z0-9]{3}))*"  # variants
    r"(?:-[0-9a-wy-z](?:-[a-z0-9]{2,8})+)*"  # extensions
    r"(?:-x(?:-[a-z0-9]{1,8})+)?"  # private use
    r"|x(?:-[a-z0-9]{1,8})+"
    # Registered before the grammar was, and outside it.
    r"|en-gb-oed|sgn-(?:be-fr|be-nl|ch-de)"
    r"|i-(?:ami|bnn|default|enochian|hak|klingon|lux|mingo|navajo|pwn|tao|tay|tsu)",
    re.ASCII | re.IGNORECASE,
)
_POINTER = re.compile(r"(?:/(?:[^/~]|~[01])*)*", re.DOTALL)


def is_iri_reference(text: str) -> bool:
    """Whether a text can be an IRI or a relative reference; braces are taken for a template's."""
    return _NOT_IN_IRI.search(text) is None


def is_absolute_iri(text: str) -> bool:
    """Whether a text is an IRI with its scheme, and no template."""
    plain = "{" not in text and "}" not in text
    return plain and is_iri_reference(text) and _SCHEME.match(text) is not None


def template_variables(text: str) -> tuple[str, ...] | None:
    """The variables of a URI template, in order; None where the text is no URI template."""
    names: list[str] = []
    for _, variables in _EXPRESSION.findall(text):
        for each in variables.split(","):
            found = _VARIABLE.fullmatch(each)
            if found is None:
                return None
            names.append(found[1])
    rest = _EXPRESSION.sub("", text)
    return None if "{" in rest or "}" in rest else tuple(dict.fromkeys(names))


def is_date_time(text: str) -> bool:
    """Whether a text is an RFC 3339 date-time, which always has its offset; a leap second is."""
    found = _DATE_TIME.fullmatch(text)
    if found is None:
        return False
    year, month, day, hour, minute, second, *offset = (int(part or 0) for part in found.groups())
    if not 1 <= month <= 12 or offset[0] > 23 or offset[1] > 59:
        return False
    # The calendar repeats every 400 years, and Python's begins with year 1.
    days = calendar.monthrange(2000 + year % 400, month)[1]
    return 1 <= day <= days and hour <= 23 and minute <= 59 and second <= 60


def moment_of(text: str) -> datetime | None:
    """An RFC 3339 date-time as a point in time; None for what no clock of ours can show."""
    try:
        return datetime.fromisoformat(text.upper())
    except ValueError:
        return None


def is_language_tag(text: str) -> bool:
    """Whether a text is a well-formed BCP 47 language tag."""
    return _LANGUAGE.fullmatch(text) is not None


def is_json_pointer(text: str) -> bool:
    """Whether a text is a JSON pointer."""
    return _POINTER.fullmatch(text) is not None
