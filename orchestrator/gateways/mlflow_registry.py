"""MLflow's registry: versions of models, with the tags and aliases that they bear."""

from __future__ import annotations

import re
from collections.abc import Mapping

from orchestrator.gateways.mlflow import limited_client, understood

_ALIAS = re.compile(r"[\w-]{1,255}")
# MLflow keeps these for itself: `models:/NAME@v1` and `@latest` would say what they need not mean.
_RESERVED = re.compile(r"v\d+|latest", re.IGNORECASE)


def may_be_alias(name: str) -> bool:
    """Whether MLflow takes it as an alias."""
    return bool(_ALIAS.fullmatch(name)) and not _RESERVED.fullmatch(name)


class MlflowRegistry:
    """One server's registry. Every call ends within `timeout_s`, tried twice.

    It raises MlflowUnreachable or MlflowRefused where it does not succeed.
    """

    def __init__(self, url: str, timeout_s: float) -> None:
        self._client = limited_client(url, timeout_s)

    def register_version(self, model: str, run: str, path: str, tags: Mapping[str, str]) -> str:
        """The model version made of a run's folder; the same run gives the same version again."""
        with understood():
            self._ensure_model(model)
            ours = f"name = '{_quoted(model)}' and run_id = '{run}'"
            for version in self._client.search_model_versions(ours):
                return str(version.version)
            made = self._client.create_model_version(
                model, f"runs:/{run}/{path}", run_id=run, tags=dict(tags), await_creation_for=0
            )
        return str(made.version)

    def aliases(self, model: str) -> dict[str, str] | None:
        """Alias to version; None where there is no such model."""
        from mlflow.exceptions import MlflowException

        with understood():
            try:
                found = self._client.get_registered_model(model).aliases
            except MlflowException as error:
                if error.error_code == "RESOURCE_DOES_NOT_EXIST":
                    return None
                raise
        return {str(alias): str(version) for alias, version in found.items()}

    def set_alias(self, model: str, alias: str, version: str) -> None:
        """From now on `models:/MODEL@ALIAS` is that version."""
        with understood():
            self._client.set_registered_model_alias(model, alias, version)

    def remove_alias(self, model: str, alias: str) -> None:
        """From now on there is no `models:/MODEL@ALIAS`."""
        with understood():
            self._client.delete_registered_model_alias(model, alias)

    def tagged(self, model: str, tag: str, value: str) -> set[str]:
        """The versions of a model that bear a tag with that value."""
        wanted = f"name = '{_quoted(model)}' and tags.`{tag}` = '{_quoted(value)}'"
        with understood():
            return {str(row.version) for row in self._client.search_model_versions(wanted)}

    def tag(self, model: str, version: str, tag: str, value: str) -> None:
        """The version bears the tag."""
        with understood():
            self._client.set_model_version_tag(model, version, tag, value)

    def untag(self, model: str, version: str, tag: str) -> None:
        """The version does not bear the tag."""
        with understood():
            self._client.delete_model_version_tag(model, version, tag)

    def _ensure_model(self, name: str) -> None:
        from mlflow.exceptions import MlflowException

        try:
            self._client.create_registered_model(name)
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise


def _quoted(text: str) -> str:
    return text.replace("'", "''")
