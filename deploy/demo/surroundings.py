"""What the simulated cameras see: held-out images, and the conditions they are seen under."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

CALM: Mapping[str, Any] = {"transform": "identity"}


def write_stream(path: Path, images: np.ndarray, labels: np.ndarray) -> None:
    """The images (N, H, W) in 0..1 and labels (N,) that every device draws from."""
    np.savez(path, images=images.astype(np.float32), labels=labels.astype(np.int64))


def write_world(path: Path, world: Mapping[str, Any]) -> None:
    """Change the surroundings of all devices at once; none reads half a file."""
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(world))
    draft.replace(path)
