"""The MLflow server that this installation keeps its runs and versions in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from urllib.parse import quote, urlsplit, urlunsplit

from django.conf import settings

from orchestrator.gateways.mlflow import MlflowUnreachable
from orchestrator.services.working import Unavailable


def mlflow_url() -> str:
    """The user's own server, or else the one that `up` runs."""
    return settings.MLFLOW_URL or f"http://{settings.MLFLOW_HOST}:{settings.MLFLOW_PORT}"


def mlflow_address() -> str:
    """Its URL to be shown: without the name and password that it may hold."""
    parts = urlsplit(mlflow_url())
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))


def page_of_version(model: str, version: str) -> str:
    """Where MLflow's own pages show a model version."""
    return f"{mlflow_address().rstrip('/')}/#/models/{quote(model, safe='')}/versions/{version}"


@contextmanager
def asking_mlflow() -> Iterator[tuple[str, float]]:
    """Its address and what one call may take, in seconds; Unavailable where it does not answer.

    For a worker alone: with the server away a call takes as long as it may.
    """
    try:
        yield mlflow_url(), settings.NETWORK_TIMEOUT_S
    except MlflowUnreachable as error:
        raise Unavailable(f"MLflow at {mlflow_address()} does not answer") from error
