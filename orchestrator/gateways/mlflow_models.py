"""Model versions that an MLflow server holds, with the files of each."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.gateways.mlflow import MlflowRefused, limited_client, understood

if TYPE_CHECKING:
    from mlflow.store.artifact.artifact_repo import ArtifactRepository

# A model's folder has a handful of files; more than these are not looked at.
MAX_FILES = 1000
MAX_FOLDERS = 100


@dataclass(frozen=True, slots=True)
class ModelVersion:
    """One version of a registered model, and where its files lie."""

    name: str
    version: str
    run_id: str
    location: str

    def __str__(self) -> str:
        return f"models:/{self.name}/{self.version}"


@dataclass(frozen=True, slots=True)
class RemoteFile:
    """A file of a model version by its path in there; bytes where the store says how many."""

    path: str
    size_bytes: int | None


class MlflowModels:
    """One MLflow server. Every call either ends within the time-out or raises MlflowUnreachable."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._url = url
        self._client = limited_client(url, timeout_s)

    def version_of_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that bears the alias. Raises MlflowRefused where none does."""
        with understood():
            number = str(self._client.get_model_version_by_alias(name, alias).version)
        return self.version(name, number)

    def version(self, name: str, number: str) -> ModelVersion:
        """That version. Raises MlflowRefused where there is none."""
        with understood():
            found = self._client.get_model_version(name, number)
            location = self._client.get_model_version_download_uri(name, number)
        return ModelVersion(name, number, str(found.run_id or ""), str(location))

    def files(self, version: ModelVersion) -> list[RemoteFile]:
        """All files of the version. Raises MlflowRefused for more than MAX_FILES."""
        found: list[RemoteFile] = []
        with understood():
            for file in self._walk(version.location):
                found.append(file)
                if len(found) > MAX_FILES:
                    raise MlflowRefused(f"{version} has more than {MAX_FILES} files")
        return found

    def download(self, version: ModelVersion, path: str) -> bytes:
        """The contents of one of its files."""
        with tempfile.TemporaryDirectory(prefix="tinyfleet-") as folder, understood():
            local = self._repository(version.location).download_artifacts(path, folder)
            return Path(local).read_bytes()

    def _walk(self, location: str) -> Iterator[RemoteFile]:
        repository = self._repository(location)
        folders: list[str | None] = [None]
        for visited in range(MAX_FOLDERS):
            if visited == len(folders):
                return
            for entry in repository.list_artifacts(folders[visited]):
                if entry.is_dir:
                    folders.append(entry.path)
                else:
                    yield RemoteFile(entry.path, entry.file_size)
        raise MlflowRefused(f"{location} has more than {MAX_FOLDERS} folders")

    def _repository(self, location: str) -> ArtifactRepository:
        from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

        return get_artifact_repository(location, tracking_uri=self._url, registry_uri=self._url)
