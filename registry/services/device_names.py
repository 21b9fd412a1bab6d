"""What a device is called here that others know by an IRI."""

from __future__ import annotations

import hashlib
import re

from django.utils.text import slugify

from ontology.namespaces import subject_iri

_OWN = re.compile(
    rf"(?:urn:tinyfleet:device:|{re.escape(subject_iri('device', ''))})([a-z0-9][a-z0-9-]{{0,62}})",
    re.ASCII,
)
_NAME_LENGTH = 40
_DIGEST_LENGTH = 16


def device_id_for(iri: str, readable: str = "") -> str:
    """Our own name for our own devices; for others a readable part and a digest of the IRI.

    The same IRI always gives the same name, whoever describes the device and in which form.
    `readable` stands in for an IRI that ends in nothing readable.
    """
    own = _OWN.fullmatch(iri)
    if own is not None:
        return own[1]
    words = re.split(r"[:/#?]", iri.rstrip("/#"))[-1]
    name = (slugify(words) or slugify(readable))[:_NAME_LENGTH].strip("-_").replace("_", "-")
    return f"{name or 'thing'}-{hashlib.sha256(iri.encode()).hexdigest()[:_DIGEST_LENGTH]}"
