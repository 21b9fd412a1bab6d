"""What a device is called here that is known elsewhere by an IRI."""

from __future__ import annotations

import hashlib
import re

from django.utils.text import slugify

from ontology.namespaces import subject_iri

OWN_URN = "urn:tinyfleet:device:"
# After the URN or the IRI of a device of ours, what the MQTT topics allow as its name.
_OWN = re.compile(
    rf"(?:{re.escape(OWN_URN)}|{re.escape(subject_iri('device', ''))})([a-z0-9][a-z0-9-]{{0,62}})",
    re.ASCII,
)
_NAME_LENGTH = 40
_DIGEST_LENGTH = 16


def device_id_for(iri: str) -> str:
    """Our own name for our own devices; for others a readable part and a digest of the IRI.

    The same IRI always gives the same name, whoever describes the device and in whatever form.
    """
    own = _OWN.fullmatch(iri)
    return own[1] if own else readable_id(re.split(r"[:/#?]", iri)[-1], iri.encode())


def readable_id(words: str, told_apart_by: bytes) -> str:
    """A name that says something to people, and that two things share only if the bytes are equal.

    Nothing readable becomes 'thing'.
    """
    name = slugify(words)[:_NAME_LENGTH].strip("-_").replace("_", "-")
    return f"{name or 'thing'}-{hashlib.sha256(told_apart_by).hexdigest()[:_DIGEST_LENGTH]}"
