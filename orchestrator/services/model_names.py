"""What a model of an MLflow server is called here."""

from __future__ import annotations

from django.utils.text import slugify

from orchestrator.services.model_sources import SCHEME, ModelSourceError
from registry.models import RegisteredModel, Release


def model_name_for(mlflow_name: str) -> str:
    """MLflow's name, or what is left of it in an address; empty where nothing is.

    Raises ModelSourceError where the model of that name is another one: two names of MLflow may
    leave the same behind, and their versions would become releases of one model.
    """
    name = slugify(mlflow_name)
    if not RegisteredModel.objects.filter(name=name).exists():
        return name
    known = _mlflow_names(name)
    if known - {mlflow_name} or (name != mlflow_name and mlflow_name not in known):
        raise ModelSourceError(
            f"{mlflow_name!r} of MLflow would become a release of the model {name!r}, which did not"
            f" come from there; say --name {name} if it is the same model, or another --name"
        )
    return name


def _mlflow_names(name: str) -> set[str]:
    """The names in MLflow of what releases of a model were fetched from there, by their notes."""
    notes = Release.objects.filter(model__name=name).values_list("notes", flat=True)
    fetched = (note.removeprefix(SCHEME) for note in notes if note.startswith(SCHEME))
    return {rest.partition("/")[0] for rest in fetched}
