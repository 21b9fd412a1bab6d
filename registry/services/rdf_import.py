"""Devices and networks that others describe in RDF become rows: all of an import, or none of it.

The rows are the truth; the graph is projected from them like that of any other row. Importing the
same documents again changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import structlog
from django.conf import settings
from django.db import transaction

from ontology.descriptions import (
    DescriptionRefused,
    DocumentLimits,
    DocumentParser,
    DocumentRefused,
    Graph,
    Mend,
    count_subjects,
    read_descriptions,
)
from ontology.descriptions.documents import MEDIA_TYPES, too_large
from registry.services.changes import Change
from registry.services.described_devices import keep_devices
from registry.services.described_networks import keep_networks
from registry.services.regular_files import NoRegularFile, TooLarge, read_regular_file

__all__ = ["DescriptionRefused", "Document", "DocumentRefused", "RdfReport"]
__all__ += ["document_limits", "import_documents", "read_documents"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Document:
    """One RDF document: the name by which it is spoken of, and its bytes."""

    name: str
    data: bytes


@dataclass(frozen=True, slots=True)
class RdfReport:
    """What was done to rows, by how many, and what was read otherwise than it is written."""

    devices: Counter[Change]
    networks: Counter[Change]
    mends: tuple[Mend, ...]


def document_limits() -> DocumentLimits:
    """What this installation lets a document be and take."""
    return DocumentLimits(
        document_bytes=settings.RDF_MAX_BYTES,
        triples=settings.RDF_MAX_TRIPLES,
        term_bytes=settings.RDF_MAX_LITERAL_BYTES,
        memory_bytes=settings.RDF_MEMORY_BYTES,
        time_s=settings.RDF_TIMEOUT_S,
    )


def read_documents(paths: Iterable[Path]) -> list[Document]:
    """The files, and of folders every file whose name says that it is RDF, in their order.

    Raises DocumentRefused for one that cannot be read or is too large; its size is asked first.
    """
    return [_read(file) for path in paths for file in _files(path)]


def _files(path: Path) -> list[Path]:
    if not path.is_dir():
        return [path]
    found = [
        file for file in path.rglob("*") if file.suffix.lower() in MEDIA_TYPES and file.is_file()
    ]
    if not found:
        raise DocumentRefused(str(path), f"no file in it ends in {', '.join(MEDIA_TYPES)}")
    return sorted(found)


def _read(path: Path) -> Document:
    try:
        return Document(path.name, read_regular_file(path, settings.RDF_MAX_BYTES))
    except TooLarge as error:
        raise DocumentRefused(path.name, too_large(error.size_bytes, document_limits())) from error
    except NoRegularFile as error:
        problem = "it is no file; name a file or a folder of files"
        raise DocumentRefused(str(path), problem) from error
    except OSError as error:
        problem = f"it cannot be read: {error.strerror or error}"
        raise DocumentRefused(str(path), problem) from error


def import_documents(documents: Iterable[Document]) -> RdfReport:
    """Bring the inventory up to what the documents say together.

    Raises DocumentRefused for a document that cannot be read or breaks a bound, DescriptionRefused
    where what they say contradicts itself, cannot be or is too much to write at once; then nothing
    is changed.
    """
    graph = _graph(documents)
    _check_count(count_subjects(graph))
    said = read_descriptions(graph)
    with transaction.atomic():
        report = RdfReport(
            devices=keep_devices(said.devices),
            networks=keep_networks(said.networks),
            mends=said.mends,
        )
    log.info("rdf_imported", devices=len(said.devices), networks=len(said.networks))
    return report


def _check_count(subjects: int) -> None:
    if subjects > settings.RDF_MAX_SUBJECTS:
        raise DescriptionRefused(
            f"{subjects:,} devices and networks are described, more than the"
            f" {settings.RDF_MAX_SUBJECTS:,} allowed at once;"
            " import fewer at once or raise TINYFLEET_RDF_MAX_SUBJECTS"
        )


def _graph(documents: Iterable[Document]) -> Graph:
    """All documents together: one may say more about what another describes."""
    graph, left = Graph(), settings.RDF_MAX_TRIPLES
    with DocumentParser(document_limits()) as parser:
        for document in documents:
            left -= graph.add(document.name, parser.triples(document.name, document.data))
            if left < 0:
                raise DocumentRefused(document.name, _too_many())
    return graph


def _too_many() -> str:
    return (
        f"with it the import has more than {settings.RDF_MAX_TRIPLES:,} triples;"
        " import fewer at once or raise TINYFLEET_RDF_MAX_TRIPLES"
    )
