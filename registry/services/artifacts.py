"""Bytes under their SHA-256, in whatever storage the installation has."""

from __future__ import annotations

import hashlib

import structlog
from django.conf import settings
from django.core.files.base import ContentFile
from django.core.files.storage import default_storage

from registry.formats.tflite import MEDIA_TYPE
from registry.models import Artifact

log = structlog.get_logger(__name__)


class ArtifactError(ValueError):
    """Bytes that are not kept; the message is a sentence."""


def store_artifact(data: bytes, media_type: str = MEDIA_TYPE) -> Artifact:
    """Keep bytes under their SHA-256; the same bytes are written once, however often they come.

    Raises ArtifactError for no bytes and for more than ARTIFACT_MAX_BYTES.
    """
    return artifact_row(store_bytes(data), len(data), media_type)


def check_size(size_bytes: int) -> None:
    """ArtifactError unless so many bytes are kept."""
    limit = settings.ARTIFACT_MAX_BYTES
    if size_bytes == 0:
        raise ArtifactError("the file is empty")
    if size_bytes > limit:
        raise ArtifactError(f"the file has {size_bytes} bytes, more than the {limit} allowed")


def store_bytes(data: bytes) -> str:
    """Write bytes and give their digest. The storage may be remote: call it in no transaction.

    Bytes that no row comes to name do no harm: nobody sees them, and the next comer reuses them.
    """
    check_size(len(data))
    digest = hashlib.sha256(data).hexdigest()
    if default_storage.exists(digest):
        if default_storage.size(digest) == len(data):
            return digest
        # A crash left it half-written.
        default_storage.delete(digest)
    stored = default_storage.save(digest, ContentFile(data))
    if stored != digest:
        # Another process wrote the same bytes between the look and the write: theirs stay.
        default_storage.delete(stored)
    log.info("artifact_stored", artifact=digest, size_bytes=len(data))
    return digest


def artifact_row(digest: str, size_bytes: int, media_type: str) -> Artifact:
    """The row of stored bytes."""
    artifact, _ = Artifact.objects.get_or_create(
        sha256=digest,
        defaults={"size_bytes": size_bytes, "file": digest, "media_type": media_type},
    )
    return artifact
