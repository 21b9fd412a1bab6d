"""Model versions that an MLflow server holds, with the files of each."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Any

import orjson

from ontology.child_process import ChildProcess
from orchestrator.gateways.mlflow import MlflowRefused, MlflowUnreachable


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


class MlflowTooSlow(Exception):
    """The server answers, but not all of it within the time for the whole."""


class MlflowModels:
    """One MLflow server, read by a process of its own until a deadline; close it afterwards.

    `timeout_s` bounds the wait for each piece of an answer and `deadline_s` all calls together.
    Every call raises MlflowUnreachable, MlflowRefused or MlflowTooSlow where it does not succeed.
    """

    def __init__(self, url: str, timeout_s: float, deadline_s: float) -> None:
        self._until = time.monotonic() + deadline_s
        self._child = ChildProcess("orchestrator.gateways.mlflow_reader")
        self._first = [orjson.dumps({"url": url, "timeout_s": timeout_s})]

    def __enter__(self) -> MlflowModels:
        return self

    def __exit__(self, *exception: object) -> None:
        self._child.kill()

    def version_of_alias(self, name: str, alias: str) -> ModelVersion:
        """The version that bears the alias."""
        return self._version(name, "version_of_alias", name, alias)

    def version(self, name: str, number: str) -> ModelVersion:
        """That version."""
        return self._version(name, "version", name, number)

    def files(self, version: ModelVersion) -> list[RemoteFile]:
        """All files of the version; MlflowRefused for far too many."""
        head, _ = self._ask("files", version.location)
        return [RemoteFile(path, size_bytes) for path, size_bytes in head["found"]]

    def download(self, version: ModelVersion, path: str, room: int) -> bytes:
        """The contents of one of its files; MlflowRefused beyond `room` bytes."""
        return self._ask("download", version.location, path, room)[1]

    def _version(self, name: str, *call: str) -> ModelVersion:
        found = self._ask(*call)[0]["found"]
        return ModelVersion(name, found["number"], found["run_id"], found["location"])

    def _ask(self, *call: str | int) -> tuple[dict[str, Any], bytes]:
        left_s = max(0.0, self._until - time.monotonic())
        first, self._first = self._first, []
        try:
            head, body = self._child.ask(left_s, *first, orjson.dumps(call))
        except TimeoutError as error:
            raise MlflowTooSlow(str(call[0])) from error
        except (EOFError, BrokenPipeError) as error:
            status = self._child.kill()
            raise MlflowUnreachable(f"its client ended with status {status}") from error
        if head["status"] == "refused":
            raise MlflowRefused(head["detail"])
        if head["status"] == "unreachable":
            raise MlflowUnreachable(head["detail"])
        return head, body
