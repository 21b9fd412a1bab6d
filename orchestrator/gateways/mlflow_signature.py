"""The `MLmodel` file that tells MLflow what a model takes and gives.

MLflow's own description of a model folder: https://mlflow.org/docs/latest/ml/model/#model-signature
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from mlflow.models import ModelSignature
    from mlflow.types import Schema

FILE_NAME = "MLmodel"
_UNKNOWN = -1


@dataclass(frozen=True, slots=True)
class ModelFolder:
    """A folder of a run with one model file in it; tensors as {name, dtype, shape}."""

    path: str
    flavour: str
    file: str
    inputs: Sequence[Mapping[str, Any]]
    outputs: Sequence[Mapping[str, Any]]

    @property
    def description_path(self) -> str:
        """Where MLflow looks for what it is."""
        return f"{self.path}/{FILE_NAME}"


def describe_folder(folder: ModelFolder, run: str) -> bytes:
    """The folder's MLmodel; without a signature where numpy has no name for a tensor's type."""
    from mlflow.models import Model

    model = Model(artifact_path=folder.path, run_id=run, signature=_signature(folder))
    model.add_flavor(folder.flavour, data=folder.file)
    return str(model.to_yaml()).encode()


def _signature(folder: ModelFolder) -> ModelSignature | None:
    from mlflow.models import ModelSignature

    inputs, outputs = _schema(folder.inputs, "input"), _schema(folder.outputs, "output")
    if inputs is None or outputs is None:
        return None
    return ModelSignature(inputs=inputs, outputs=outputs)


def _schema(tensors: Sequence[Mapping[str, Any]], side: str) -> Schema | None:
    """MLflow wants a name for each of several tensors; files without names get numbers for them."""
    from mlflow.types import Schema, TensorSpec

    known = (_dtype(str(tensor["dtype"])) for tensor in tensors)
    types = [dtype for dtype in known if dtype is not None]
    if not types or len(types) < len(tensors):
        return None
    shapes = [tuple(_UNKNOWN if d is None else d for d in t["shape"] or ()) for t in tensors]
    specs = zip(types, shapes, _names(tensors, side), strict=True)
    return Schema([TensorSpec(dtype, shape, name) for dtype, shape, name in specs])


def _names(tensors: Sequence[Mapping[str, Any]], side: str) -> list[str | None]:
    names = [str(tensor.get("name") or "") for tensor in tensors]
    if all(names) and len(set(names)) == len(names):
        return list(names)
    return [None] if len(names) == 1 else [f"{side}_{place}" for place in range(len(names))]


def _dtype(name: str) -> np.dtype[Any] | None:
    import numpy as np

    try:
        return np.dtype(name.lower())
    except TypeError:
        return None
