"""MLflow as the keeper of runs, metrics and lineage.

Its client waits 120 seconds a call and retries by default; the limits here are set before it is
imported, which takes seconds, so only a worker imports it, inside a job, and the command that
fetches a model.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orchestrator.gateways.mlflow_signature import ModelFolder, describe_folder

if TYPE_CHECKING:
    from mlflow.tracking import MlflowClient

_RETRIES = "1"
_PARAM_LENGTH = 500


class MlflowUnreachable(Exception):
    """The server did not answer, or answered with its own failure; try later."""


class MlflowRefused(Exception):
    """The server understood and said no."""


@dataclass(frozen=True, slots=True)
class RunRecord:
    """What one run is to hold: parameters and metrics by name, files by path inside the run.

    Of a `model` among the files it also holds what goes into it and comes out.
    """

    name: str
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float] = field(default_factory=dict)
    tags: Mapping[str, str] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    model: ModelFolder | None = None


def limited_client(url: str, timeout_s: float) -> MlflowClient:
    """MLflow's client for a server, each of whose calls ends within `timeout_s`, tried twice."""
    os.environ["MLFLOW_HTTP_REQUEST_TIMEOUT"] = str(max(1, round(timeout_s)))
    os.environ["MLFLOW_HTTP_REQUEST_MAX_RETRIES"] = _RETRIES
    os.environ["MLFLOW_ARTIFACT_UPLOAD_DOWNLOAD_TIMEOUT"] = str(max(1, round(timeout_s)))
    os.environ["MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR"] = "false"
    os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
    os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
    # Artifacts go through the server by a proxy; its client reads the address from here.
    os.environ["MLFLOW_TRACKING_URI"] = url
    from mlflow.tracking import MlflowClient

    return MlflowClient(tracking_uri=url, registry_uri=url)


class MlflowTracker:
    """One MLflow server. Every call either ends within `timeout_s` or raises MlflowUnreachable."""

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = limited_client(url, timeout_s)

    def log_run(self, experiment: str, record: RunRecord, parent: str = "") -> str:
        """A finished run with all of the record; its id.

        A run that breaks off is marked FAILED and says so, since a part of a record misleads.
        """
        with understood():
            run = self._client.create_run(
                self._experiment(experiment), run_name=record.name, tags=_tags(record, parent)
            ).info.run_id
            try:
                self._fill(run, record)
            except BaseException:
                self._client.set_terminated(run, "FAILED")
                raise
            self._client.set_terminated(run, "FINISHED")
        return str(run)

    def find_run(self, experiment: str, tags: Mapping[str, str]) -> str:
        """The finished run that bears all these tags, newest first; empty where there is none."""
        wanted = " and ".join(f"tags.`{key}` = '{value}'" for key, value in tags.items())
        with understood():
            found = self._client.search_runs(
                [self._experiment(experiment)],
                filter_string=f"attributes.status = 'FINISHED' and {wanted}",
                max_results=1,
            )
        return str(found[0].info.run_id) if found else ""

    def _experiment(self, name: str) -> str:
        from mlflow.exceptions import MlflowException

        known = self._client.get_experiment_by_name(name)
        if known is not None:
            return str(known.experiment_id)
        try:
            return str(self._client.create_experiment(name))
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
            return self._experiment(name)  # another worker made it in between

    def _fill(self, run: str, record: RunRecord) -> None:
        from mlflow.entities import Metric, Param

        now_ms = int(time.time() * 1000)
        metrics = [Metric(name, float(value), now_ms, 0) for name, value in record.metrics.items()]
        params = [Param(name, str(value)[:_PARAM_LENGTH]) for name, value in record.params.items()]
        self._client.log_batch(run, metrics=metrics, params=params)
        files = dict(record.files)
        if record.model is not None:
            files[record.model.description_path] = describe_folder(record.model, run)
        if files:
            with tempfile.TemporaryDirectory(prefix="tinyfleet-") as folder:
                _write_files(Path(folder), files)
                self._client.log_artifacts(run, folder)


def _write_files(folder: Path, files: Mapping[str, bytes]) -> None:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)


def _tags(record: RunRecord, parent: str) -> dict[str, str]:
    return {**record.tags, **({"mlflow.parentRunId": parent} if parent else {})}


@contextmanager
def understood() -> Iterator[None]:
    """MLflow's failures as two kinds: try again later, or do not."""
    import requests
    from mlflow.exceptions import MlflowException

    try:
        yield
    except requests.RequestException as error:
        answer = error.response
        if answer is not None and answer.status_code < 500:
            raise MlflowRefused(str(error)) from error
        raise MlflowUnreachable(str(error)) from error
    except ImportError as error:  # as of the client of the object store that keeps the files
        raise MlflowRefused(str(error)) from error
    except MlflowException as error:
        if error.get_http_status_code() >= 500:
            raise MlflowUnreachable(str(error)) from error
        raise MlflowRefused(str(error)) from error
