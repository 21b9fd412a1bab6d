"""The MLflow server that this installation keeps its runs and versions in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.conf import settings

from orchestrator.gateways.mlflow import MlflowUnreachable
from orchestrator.services.working import Unavailable


def mlflow_url() -> str:
    """The user's own server, or else the one that `up` runs."""
    return settings.MLFLOW_URL or f"http://{settings.MLFLOW_HOST}:{settings.MLFLOW_PORT}"


@contextmanager
def asking_mlflow() -> Iterator[tuple[str, float]]:
    """Its address and what one call may take, in seconds; Unavailable where it does not answer.

    For a worker alone: with the server away a call takes as long as it may.
    """
    url = mlflow_url()
    try:
        yield url, settings.NETWORK_TIMEOUT_S
    except MlflowUnreachable as error:
        raise Unavailable(f"MLflow at {url} does not answer") from error
