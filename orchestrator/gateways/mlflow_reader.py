"""A process that asks an MLflow server for a model version, and may be killed for it.

Run as `python -m orchestrator.gateways.mlflow_reader`. Requests and answers are frames on its
standard streams (`ontology.frames`); the first says which server, whose address may hold a
password. MLflow's client bounds the wait for each piece that arrives, not the whole: a server that
sends a byte now and then would hold it for ever. Here that holds a process, which whoever asked
ends at the deadline.
"""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import orjson

from ontology.frames import read_frame, send
from orchestrator.gateways.mlflow import (
    MlflowRefused,
    MlflowUnreachable,
    limited_client,
    understood,
)

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

# A model's folder has a handful of files; more than these are not looked at.
MAX_FILES = 1000
MAX_FOLDERS = 100


class Reader:
    """One MLflow server, asked by MLflow's own client."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._client = limited_client(url, timeout_s)

    def version_of_alias(self, name: str, alias: str) -> dict[str, str]:
        """The version that bears the alias."""
        with understood():
            number = str(self._client.get_model_version_by_alias(name, alias).version)
        return self.version(name, number)

    def version(self, name: str, number: str) -> dict[str, str]:
        """That version, and where its files lie."""
        with understood():
            found = self._client.get_model_version(name, number)
            location = self._client.get_model_version_download_uri(name, number)
        return {"number": number, "run_id": str(found.run_id or ""), "location": str(location)}

    def files(self, location: str) -> list[tuple[str, int | None]]:
        """Path and bytes of all files there. Raises MlflowRefused for more than MAX_FILES."""
        found: list[tuple[str, int | None]] = []
        with understood():
            for file in self._walk(location):
                found.append(file)
                if len(found) > MAX_FILES:
                    raise MlflowRefused(f"{location} has more than {MAX_FILES} files")
        return found

    def download(self, location: str, path: str, room: int) -> bytes:
        """The contents of one of the files there; MlflowRefused beyond `room` bytes."""
        with tempfile.TemporaryDirectory(prefix="tinyfleet-") as folder, understood():
            local = Path(self._repository(location).download_artifacts(path, folder))
            if local.stat().st_size > room:
                raise MlflowRefused(f"{path} has more than the {room} bytes allowed")
            return local.read_bytes()

    def _walk(self, location: str) -> Iterator[tuple[str, int | None]]:
        repository = self._repository(location)
        folders: list[str | None] = [None]
        for visited in range(MAX_FOLDERS):
            if visited == len(folders):
                return
            for entry in repository.list_artifacts(folders[visited]):
                if entry.is_dir:
                    folders.append(entry.path)
                else:
                    yield entry.path, entry.file_size
        raise MlflowRefused(f"{location} has more than {MAX_FOLDERS} folders")

    def _repository(self, location: str) -> ArtifactRepository:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(location, tracking_uri=self._url, registry_uri=self._url)


def answer(reader: Reader, call: str, arguments: list[Any]) -> tuple[dict[str, Any], bytes]:
    """The head, which says how it went, and a file's bytes where one was asked for."""
    try:
        found = getattr(reader, call)(*arguments)
    except MlflowUnreachable as error:
        return {"status": "unreachable", "detail": str(error)}, b""
    except MlflowRefused as error:
        return {"status": "refused", "detail": str(error)}, b""
    if isinstance(found, bytes):
        return {"status": "ok"}, found
    return {"status": "ok", "found": found}, b""


def serve(requests: BinaryIO, answers: BinaryIO) -> None:
    """Answer until the input ends."""
    reader = Reader(**orjson.loads(read_frame(requests)))
    while frame := read_frame(requests):
        call, *arguments = orjson.loads(frame)
        send(answers, *answer(reader, call, arguments))


def _private_answers() -> BinaryIO:
    """Standard output for frames alone: whatever a library prints goes to standard error."""
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "wb")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())
    return answers


if __name__ == "__main__":
    serve(sys.stdin.buffer, _private_answers())
