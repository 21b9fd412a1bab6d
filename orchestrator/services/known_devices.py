"""The list of known ids: devices that may join without a token, each once, with its first key.

Who knows the password of the account `enrol` and an id that has not joined yet can come first, so
a row may also name the fingerprint of the only key that it lets in.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

import structlog
from django.conf import settings
from django.db import transaction

from orchestrator.models import KnownDevice
from orchestrator.protocol.enrolment import key_fingerprint
from orchestrator.protocol.topics import TopicError, check_device_id
from registry.models import Device, DeviceStatus

log = structlog.get_logger(__name__)

ID_COLUMN = "device_id"
KEY_COLUMN = "key_sha256"
_FINGERPRINT = re.compile(r"[0-9a-f]{64}")


class ListError(ValueError):
    """A list that cannot be read; the message names the line and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class Listed:
    """What came of a list, in ids: new ones, ones with another key now, ones as they were."""

    added: int
    changed: int
    unchanged: int

    def __str__(self) -> str:
        return f"{self.added} added, {self.changed} changed, {self.unchanged} unchanged"


class Readable(Protocol):
    """A file of bytes."""

    def read(self, size: int = ..., /) -> bytes: ...


def import_file(file: Readable, now: datetime) -> Listed:
    """As `import_list`, and reads no more of the file than a list may have."""
    return import_list(file.read(settings.KNOWN_LIST_MAX_BYTES + 1), now)


@transaction.atomic
def import_list(content: bytes, now: datetime) -> Listed:
    """Put the ids of a CSV file on the list, all of them or, with ListError, none.

    Columns `device_id` and, where wanted, `key_sha256`; others are passed over. Without a line of
    names the first column is the id and the second the key. A row that has let its device in stays
    as it is, so the same file may come again; one of a device that is a member lets nobody in.
    """
    wanted = read_list(content)
    known = KnownDevice.objects.in_bulk(field_name="device_id")
    fresh = [KnownDevice(device_id=i, key_sha256=k) for i, k in wanted.items() if i not in known]
    if len(known) + len(fresh) > settings.KNOWN_DEVICES_MAX:
        raise ListError(f"the list would have more than {settings.KNOWN_DEVICES_MAX} ids")
    changed = list(_with_another_key(known, wanted))
    KnownDevice.objects.bulk_create(fresh, batch_size=1000)
    KnownDevice.objects.bulk_update(changed, ["key_sha256"], batch_size=500)
    members = Device.objects.filter(status=DeviceStatus.ACCEPTED).exclude(public_key="")
    unused = KnownDevice.objects.filter(used_at=None)
    unused.filter(device_id__in=members.values("device_id")).update(used_at=now)
    listed = Listed(len(fresh), len(changed), len(wanted) - len(fresh) - len(changed))
    log.info("known_devices_listed", added=listed.added, changed=listed.changed)
    return listed


def read_list(content: bytes) -> dict[str, str]:
    """Device id to fingerprint (empty: any key), of a CSV file; ListError."""
    if len(content) > settings.KNOWN_LIST_MAX_BYTES:
        raise ListError(f"the file has more than {settings.KNOWN_LIST_MAX_BYTES} bytes")
    wanted: dict[str, str] = {}
    for line, device_id, fingerprint in _entries(content):
        if device_id in wanted:
            raise ListError(f"line {line}: {device_id} stands on the list already")
        wanted[device_id] = fingerprint
    return wanted


def claim(device_id: str, public_key: str, now: datetime, *, first: bool) -> bool:
    """Use up the row that lets this key in; False where there is none.

    `first` says that no other key has been shown under the name: only then a row without a
    fingerprint counts. Conditional: of two keys that come at once, one gets it.
    """
    fingerprints = [key_fingerprint(public_key), *([""] if first else [])]
    row = KnownDevice.objects.filter(device_id=device_id, used_at=None)
    return bool(row.filter(key_sha256__in=fingerprints).update(used_at=now))


def names_another_key(device_id: str, public_key: str) -> bool:
    """Whether the list is open for the id, and for another key than this one."""
    row = KnownDevice.objects.filter(device_id=device_id, used_at=None).exclude(key_sha256="")
    return row.exclude(key_sha256=key_fingerprint(public_key)).exists()


def close(device_id: str, now: datetime) -> None:
    """The device came in by another way, so its row must let nobody in any more."""
    KnownDevice.objects.filter(device_id=device_id, used_at=None).update(used_at=now)


def _with_another_key(
    known: dict[str, KnownDevice], wanted: dict[str, str]
) -> Iterator[KnownDevice]:
    for device_id, fingerprint in wanted.items():
        row = known.get(device_id)
        if row and row.used_at is None and row.key_sha256 != fingerprint:
            row.key_sha256 = fingerprint
            yield row


def _entries(content: bytes) -> Iterator[tuple[int, str, str]]:
    """Line number, device id, fingerprint."""
    columns: tuple[int, int | None] = (0, 1)
    for number, (line, cells) in enumerate(_rows(content)):
        if number == 0 and ID_COLUMN in cells:
            key = cells.index(KEY_COLUMN) if KEY_COLUMN in cells else None
            columns = (cells.index(ID_COLUMN), key)
        else:
            yield line, _device_id(line, _cell(cells, columns[0])), _key(line, cells, columns[1])


def _rows(content: bytes) -> Iterator[tuple[int, list[str]]]:
    """Lines with something on them; a byte order mark, as spreadsheets write it, is left out."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ListError("the file is not UTF-8") from error
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        for row in reader:
            cells = [cell.strip() for cell in row]
            if any(cells):
                yield reader.line_num, cells
    except csv.Error as error:
        raise ListError(f"line {reader.line_num}: {error}") from error


def _cell(cells: list[str], column: int | None) -> str:
    return cells[column] if column is not None and column < len(cells) else ""


def _device_id(line: int, text: str) -> str:
    try:
        return check_device_id(text)
    except TopicError as error:
        raise ListError(f"line {line}: {error}") from error


def _key(line: int, cells: list[str], column: int | None) -> str:
    """A fingerprint as openssl prints it: capitals and colons do not matter."""
    text = _cell(cells, column).lower().replace(":", "")
    if text and not _FINGERPRINT.fullmatch(text):
        raise ListError(f"line {line}: {KEY_COLUMN} must be 64 hex digits, a SHA-256, or blank")
    return text
